"""What every backend offers to the rest of the bridge, and what it asks of it.

A backend joins the bridge's apps to a network of procedures and topics. Each app has a `Session`
of its own there. What comes in, invocations and events, goes to the one `Listener`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Match = Literal["exact", "prefix", "wildcard"]
Invoke = Literal["single", "roundrobin", "random", "first", "last"]


@dataclass(frozen=True, slots=True)
class Result:
    """What a procedure returned: WAMP's positional and keyword results."""

    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Details:
    """What the router disclosed of the caller or publisher; None where it did not.

    `app` is the app of this bridge whose session it is, where it is one. `deadline_seconds` is how
    long the caller is willing to wait from now, where known.
    """

    session: int | None = None
    authid: str | None = None
    authrole: str | None = None
    app: str | None = None
    deadline_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Invocation:
    """A call that arrived for a registration of an app; `uri` and `match` as registered."""

    uri: str
    match: Match
    procedure: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    details: Details


@dataclass(frozen=True, slots=True)
class Event:
    """A publication that arrived for a subscription of an app; `uri` and `match` as subscribed."""

    uri: str
    match: Match
    topic: str
    publication: int
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    details: Details


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """WAMP's PUBLISH.Options; the names are the standard's.

    An empty list of those eligible is nobody, also with routers that take it for everybody.
    """

    acknowledge: bool = True
    exclude_me: bool = False
    exclude: Sequence[int] | None = None
    exclude_authid: Sequence[str] | None = None
    exclude_authrole: Sequence[str] | None = None
    eligible: Sequence[int] | None = None
    eligible_authid: Sequence[str] | None = None
    eligible_authrole: Sequence[str] | None = None
    retain: bool = False


class WampError(Exception):
    """A WAMP error: its URI with positional and keyword arguments.

    Raised by a session's calls for what the router or the callee answered, and raised by the
    listener for what an app answered to an invocation.
    """

    def __init__(
        self, uri: str, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(uri, list(args), dict(kwargs or {}))
        self.uri = uri
        self.wamp_args: Sequence[Any] = args
        self.wamp_kwargs: Mapping[str, Any] = kwargs or {}


class Unavailable(Exception):  # noqa: N818 - a state of the network, named as HTTP's 503 is
    """The network can't be used now: no router, or it takes no more. Says why, for a person."""


class Undeliverable(ValueError):  # noqa: N818 - a value's property, told to the one who sent it
    """A value or URI that the network can't carry; refused before anything was sent."""


class Session(Protocol):
    """An app's place in the network. Opened when first needed, kept joined by the backend.

    All requests raise `Unavailable` when there is no router (also when it is lost meanwhile),
    `Undeliverable` for what it can't carry and `WampError` for what was refused.
    """

    @property
    def joined(self) -> bool:
        """Whether requests can be made now."""

    @property
    def reason(self) -> str | None:
        """Why it isn't joined, for a person; None where it is."""

    @property
    def features(self) -> frozenset[str]:
        """What the router announced, as `role.feature`, e.g. `dealer.shared_registration`."""

    def pause(self, *, paused: bool) -> None:
        """Have the network keep what comes for the app, or hand it over again.

        For when it comes faster than it can be put away. What is on its way may still arrive.
        """

    async def attempted(self) -> None:
        """Wait until its first attempt to join has had an outcome, whichever it was."""

    async def call(
        self, procedure: str, args: Sequence[Any], kwargs: Mapping[str, Any], *, timeout: float
    ) -> Result:
        """Call a procedure and wait for its result at most `timeout` seconds.

        The deadline is kept here: when it passes, the call is cancelled (killnowait) and
        `WampError("wamp.error.timeout")` raised. When the awaiting task is cancelled, so is the
        call.
        """

    async def publish(
        self, topic: str, args: Sequence[Any], kwargs: Mapping[str, Any], options: PublishOptions
    ) -> int | None:
        """Publish; the publication's id, or None where no acknowledgement was asked for."""

    async def register(self, uri: str, match: Match, invoke: Invoke) -> int:
        """Register a procedure; the registration's id."""

    async def unregister(self, registration: int) -> None:
        """Take a registration back."""

    async def subscribe(self, uri: str, match: Match) -> int:
        """Subscribe to a topic; the subscription's id."""

    async def unsubscribe(self, subscription: int) -> None:
        """Take a subscription back."""


class Listener(Protocol):
    """Who is told what comes in from the network, and when sessions come and go."""

    def joined(self, app: str) -> None:
        """An app's session has joined, with nothing registered or subscribed yet."""

    def left(self, app: str, reason: str) -> None:
        """An app's session is gone, and all that it held at the router with it."""

    async def invoked(self, app: str, invocation: Invocation) -> Result:
        """Serve an invocation. Raises `WampError`; is cancelled when the caller cancels."""

    def received(self, app: str, event: Event) -> None:
        """Take an event."""


class Backend(Protocol):
    """A kind of network: WAMP through a router, or the memory of this process."""

    @property
    def joined(self) -> bool:
        """Whether the network is there: the bridge's own session is joined."""

    @property
    def reason(self) -> str | None:
        """Why the network isn't there, for a person; None where it is. Holds no secret."""

    @property
    def realms(self) -> Mapping[str, bool]:
        """The realms that sessions are in or try to join, and whether all of those have joined."""

    async def start(self, listener: Listener) -> None:
        """Begin joining; returns at once, also while the router is away."""

    def session(self, app: str) -> Session:
        """The app's session; the first call for an app opens it."""

    def release(self, app: str) -> None:
        """Give an app's session up; the next `session` opens another.

        The one there is serves nothing new, and leaves when what is under way in it has ended. What
        it holds is to be taken back before; the listener is not told that it left.
        """

    async def close(self) -> None:
        """Leave the network; every session says goodbye, no task or socket stays behind."""
