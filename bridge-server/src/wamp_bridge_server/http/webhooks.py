"""What the bridge posts to callback URLs (protocol, section 3), for `/openapi.json`.

The bodies are written in `callbacks.envelopes`; a test holds them against these types.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from wamp_bridge_server.backends.base import Match
from wamp_bridge_server.callbacks.streams import STREAM_TYPE
from wamp_bridge_server.http.documents import Arguments, Keywords, Time


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """What is posted to an app."""


class Endpoint(_Envelope):
    """What was registered or subscribed to; it may be a pattern."""

    uri: str
    match: Match


class InvocationDetails(_Envelope):
    """Who calls, as far as that is disclosed, and until when."""

    deadline: Time
    caller: Annotated[int, Meta(description="WAMP session id.")] | UnsetType = UNSET
    caller_authid: str | UnsetType = UNSET
    caller_authrole: str | UnsetType = UNSET
    caller_app: Annotated[str, Meta(description="An app of this bridge.")] | UnsetType = UNSET
    progress: Annotated[bool, Meta(description="True where steps are wanted.")] | UnsetType = UNSET


class EventDetails(_Envelope):
    """Who published, as far as that is disclosed."""

    publisher: Annotated[int, Meta(description="WAMP session id.")] | UnsetType = UNSET
    publisher_authid: str | UnsetType = UNSET
    publisher_authrole: str | UnsetType = UNSET
    publisher_app: Annotated[str, Meta(description="An app of this bridge.")] | UnsetType = UNSET
    retained: Annotated[bool, Meta(description="True where the router kept it.")] | UnsetType = (
        UNSET
    )


class Invocation(_Envelope):
    """A call of one of the app's procedures."""

    type: Literal["invocation"]
    endpoint: Endpoint
    procedure: Annotated[str, Meta(description="The URI that was called.")]
    args: Arguments
    kwargs: Keywords
    details: InvocationDetails


class Event(_Envelope):
    """An event of a topic that the app subscribed to."""

    type: Literal["event"]
    endpoint: Endpoint
    topic: Annotated[str, Meta(description="The URI that was published to.")]
    publication: Annotated[int | None, Meta(description="The router's id.")]
    args: Arguments
    kwargs: Keywords
    details: EventDetails


class _Outcome(_Envelope):
    call: Annotated[str, Meta(description="The id that the answer to the call gave.")]
    procedure: str


class CallResult(_Outcome):
    """An asynchronous call succeeded."""

    type: Literal["result"]
    callback: Annotated[str | None, Meta(description="The URL that was asked for it.")]
    result: Annotated[Any, Meta(description="The one positional result.")]
    args: Arguments
    kwargs: Keywords


class CallError(_Outcome):
    """An asynchronous call failed."""

    type: Literal["error"]
    callback: Annotated[str | None, Meta(description="The URL that was asked for it.")]
    status: Annotated[int, Meta(description="As the call would have been answered.")]
    error: Annotated[str, Meta(description="The WAMP error's URI.")]
    args: Arguments
    kwargs: Keywords


class Progress(_Outcome):
    """An asynchronous call is under way."""

    type: Literal["progress"]
    callback: Annotated[str, Meta(description="The URL that was asked for it.")]
    sequence: Annotated[int, Meta(description="Counted from 0.")]
    args: Arguments
    kwargs: Keywords


class ManifestRequest(_Envelope):
    """A question for the manifest of a source."""

    type: Literal["manifest"]
    source: Annotated[str, Meta(description="The source's URL.")]


class FullResult(_Envelope):
    """A result with several arguments, or named ones."""

    args: Arguments | UnsetType = UNSET
    kwargs: Keywords | UnsetType = UNSET


class RaisedError(_Envelope):
    """A WAMP error that the procedure raises."""

    error: Annotated[str, Meta(description="Its URI.")]
    args: Arguments | UnsetType = UNSET
    kwargs: Keywords | UnsetType = UNSET


class ManifestEndpoint(msgspec.Struct):
    """An endpoint of a source; beside these, the options of registering and subscribing."""

    url: Annotated[str, Meta(description="Relative to the source.")]
    match: Match | UnsetType = UNSET


class Manifest(msgspec.Struct):
    """What a source serves."""

    protocol: Literal[1]
    procedures: dict[str, ManifestEndpoint] | UnsetType = UNSET
    topics: dict[str, ManifestEndpoint] | UnsetType = UNSET
    callbacks: list[str] | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class Webhook:
    """A request to an app: its body, and how the app answers it."""

    summary: str
    body: type[msgspec.Struct]
    example: dict[str, Any]
    answers: tuple[tuple[str, str, Any, str], ...]
    """Status, description, type of the body and its media type."""


_ENDPOINT = {"uri": "com.shop.price", "match": "exact"}
_TAKEN = (("2XX", "It arrived. Anything else is tried again.", None, ""),)
_JSON, _FULL = "application/json", "application/vnd.wamp-bridge.result+json"
_PAYLOAD = {"args": ["book"], "kwargs": {}}
_OF_CALL = {
    "call": "call_01k0000000000000000000000e",
    "procedure": "com.shop.price",
    "callback": "http://10.0.0.5:8000/wamp/callback/priced/",
}

WEBHOOKS: Final = {
    "invocation": Webhook(
        "Somebody calls a procedure of the app",
        Invocation,
        {
            "type": "invocation",
            "endpoint": _ENDPOINT,
            "procedure": "com.shop.price",
            **_PAYLOAD,
            "details": {"caller_app": "bank", "deadline": 1700000030.0},
        },
        (
            ("200", "The one result; or a full one; or steps, a line of JSON each.", Any, _JSON),
            ("200", "", FullResult, _FULL),
            ("200", "", str, STREAM_TYPE),
            ("204", "No result.", None, ""),
            (
                "4XX",
                "A WAMP error. Without such a body, the status says which.",
                RaisedError,
                _JSON,
            ),
            (
                "5XX",
                "A WAMP error. Without such a body, the status says which.",
                RaisedError,
                _JSON,
            ),
        ),
    ),
    "event": Webhook(
        "An event of a topic that the app subscribed to",
        Event,
        {
            "type": "event",
            "endpoint": {"uri": "com.shop.sold", "match": "exact"},
            "topic": "com.shop.sold",
            "publication": 3921750485123,
            **_PAYLOAD,
            "details": {"publisher": 7240501394},
        },
        (*_TAKEN, ("410", "Send no more: the endpoint is withdrawn.", None, "")),
    ),
    "result": Webhook(
        "An asynchronous call succeeded",
        CallResult,
        {"type": "result", **_OF_CALL, "result": 12.5, "args": [12.5], "kwargs": {}},
        _TAKEN,
    ),
    "error": Webhook(
        "An asynchronous call failed",
        CallError,
        {
            "type": "error",
            **_OF_CALL,
            "status": 404,
            "error": "wamp.error.no_such_procedure",
            **_PAYLOAD,
        },
        _TAKEN,
    ),
    "progress": Webhook(
        "A part of an asynchronous call's result",
        Progress,
        {
            "type": "progress",
            **_OF_CALL,
            "sequence": 1,
            **_PAYLOAD,
        },
        _TAKEN,
    ),
    "manifest": Webhook(
        "The bridge asks a source what it serves",
        ManifestRequest,
        {"type": "manifest", "source": "http://10.0.0.5:8000/wamp/"},
        (("200", "The manifest.", Manifest, _JSON),),
    ),
}
