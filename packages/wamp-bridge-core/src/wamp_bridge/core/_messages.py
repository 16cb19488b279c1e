"""What passes between a web app and the bridge, free of any framework.

`Request` and `Response` are HTTP as an adapter hands it in and gets it back. Details and outcomes
are what handlers receive of an envelope; the rest is what the bridge tells of calls and events.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wamp_bridge.core._errors import BridgeError
    from wamp_bridge.core._steps import AsyncLines, Lines
    from wamp_bridge.core._uris import Match

JSON_TYPE: Final = "application/json"
RESULT_TYPE: Final = "application/vnd.wamp-bridge.result+json"
ATTEMPT_HEADER: Final = "wamp-bridge-attempt"
PROTOCOL_HEADER: Final = "wamp-bridge-protocol"
REQUEST_ID_HEADER: Final = "request-id"
PROTOCOL_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request as it reached the dispatcher.

    Args:
        method: As sent, upper case.
        path: Below the place where the dispatcher is mounted, percent-decoded as frameworks give
            it. A label for people and logs, save that it may name a callback.
        headers: Names in any case; kept in lower case. Values in ASCII or latin-1.
        body: The octets as they came, which is what was signed.
        native: The framework's own request, for handlers that want it.
        gone: Set by who learns that the bridge has closed the connection.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    native: object = field(default=None, compare=False, repr=False)
    gone: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)

    def __post_init__(self) -> None:
        lowered = {name.lower(): value for name, value in self.headers.items()}
        object.__setattr__(self, "headers", lowered)


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response for an adapter to give to its framework; header names in lower case.

    Attributes:
        status: HTTP's.
        headers: Names in lower case.
        body: The octets; none where the answer comes in steps.
        lines: The answer in steps, each to be sent as it comes: of `dispatch`. To be closed, also
            where not all of it is wanted.
        async_lines: The same of `dispatch_async`; has `aclose`.
        error: What the handler raised, or what was wrong with its result: for a framework that
            then takes back what a request has done.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    lines: Lines | None = field(default=None, compare=False, repr=False)
    async_lines: AsyncLines | None = field(default=None, compare=False, repr=False)
    error: Exception | None = field(default=None, compare=False, repr=False)

    @property
    def content(self) -> bytes | Lines | AsyncLines:
        """The body, or the steps that come in its place."""
        return self.lines or self.async_lines or self.body

    @property
    def whole(self) -> bool:
        """Whether it comes in one piece, and not in steps."""
        return isinstance(self.content, bytes)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A registration or subscription as it was made: the URI and how it matches."""

    uri: str
    match: Match = "exact"


