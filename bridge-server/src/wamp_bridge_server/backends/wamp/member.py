"""An app's place at the router: a session that is made again whenever it was lost."""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from wamp_bridge_server.backends.base import Unavailable
from wamp_bridge_server.backends.wamp.operations import Operations
from wamp_bridge_server.backends.wamp.session import Refused, WampSession
from wamp_bridge_server.backends.wamp.transport import open_channel
from wamp_bridge_server.tasks import lasting

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping, Sequence

    from wamp_bridge_server.backends import base
    from wamp_bridge_server.backends.base import Invoke, Listener, Match, PublishOptions
    from wamp_bridge_server.backends.wamp.settings import Address, Identity, Patience

log = structlog.get_logger("wamp_bridge.router")


@dataclass(slots=True)
class Way:
    """How all sessions of a backend reach their router: by one of its addresses at a time.

    A router that can't be joined gives way to the next one, for all; who is joined stays.
    """

    addresses: Sequence[Address]
    tls: ssl.SSLContext | None
    turn: int = 0

    @property
    def address(self) -> Address:
        """Where to try."""
        return self.addresses[self.turn]

    def leave(self, address: Address) -> None:
        """Have the next one tried; nothing where somebody had that done already."""
        if address is self.address:
            self.turn = (self.turn + 1) % len(self.addresses)


@dataclass(slots=True)
class Realm:
    """What all sessions in a realm have in common."""

    way: Way
    name: str
    patience: Patience
    buffer_limit: int
    apps: dict[int, str] = field(default_factory=dict)
    """The apps of the sessions, by the sessions' ids."""

    def app_of(self, session: int | None) -> str | None:
        """The app whose session has this id."""
        return None if session is None else self.apps.get(session)


