"""Other people's WAMP clients, autobahn's own, to talk with the bridge through a router."""

# ruff: noqa: N802, ARG002 - autobahn's names and signatures

from __future__ import annotations

import asyncio
import contextlib
import inspect
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from autobahn.asyncio.rawsocket import WampRawSocketClientFactory
from autobahn.asyncio.wamp import ApplicationSession
from autobahn.asyncio.websocket import WampWebSocketClientFactory
from autobahn.wamp import message
from autobahn.wamp.auth import compute_wcs
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.request import CallRequest, PublishRequest
from autobahn.wamp.serializer import CBORSerializer, JsonSerializer, MsgPackSerializer
from autobahn.wamp.types import (
    CallOptions,
    CallResult,
    ComponentConfig,
    PublishOptions,
    RegisterOptions,
    SubscribeOptions,
)

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Mapping,
        Sequence,
    )

__all__ = ["ApplicationError", "CallResult", "Event", "Peer", "joined"]

SERIALIZERS: dict[str, Callable[[], Any]] = {
    "cbor": CBORSerializer,
    "msgpack": MsgPackSerializer,
    "json": JsonSerializer,
}

JOIN_SECONDS = 15.0


class Peer:
    """A joined autobahn session; `session` is autobahn's own, for what is not here."""

    def __init__(self, session: _Session) -> None:
        self.session = session

    @property
    def id(self) -> int:
        """The session's id."""
        return self.session._session_id or 0

    @property
    def interrupted(self) -> list[int]:
        """The request ids of the invocations that the router interrupted here, in order."""
        return self.session.interrupted

    @property
    def connected(self) -> bool:
        """Whether it is still joined."""
        return self.session._session_id is not None

    async def call(self, procedure: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call; the arguments may have any name. The result as autobahn gives it.

        Raises:
            ApplicationError: The call's error, with `error`, `args` and `kwargs`.
        """
        return await self.request_call(procedure, args, kwargs)[1]

    def request_call(
        self,
        procedure: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: int | None = None,
        on_progress: Callable[..., object] | None = None,
    ) -> tuple[int, asyncio.Future[Any]]:
        """Send a CALL; its request id (for `cancel`) and the future result."""
        session = self.session
        number = session._request_id_gen.next()
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        options = None if on_progress is None else CallOptions(on_progress=on_progress)
        session._call_reqs[number] = CallRequest(number, procedure, reply, options)
        named = dict(kwargs or {})
        wanted = True if on_progress is not None else None
        call = message.Call(
            number, procedure, list(args), named, timeout=timeout, receive_progress=wanted
        )
        session.send(call)
        return number, reply

    def cancel(self, request: int, mode: str = "killnowait") -> None:
        """Send a CANCEL for a call."""
        self.session.send(message.Cancel(request, mode))

    async def publish(
        self,
        topic: str,
        /,
        *args: Any,
        options: Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> int:
        """Publish and wait for the acknowledgement; the publication's id."""
        chosen = PublishOptions(**{"acknowledge": True, "exclude_me": False, **(options or {})})
        session = self.session
        request = session._request_id_gen.next()
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        session._publish_reqs[request] = PublishRequest(request, reply, was_encrypted=False)
        named = dict(kwargs or {})
        session.send(message.Publish(request, topic, list(args), named, **chosen.message_attr()))
        number: int = (await reply).id
        return number

    async def register(
        self,
        procedure: str,
        handler: Callable[..., Any] | Callable[..., Awaitable[Any]],
        **options: Any,
    ) -> Any:
        """Register a plain or async function; options as of `RegisterOptions`.

        Of an async generator, what it yields is progress, save a `CallResult`, which is the result.

        Returns autobahn's registration, which has `unregister()`.
        """
        return await self.session.register(handler, procedure, options=RegisterOptions(**options))

    async def subscribe(
        self, topic: str, handler: Callable[..., object] | None = None, **options: Any
    ) -> asyncio.Queue[Event]:
        """Subscribe; options as of `SubscribeOptions`. The queue gets every event."""
        events: asyncio.Queue[Event] = asyncio.Queue()

        def receive(args: list[Any], kwargs: dict[str, Any], details: Any) -> None:
            events.put_nowait(Event(args, kwargs, details.topic or topic, details))
            if handler is not None:
                handler(*args, **kwargs)

        await self.session.subscribe(receive, topic, options=SubscribeOptions(**options))
        return events


@dataclass(frozen=True)
class Event:
    """An event as it came; `details` is autobahn's message."""

    args: list[Any]
    kwargs: dict[str, Any]
    topic: str
    details: Any


class _Session(ApplicationSession):
    """Autobahn's session, save that handlers may have arguments of any name.

    Autobahn passes them on in calls whose own parameters (`self`, `fun`) they collide with, and
    then drops the connection.
    """

    def __init__(
        self, realm: str, login: Mapping[str, Any], loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(ComponentConfig(realm))
        self._login = login
        self._serving: dict[int, asyncio.Task[None]] = {}
        self.interrupted: list[int] = []
        self.has_joined: asyncio.Future[None] = loop.create_future()
        self.is_gone: asyncio.Future[None] = loop.create_future()

    def onConnect(self) -> None:
        method = next((key for key in ("ticket", "secret") if key in self._login), None)
        methods = {None: "anonymous", "ticket": "ticket", "secret": "wampcra"}
        self.join(self.config.realm, [methods[method]], self._login.get("authid"))

    def onChallenge(self, challenge: Any) -> str:
        if challenge.method == "ticket":
            ticket: str = self._login["ticket"]
            return ticket
        signature: bytes = compute_wcs(self._login["secret"], challenge.extra["challenge"])
        return signature.decode()

    def onJoin(self, details: Any) -> None:
        self.has_joined.set_result(None)

    def onLeave(self, details: Any) -> None:
        if not self.has_joined.done():
            self.has_joined.set_exception(ConnectionError(f"{details.reason}: {details.message}"))
        super().onLeave(details)

    def onDisconnect(self) -> None:
        super().onDisconnect()
        if not self.has_joined.done():
            self.has_joined.set_exception(ConnectionError("the connection was lost"))
        if not self.is_gone.done():
            self.is_gone.set_result(None)
        for task in list(self._serving.values()):
            task.cancel()

    def onMessage(self, msg: Any) -> None:
        if isinstance(msg, message.Invocation) and msg.registration in self._registrations:
            task = asyncio.create_task(self._serve(msg))
            self._serving[msg.request] = task
            task.add_done_callback(lambda _: self._serving.pop(msg.request, None))
        elif isinstance(msg, message.Interrupt):
            self.interrupted.append(msg.request)
            if (serving := self._serving.get(msg.request)) is not None:
                serving.cancel()
        elif isinstance(msg, message.Event) and msg.subscription in self._subscriptions:
            for subscription in self._subscriptions[msg.subscription]:
                subscription.handler.fn(list(msg.args or []), dict(msg.kwargs or {}), msg)
        else:
            super().onMessage(msg)

    async def _serve(self, invocation: Any) -> None:
        handler = self._registrations[invocation.registration].endpoint.fn
        error, args, kwargs = "wamp.error.runtime_error", [], {}
        try:
            result = handler(*(invocation.args or ()), **(invocation.kwargs or {}))
            if inspect.isasyncgen(result):
                result = await self._last(invocation, result)
            elif inspect.isawaitable(result):
                result = await result
        except ApplicationError as problem:
            error, args, kwargs = problem.error, list(problem.args), problem.kwargs
        except asyncio.CancelledError:
            error = "wamp.error.canceled"
        else:
            results, named = [result], {}
            if isinstance(result, CallResult):
                results, named = list(result.results), result.kwresults
            self.send(message.Yield(invocation.request, args=results, kwargs=named))
            return
        kind = message.Invocation.MESSAGE_TYPE
        self.send(message.Error(kind, invocation.request, error, args=args, kwargs=kwargs))

    async def _last(self, invocation: Any, steps: AsyncGenerator[Any, Any]) -> Any:
        async with contextlib.aclosing(steps):
            async for step in steps:
                if isinstance(step, CallResult):
                    return step
                self.send(message.Yield(invocation.request, args=[step], progress=True))
        return None

    def send(self, msg: Any) -> None:
        """Send a message of any kind; nothing where the connection is gone."""
        if self._transport is not None and self._transport.isOpen():
            self._transport.send(msg)


@asynccontextmanager
async def joined(
    url: str, *, realm: str = "realm1", serializer: str = "cbor", **login: str
) -> AsyncIterator[Peer]:
    """Join a router (`rs://` or `ws://`) as another client, and leave it again.

    Args:
        url: `router.url` or `router.websocket_url`.
        realm: Name of the realm.
        serializer: `cbor`, `msgpack` or `json`.
        login: `authid` with `ticket`, or with `secret` (wampcra); nothing is anonymous.
    """
    loop = asyncio.get_running_loop()
    session = _Session(realm, login, loop)
    parts = urlsplit(url)
    chosen = SERIALIZERS[serializer]()
    factory = (
        WampRawSocketClientFactory(lambda: session, serializer=chosen)
        if parts.scheme == "rs"
        else WampWebSocketClientFactory(lambda: session, url=url, serializers=[chosen])
    )
    host, port = parts.hostname or "", parts.port or 0
    transport, _ = await loop.create_connection(factory, host, port)
    try:
        async with asyncio.timeout(JOIN_SECONDS):
            await session.has_joined
        yield Peer(session)
        if session._session_id is not None:
            session.leave()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await asyncio.shield(session.is_gone)
    finally:
        transport.abort()