@dataclass(frozen=True, slots=True)
class InvocationDetails:
    """What is known of a call, for a handler's parameter that is annotated with this class.

    Attributes:
        procedure: As it was called; differs from `endpoint.uri` where that is a pattern.
        endpoint: The registration.
        delivery_id: The `webhook-id`.
        attempt: Counted from 1.
        request_id: Also in the bridge's logs.
        caller: The caller's WAMP session, where the router discloses it.
        caller_authid: Who the caller is, where disclosed.
        caller_authrole: The caller's role, where disclosed.
        caller_app: The caller's name where it is an app of the same bridge.
        deadline: Unix time in seconds after which nobody waits for the result.
        progress: Whether the caller takes what a generator yields; else only its result.
    """

    procedure: str
    endpoint: Endpoint
    delivery_id: str
    attempt: int = 1
    request_id: str | None = None
    caller: int | None = None
    caller_authid: str | None = None
    caller_authrole: str | None = None
    caller_app: str | None = None
    deadline: float | None = None
    progress: bool = False
    gone: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the deadline, 0 after it; None where there is none."""
        return None if self.deadline is None else max(self.deadline - time.time(), 0.0)

    @property
    def cancelled(self) -> bool:
        """Whether it is known that nobody waits for the result any more.

        The deadline has passed, or the bridge has closed the connection, of which some servers tell
        an app nothing before it answers. So true is certain, and false is not.
        """
        return self.gone.is_set() or self.seconds_left == 0


@dataclass(frozen=True, slots=True)
class EventDetails:
    """What is known of an event, for a handler's parameter that is annotated with this class.

    Attributes:
        topic: As it was published to; differs from `endpoint.uri` where that is a pattern.
        endpoint: The subscription.
        publication: WAMP's id of the publication.
        delivery_id: The `webhook-id`: the same over retries and replays.
        attempt: Counted from 1.
        request_id: Also in the bridge's logs.
        publisher: The publisher's WAMP session, where the router discloses it.
        publisher_authid: Who the publisher is, where disclosed.
        publisher_authrole: The publisher's role, where disclosed.
        publisher_app: The publisher's name where it is an app of the same bridge.
        retained: Whether it is an earlier event, which the router retained.
    """

    topic: str
    endpoint: Endpoint
    publication: int
    delivery_id: str
    attempt: int = 1
    request_id: str | None = None
    publisher: int | None = None
    publisher_authid: str | None = None
    publisher_authrole: str | None = None
    publisher_app: str | None = None
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Publication:
    """What became of one of several events that were published together.

    Attributes:
        id: WAMP's, None where no acknowledgement was asked for, or where it was not published.
        error: Why it was not published, or None.
    """

    id: int | None
    error: BridgeError | None

    def value(self) -> int | None:
        """The id, as `publish` would have returned it.

        Raises:
            BridgeError: It was not published; the error that `publish` would have raised.
        """
        if self.error is not None:
            raise self.error
        return self.id


@dataclass(frozen=True, slots=True)
class TopicEvent:
    """An event of a topic that is followed, as `events` yields it.

    Attributes:
        topic: As it was published to; differs from what is followed where that is a pattern.
        args: Positional arguments.
        kwargs: Keyword arguments.
        publication: WAMP's id of the publication.
        id: Its place: `events(..., last_event_id=id)` goes on behind it.
        publisher: The publisher's WAMP session, where the router discloses it.
        publisher_authid: Who the publisher is, where disclosed.
        publisher_authrole: The publisher's role, where disclosed.
        publisher_app: The publisher's name where it is an app of the same bridge.
    """

    topic: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    publication: int
    id: str
    publisher: int | None = None
    publisher_authid: str | None = None
    publisher_authrole: str | None = None
    publisher_app: str | None = None


@dataclass(frozen=True, slots=True)
class SignedURL:
    """A URL by which a browser follows a topic with no token; a text of it is the URL itself.

    Who has it can follow the topic: it belongs into the page of one who may, and into no log.

    Attributes:
        url: For `EventSource`. Not in the `repr`.
        expires_at: Unix time in seconds from which on it opens no stream any more.
    """

    url: str = field(repr=False)
    expires_at: float

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class CallResult:
    """A full WAMP result: several positional results, keyword results.

    Returned by a handler it is sent as such; `call(..., full=True)` returns one.
    """

    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> Any:
        """The one positional result, the list where there are several, None where none."""
        if len(self.args) == 1:
            return self.args[0]
        return list(self.args) if self.args else None


@dataclass(frozen=True, slots=True)
class PendingCall:
    """An asynchronous call that the bridge has taken.

    Attributes:
        id: Also in the `Outcome` that the callback will get.
        status: `pending`.
        location: Where the bridge tells of it, relative to its URL.
    """

    id: str
    status: str = "pending"
    location: str | None = None


@dataclass(frozen=True, slots=True)
class CallState:
    """How an asynchronous call stands, as the bridge tells of it.

    Attributes:
        id: Also in its `PendingCall`.
        status: `pending`, `succeeded`, `failed` or `cancelled`.
        result: The full result; empty where there is none.
        error: Why it failed, or that it was cancelled; None where it was not.
    """

    id: str
    status: str
    result: CallResult
    error: BridgeError | None

    @property
    def ended(self) -> bool:
        """Whether it has succeeded, failed or been cancelled."""
        return self.status != "pending"

    def value(self) -> Any:
        """The result as `call` would have returned it.

        Raises:
            BridgeError: The call failed; the error that `call` would have raised.
            RuntimeError: The call has not ended.
        """
        if not self.ended:
            raise RuntimeError(f"call {self.id} has not ended")
        if self.error is not None:
            raise self.error
        return self.result.value


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an asynchronous call ended, as a `callback` handler receives it.

    Attributes:
        call: The id that `PendingCall` had.
        procedure: What was called.
        result: The full result; empty where the call failed.
        error: Why the call failed, or None.
        delivery_id: The `webhook-id`: the same over retries and replays.
        attempt: Counted from 1.
        request_id: Also in the bridge's logs.
    """

    call: str
    procedure: str
    result: CallResult
    error: BridgeError | None
    delivery_id: str
    attempt: int = 1
    request_id: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether there is a result."""
        return self.error is None

    def value(self) -> Any:
        """The result as `call` would have returned it.

        Raises:
            BridgeError: The call failed; the error that `call` would have raised.
        """
        if self.error is not None:
            raise self.error
        return self.result.value


@dataclass(frozen=True, slots=True)
class Progress:
    """A progressive result, as a `callback` handler that asked for progress receives it.

    Attributes:
        call: The id that `PendingCall` had.
        procedure: What was called.
        sequence: Counted from 0 in the order in which the callee gave them.
        result: What it gave.
        delivery_id: The `webhook-id`.
    """

    call: str
    procedure: str
    sequence: int
    result: CallResult
    delivery_id: str