class Member:
    """One who takes part in a realm, an app or the bridge itself. A `backends.base.Session`.

    Args:
        realm: Where.
        app: The app, or None for the bridge itself.
        identity: Gives the identity to join with, asked at each attempt.
        listener: Told what arrives for the app.
    """

    def __init__(
        self,
        realm: Realm,
        app: str | None,
        identity: Callable[[], Identity],
        listener: Listener,
    ) -> None:
        self._realm = realm
        self._app = app
        self._identity = identity
        self._listener = listener
        self._current: Operations | None = None
        self._ghost: int | None = None
        self._address: Address | None = None
        self._tried = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._reason: str | None = "it has not joined the router yet"

    def open(self) -> None:
        """Begin to join, and go on until closed."""
        name = f"router session of {self._app}" if self._app else "router session of the bridge"
        self._task = lasting(self._stay, name)

    def shut(self) -> None:
        """Be of no use: the bridge is going down."""
        self._reason = "the bridge is going down"
        self._tried.set()

    async def close(self) -> None:
        """Leave; nothing stays behind."""
        self.shut()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._leave()

    async def retire(self) -> None:
        """Join no more, and leave as soon as nothing is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        current = self._current
        if current is not None:
            await current.idle()
            self._realm.apps.pop(current.session.id, None)
        self._reason = "the app's place in the configuration changed"
        self._tried.set()
        await self._leave()

    async def _leave(self) -> None:
        current, self._current = self._current, None
        if current is not None:
            await current.session.leave()

    @property
    def realm(self) -> str:
        """The name of the realm that it is for."""
        return self._realm.name

    @property
    def _url(self) -> str | None:
        return None if self._address is None else self._address.url

    @property
    def joined(self) -> bool:
        """Whether requests can be made now."""
        return self._current is not None and not self._current.session.ended.done()

    @property
    def reason(self) -> str | None:
        """Why it isn't joined, for a person; None where it is."""
        return self._reason

    @property
    def features(self) -> frozenset[str]:
        """What the router announced; nothing where it is away."""
        return frozenset() if self._current is None else self._current.session.features

    def pause(self, *, paused: bool) -> None:
        """See `backends.base.Session`."""
        if self._current is not None:
            self._current.session.pause(paused=paused)

    async def attempted(self) -> None:
        """See `backends.base.Session`."""
        await self._tried.wait()

    async def call(
        self, procedure: str, args: Sequence[Any], kwargs: Mapping[str, Any], *, timeout: float
    ) -> base.Result:
        """See `backends.base.Session`."""
        if self._current is None and not self._tried.is_set():
            timeout -= await self._first_attempt(timeout)
        return await self._operations.call(procedure, args, kwargs, timeout)

    async def publish(
        self, topic: str, args: Sequence[Any], kwargs: Mapping[str, Any], options: PublishOptions
    ) -> int | None:
        """See `backends.base.Session`."""
        if self._current is None and not self._tried.is_set():
            await self._first_attempt()
        return await self._operations.publish(topic, args, kwargs, options)

    async def register(self, uri: str, match: Match, invoke: Invoke) -> int:
        """See `backends.base.Session`."""
        await self._first_attempt()
        return await self._operations.register(uri, match, invoke)

    async def unregister(self, registration: int) -> None:
        """See `backends.base.Session`."""
        await self._operations.unregister(registration)

    async def subscribe(self, uri: str, match: Match) -> int:
        """See `backends.base.Session`."""
        await self._first_attempt()
        return await self._operations.subscribe(uri, match)

    async def unsubscribe(self, subscription: int) -> None:
        """See `backends.base.Session`."""
        await self._operations.unsubscribe(subscription)

    @property
    def _operations(self) -> Operations:
        if self._current is None:
            raise Unavailable(self.reason or "the router is away")
        return self._current

    async def _first_attempt(self, timeout: float | None = None) -> float:
        """Wait until the first attempt to join has had an outcome; the seconds that it took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(timeout):
                await self._tried.wait()
        except TimeoutError:
            raise Unavailable("the router has not let the bridge in yet") from None
        return loop.time() - began

    async def _stay(self) -> None:
        patience = self._realm.patience
        loop = asyncio.get_running_loop()
        delay = patience.retry
        while True:
            longest = patience.retry_most
            try:
                operations = await self._join()
            except OSError as error:  # also a timeout
                self._is_away(_why(error, patience))
            except Refused as error:
                self._is_refused(str(error))
                delay, longest = max(delay, patience.retry_most), patience.retry_refused
            except Exception as error:  # whatever it is, it must not be the end of all attempts
                log.exception("cannot join the router", app=self._app)
                self._is_refused(f"joining the router fails ({type(error).__name__})")
                delay, longest = max(delay, patience.retry_most), patience.retry_refused
            else:
                since = loop.time()
                self._has_joined(operations)
                self._has_left(operations, await asyncio.shield(operations.session.ended))
                if loop.time() - since > patience.probe:
                    delay = patience.retry
            # Hundreds of sessions lost their router in the same moment: they come back apart.
            apart = random.uniform(0.5, 1.0)  # noqa: S311 - no secret
            await asyncio.sleep(min(delay, longest) * apart)
            delay = min(2 * delay, longest)

    async def _join(self) -> Operations:
        address = self._realm.way.address
        try:
            return await self._join_at(address)
        except OSError:  # also a timeout; a router that says no is there
            self._realm.way.leave(address)
            raise

    async def _join_at(self, address: Address) -> Operations:
        realm = self._realm
        session = WampSession(self._serve, self._receive, realm.app_of, realm.patience)
        async with asyncio.timeout(realm.patience.connect):
            identity = self._identity()
            channel = await open_channel(address, session, identity.tls or realm.way.tls)
            await session.join(channel, realm.name, identity)
            operations = Operations(session, realm.buffer_limit)
            if self._ghost is not None and address is self._address:
                await self._bury(operations, self._ghost)
        self._ghost, self._address = None, address
        return operations

    async def _bury(self, operations: Operations, ghost: int) -> None:
        with ExitStack() as failing:  # also where there is no time left, or nobody wants to join
            failing.callback(operations.session.give_up, "it could not join")
            try:
                await operations.bury(ghost)
            except Unavailable as error:
                raise ConnectionError(str(error)) from error
            failing.pop_all()

    def _has_joined(self, operations: Operations) -> None:
        self._current = operations
        self._reason = None
        self._tried.set()
        if self._app is not None:
            self._realm.apps[operations.session.id] = self._app
            self._tell(self._listener.joined, self._app)
        else:
            log.info("joined the router", url=self._url, realm=self._realm.name)

    def _has_left(self, operations: Operations, reason: str) -> None:
        self._current = None
        if operations.session.given_up:
            self._ghost = operations.session.id
        self._realm.apps.pop(operations.session.id, None)
        self._reason = reason
        if self._app is not None:
            self._tell(self._listener.left, self._app, reason)
        else:
            log.warning("lost the router", url=self._url, reason=reason)

    def _is_away(self, reason: str) -> None:
        if reason != self.reason and self._app is None:  # one line for all apps
            log.warning("cannot join the router", reason=reason)
        self._reason = reason
        self._tried.set()

    def _is_refused(self, reason: str) -> None:
        if reason != self.reason:
            log.warning("cannot join the router", app=self._app, reason=reason)
        self._reason = reason
        self._tried.set()

    def _tell(self, tell: Callable[..., None], *details: Any) -> None:
        try:
            tell(*details)
        except Exception:  # else nobody would join for this app, or hear of events, ever again
            log.exception("listener failed", app=self._app)

    async def _serve(self, invocation: base.Invocation) -> base.Result:
        return await self._listener.invoked(self._app or "", invocation)

    def _receive(self, event: base.Event) -> None:
        self._tell(self._listener.received, self._app or "", event)


def _why(error: OSError, patience: Patience) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return f"the router did not answer within {patience.connect:g} s"
    known = isinstance(error, ConnectionError) and error.errno
    return f"the router can't be reached ({os.strerror(known) if known else error})"
