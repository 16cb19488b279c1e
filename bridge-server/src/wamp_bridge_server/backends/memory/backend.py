"""The backend without a router, and its sessions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
import structlog

from wamp_bridge_server.backends.base import (
    Details,
    Event,
    Invocation,
    Result,
    Unavailable,
    WampError,
)
from wamp_bridge_server.backends.memory.meta import META
from wamp_bridge_server.backends.memory.realm import Party, Realm, check_not_reserved, new_id
from wamp_bridge_server.backends.serving import outcome_of
from wamp_bridge_server.backends.values import check_arguments, check_ids, check_names, check_uri
from wamp_bridge_server.errors import OPTION_NOT_ALLOWED, TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wamp_bridge_server.backends.base import Invoke, Listener, Match, PublishOptions, Session

FEATURES: Final = frozenset(
    {
        "broker.pattern_based_subscription",
        "broker.publisher_exclusion",
        "broker.publisher_identification",
        "broker.subscriber_blackwhite_listing",
        "broker.subscription_meta_api",
        "dealer.call_canceling",
        "dealer.caller_identification",
        "dealer.pattern_based_registration",
        "dealer.registration_meta_api",
        "dealer.shared_registration",
    }
)

_CLOSED: Final = "the bridge is going down"

log = structlog.get_logger("wamp_bridge.memory")

T = TypeVar("T")


class MemoryBackend:
    """Joins the apps of this process with one another; nobody else is there.

    Args:
        realm: The realm of apps that have none of their own.
        realms: Those of the others, by the apps' names; looked up when a session is opened.
    """

    def __init__(self, realm: str = "realm1", realms: Mapping[str, str] | None = None) -> None:
        self._listener: Listener | None = None
        self._open = False
        self._realm = realm
        self._realm_of = {} if realms is None else realms
        self._realms = {realm: Realm()}
        self._sessions: dict[str, MemorySession] = {}
        self._released: list[MemorySession] = []

    @property
    def joined(self) -> bool:
        """Whether it was started and not closed."""
        return self._open

    @property
    def reason(self) -> str | None:
        """Why it isn't joined, for a person; None where it is."""
        return None if self._open else "it was not started, or is closed"

    @property
    def realms(self) -> Mapping[str, bool]:
        """Those that apps are in."""
        return dict.fromkeys(self._realms, self._open)

    async def start(self, listener: Listener) -> None:
        """Be there."""
        self._listener = listener
        self._open = True

    def session(self, app: str) -> Session:
        """The app's session; the first call opens it.

        Raises:
            RuntimeError: The backend was not started.
        """
        session = self._sessions.get(app)
        if session is None:
            if self._listener is None:
                raise RuntimeError("the backend was not started")
            name = self._realm_of.get(app, self._realm)
            realm = self._realms.setdefault(name, Realm())
            session = MemorySession(app, realm, self._sessions, self._listener)
            self._sessions[app] = session
            if self._open:
                session.open()
            else:
                session.shut()
        return session

    def release(self, app: str) -> None:
        """See `backends.base.Backend`."""
        session = self._sessions.pop(app, None)
        if session is not None:
            session.leave()
            self._released = [each for each in (*self._released, session) if each.serving]

    async def close(self) -> None:
        """End every session and what it was doing."""
        self._open = False
        sessions = [*self._sessions.values(), *self._released]
        tasks = [task for session in sessions for task in session.shut()]
        if tasks:
            await asyncio.wait(tasks)


