"""What every framework's adapter of wamp-bridge shares, and what its users import by name.

An app names its handlers with `rpc`, `sub` and `callback`, mounts a dispatcher, and calls and
publishes through a bridge. No framework is imported here; an adapter is a distribution of its
own, as `wamp_bridge.adapters.flask`.
"""

from wamp_bridge.core._announce import Announcer
from wamp_bridge.core._asgi import unless_gone, until_gone
from wamp_bridge.core._async_app import AsyncWampBridgeBase
from wamp_bridge.core._async_client import AsyncBridge
from wamp_bridge.core._binding import Parameters
from wamp_bridge.core._bridge_app import BridgeApp, WampBridgeBase
from wamp_bridge.core._callables import (
    check_off_loop,
    is_async_callable,
    layers,
    run_awaiting,
)
from wamp_bridge.core._client import Bridge
from wamp_bridge.core._commands import Command, commands
from wamp_bridge.core._dead_letters import DeadLetter, DeadLetterFilter
from wamp_bridge.core._deliveries import current_details, current_request
from wamp_bridge.core._directory import PastEvent, Procedure, Topic
from wamp_bridge.core._dispatch import Dispatcher
from wamp_bridge.core._envelopes import (
    Envelope,
    ErrorEnvelope,
    EventEnvelope,
    InvocationEnvelope,
    ManifestEnvelope,
    ProgressEnvelope,
    ResultEnvelope,
    parse_envelope,
)
from wamp_bridge.core._errors import (
    ApplicationError,
    BadRequest,
    BlockedLoop,
    BridgeError,
    BridgeUnreachable,
    CallTimeout,
    Canceled,
    ConfigurationError,
    Conflict,
    DuplicateName,
    EnvelopeError,
    EventsLost,
    Forbidden,
    InvalidArgument,
    InvalidJSON,
    InvalidURI,
    InvalidValue,
    NoSuchProcedure,
    NotFound,
    NotOffered,
    ServerError,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unprocessable,
    UnsupportedMediaType,
    VerificationError,
    error_of_status,
)
from wamp_bridge.core._holdings import Registration, Source, Subscription
from wamp_bridge.core._json import dumps, loads
from wamp_bridge.core._messages import (
    CallResult,
    CallState,
    Endpoint,
    EventDetails,
    InvocationDetails,
    Outcome,
    PendingCall,
    Progress,
    Publication,
    Request,
    Response,
    SignedURL,
    TopicEvent,
)
from wamp_bridge.core._mount import Mount
from wamp_bridge.core._once import Once, OnceStore
from wamp_bridge.core._operations import Removed
from wamp_bridge.core._registry import Handler, Registry
from wamp_bridge.core._secrets import decode_secret, generate_secret
from wamp_bridge.core._settings import Settings
from wamp_bridge.core._signatures import RequestSigner
from wamp_bridge.core._steps import AsyncLines, Lines
from wamp_bridge.core._streamed_calls import AsyncSteps, Steps
from wamp_bridge.core._uris import (
    CancelMode,
    Invoke,
    Match,
    check_uri,
    escape_segment,
    unescape_segment,
)
from wamp_bridge.core._webhooks import WebhookSigner

__all__ = [
    "Announcer",
    "ApplicationError",
    "AsyncBridge",
    "AsyncLines",
    "AsyncSteps",
    "AsyncWampBridgeBase",
    "BadRequest",
    "BlockedLoop",
    "Bridge",
    "BridgeApp",
    "BridgeError",
    "BridgeUnreachable",
    "CallResult",
    "CallState",
    "CallTimeout",
    "CancelMode",
    "Canceled",
    "Command",
    "ConfigurationError",
    "Conflict",
    "DeadLetter",
    "DeadLetterFilter",
    "Dispatcher",
    "DuplicateName",
    "Endpoint",
    "Envelope",
    "EnvelopeError",
    "ErrorEnvelope",
    "EventDetails",
    "EventEnvelope",
    "EventsLost",
    "Forbidden",
    "Handler",
    "InvalidArgument",
    "InvalidJSON",
    "InvalidURI",
    "InvalidValue",
    "InvocationDetails",
    "InvocationEnvelope",
    "Invoke",
    "Lines",
    "ManifestEnvelope",
    "Match",
    "Mount",
    "NoSuchProcedure",
    "NotFound",
    "NotOffered",
    "Once",
    "OnceStore",
    "Outcome",
    "Parameters",
    "PastEvent",
    "PendingCall",
    "Procedure",
    "Progress",
    "ProgressEnvelope",
    "Publication",
    "Registration",
    "Registry",
    "Removed",
    "Request",
    "RequestSigner",
    "Response",
    "ResultEnvelope",
    "ServerError",
    "Settings",
    "SignedURL",
    "Source",
    "Steps",
    "Subscription",
    "TooLarge",
    "TooManyRequests",
    "Topic",
    "TopicEvent",
    "Unauthorized",
    "Unavailable",
    "Unprocessable",
    "UnsupportedMediaType",
    "VerificationError",
    "WampBridgeBase",
    "WebhookSigner",
    "check_off_loop",
    "check_uri",
    "commands",
    "current_details",
    "current_request",
    "decode_secret",
    "dumps",
    "error_of_status",
    "escape_segment",
    "generate_secret",
    "is_async_callable",
    "layers",
    "loads",
    "parse_envelope",
    "run_awaiting",
    "unescape_segment",
    "unless_gone",
    "until_gone",
]