class MemorySession:
    """An app's place. A `backends.base.Session`."""

    def __init__(
        self, app: str, realm: Realm, sessions: Mapping[str, MemorySession], listener: Listener
    ) -> None:
        self._realm = realm
        self._sessions = sessions
        self._listener = listener
        self._me = Party(new_id(), app)
        self._loop = asyncio.get_running_loop()
        self._decided = asyncio.Event()
        self._closed = False
        self.paused = False
        self._serving: set[asyncio.Task[Result | WampError]] = set()

    def open(self) -> None:
        """Join, as over a network: not before the caller goes on."""
        self._loop.call_soon(self._join)

    def shut(self) -> list[asyncio.Task[Result | WampError]]:
        """End; the tasks that are still ending."""
        self._closed = True
        self._decided.set()
        for task in self._serving:
            task.cancel()
        return list(self._serving)

    def leave(self) -> None:
        """Hold nothing any more; what is under way goes on."""
        self._realm.leave(self._me)

    @property
    def serving(self) -> bool:
        """Whether an invocation is under way."""
        return bool(self._serving)

    @property
    def reason(self) -> str | None:
        """Why it isn't joined, for a person; None where it is."""
        return None if self.joined else _CLOSED

    @property
    def joined(self) -> bool:
        """Whether requests can be made now."""
        return self._decided.is_set() and not self._closed

    @property
    def features(self) -> frozenset[str]:
        """What this backend can do."""
        return FEATURES

    def pause(self, *, paused: bool) -> None:
        """Have who publishes for it be told that it can't be taken now."""
        self.paused = paused

    async def attempted(self) -> None:
        """See `backends.base.Session`."""
        await self._decided.wait()

    async def call(
        self, procedure: str, args: Sequence[Any], kwargs: Mapping[str, Any], *, timeout: float
    ) -> Result:
        """See `backends.base.Session`."""
        check_uri(procedure)
        check_arguments(args, kwargs)
        await self._ready()
        if procedure in META:
            return Result([META[procedure](self._realm, *args)])
        registration, callee = self._realm.callee(procedure)
        invocation = Invocation(
            registration.uri,
            registration.match,
            procedure,
            _copy(list(args)),
            _copy(dict(kwargs)),
            Details(self._me.session, self._me.authid, self._me.authrole, self._me.app, timeout),
        )
        task = self._sessions[callee.app].serve(invocation)
        try:
            await asyncio.wait([task], timeout=timeout)
        finally:
            expired = not task.done()
            task.cancel()
        if expired:
            raise WampError(TIMEOUT, [f"There was no answer within {timeout:g} s."])
        if task.cancelled():
            raise Unavailable(_CLOSED)
        outcome = task.result()
        if isinstance(outcome, WampError):
            raise WampError(
                outcome.uri, _copy(list(outcome.wamp_args)), _copy(dict(outcome.wamp_kwargs))
            )
        return Result(_copy(list(outcome.args)), _copy(dict(outcome.kwargs)))

    async def publish(
        self, topic: str, args: Sequence[Any], kwargs: Mapping[str, Any], options: PublishOptions
    ) -> int | None:
        """See `backends.base.Session`."""
        check_uri(topic)
        check_arguments(args, kwargs)
        gets = self._audience(options)
        await self._ready()
        check_not_reserved(topic)
        if options.retain:
            raise WampError(OPTION_NOT_ALLOWED, ["There is no router that would retain it."])
        publication = new_id()
        details = Details(self._me.session, self._me.authid, self._me.authrole, self._me.app)
        audience = [
            (subscription, self._sessions[party.app])
            for subscription in self._realm.subscriptions_of(topic)
            for party in filter(gets, subscription.subscribers)
        ]
        if any(session.paused for _, session in audience):
            raise Unavailable("a subscriber takes no more events for now")
        for subscription, session in audience:
            event = Event(
                subscription.uri,
                subscription.match,
                topic,
                publication,
                _copy(list(args)),
                _copy(dict(kwargs)),
                details,
            )
            self._loop.call_soon(session.receive, event)
        return publication if options.acknowledge else None

    async def register(self, uri: str, match: Match, invoke: Invoke) -> int:
        """See `backends.base.Session`."""
        check_uri(uri, match)
        await self._ready()
        return self._realm.register(self._me, uri, match, invoke)

    async def unregister(self, registration: int) -> None:
        """See `backends.base.Session`."""
        await self._ready()
        self._realm.unregister(self._me, registration)

    async def subscribe(self, uri: str, match: Match) -> int:
        """See `backends.base.Session`."""
        check_uri(uri, match)
        await self._ready()
        return self._realm.subscribe(self._me, uri, match)

    async def unsubscribe(self, subscription: int) -> None:
        """See `backends.base.Session`."""
        await self._ready()
        self._realm.unsubscribe(self._me, subscription)

    def serve(self, invocation: Invocation) -> asyncio.Task[Result | WampError]:
        """Begin to serve a call."""

        async def invoked(arrived: Invocation) -> Result:
            return await self._listener.invoked(self._me.app, arrived)

        task = asyncio.create_task(outcome_of(invoked, invocation))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        return task

    def receive(self, event: Event) -> None:
        """Take an event."""
        if self._closed:
            return
        try:
            self._listener.received(self._me.app, event)
        except Exception:  # as over a network, it is no affair of the publisher's
            log.exception("listener failed", app=self._me.app, topic=event.topic)

    def _join(self) -> None:
        if not self._closed:
            self._decided.set()
            self._listener.joined(self._me.app)

    async def _ready(self) -> None:
        await self._decided.wait()
        if self._closed:
            raise Unavailable(_CLOSED)

    def _audience(self, options: PublishOptions) -> Callable[[Party], bool]:
        """Who may get an event (WAMP, "Subscriber Black- and Whitelisting")."""
        excluded = (
            check_ids("exclude", options.exclude) or (),
            check_names("exclude_authid", options.exclude_authid) or (),
            check_names("exclude_authrole", options.exclude_authrole) or (),
        )
        eligible = (
            check_ids("eligible", options.eligible),
            check_names("eligible_authid", options.eligible_authid),
            check_names("eligible_authrole", options.eligible_authrole),
        )

        def gets(party: Party) -> bool:
            if options.exclude_me and party == self._me:
                return False
            traits = (party.session, party.authid, party.authrole)
            if any(trait in those for trait, those in zip(traits, excluded, strict=True)):
                return False
            return all(
                those is None or trait in those
                for trait, those in zip(traits, eligible, strict=True)
            )

        return gets


def _copy(value: T) -> T:
    """Copy as over a wire: nobody shares a list, and tuples become lists."""
    copied: T = msgspec.msgpack.decode(msgspec.msgpack.encode(value))
    return copied
