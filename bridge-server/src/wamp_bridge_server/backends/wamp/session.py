"""One WAMP session: from HELLO until its connection is gone.

Requests go out as they are made and are told apart by their ids. Everything that still waits when
the session ends fails with `Unavailable`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog
from autobahn.wamp import message

from wamp_bridge_server.backends import base
from wamp_bridge_server.backends.base import Details, Unavailable, Undeliverable, WampError
from wamp_bridge_server.backends.wamp.authentication import BadChallenge, Login
from wamp_bridge_server.backends.wamp.codec import Codec, Malformed
from wamp_bridge_server.backends.wamp.invocations import Invocations
from wamp_bridge_server.backends.wamp.requests import Holdings, Requests
from wamp_bridge_server.backends.wamp.watch import Watch
from wamp_bridge_server.errors import (
    ALREADY_SUBSCRIBED,
    INVALID_ARGUMENT,
    NO_SUCH_PROCEDURE,
    NO_SUCH_REGISTRATION,
    NO_SUCH_SUBSCRIPTION,
    PROCEDURE_EXISTS,
    RUNTIME_ERROR,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wamp_bridge_server.backends.wamp.settings import Identity, Patience
    from wamp_bridge_server.backends.wamp.transport import Channel

_PROBE: Final = "wamp.session.count"
_ENVELOPE: Final = 1024
"""Bytes that the router may add to a message of ours before it passes it on."""

log = structlog.get_logger("wamp_bridge.router")


class Refused(Exception):  # noqa: N818 - the router's answer
    """The router doesn't let this session in, and will not soon. Says why, for a person."""


class WampSession:
    """A session at the router. A `transport.Receiver`.

    Args:
        serve: Gives an invocation's result or raises `WampError`.
        receive: Takes an event.
        app_of: The app of this bridge whose session has this id.
        patience: How long things may take.
    """

    def __init__(
        self,
        serve: Callable[[base.Invocation], Awaitable[base.Result]],
        receive: Callable[[base.Event], None],
        app_of: Callable[[int | None], str | None],
        patience: Patience,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.id = 0
        self.features: frozenset[str] = frozenset()
        self.ended: asyncio.Future[str] = loop.create_future()
        """Why the session is over, as soon as it is."""
        self.requests = Requests(self._request)
        self.registrations = Holdings(PROCEDURE_EXISTS, NO_SUCH_REGISTRATION)
        self.subscriptions = Holdings(ALREADY_SUBSCRIBED, NO_SUCH_SUBSCRIPTION)
        self.invocations = Invocations(serve, self.send)
        self.given_up = False
        """Whether it ended on our side alone, so that the router may not know of it."""
        self._receive = receive
        self._app_of = app_of
        self._patience = patience
        self._in_seconds = False
        self._leaving = False
        self._channel: Channel
        self._codec: Codec
        self._login: Login
        self._proving: asyncio.Task[None] | None = None
        self._watch: Watch | None = None
        self._joining: asyncio.Future[None] = loop.create_future()
        self._goodbye: asyncio.Future[None] = loop.create_future()
        self._gone: asyncio.Future[None] = loop.create_future()
        self._handlers: dict[type, Callable[[Any], None]] = {
            message.Result: self._answered,
            message.Published: self._answered,
            message.Registered: self._answered,
            message.Unregistered: self._answered,
            message.Subscribed: self._answered,
            message.Unsubscribed: self._answered,
            message.Error: self._failed,
            message.Event: self._event,
            message.Invocation: self._invocation,
            message.Interrupt: lambda msg: self.invocations.interrupt(msg.request),
            message.Goodbye: self._dismissed,
            message.Abort: self._dismissed,
            Malformed: self._malformed,
        }

    # Coming and going.

    async def join(self, channel: Channel, realm: str, identity: Identity) -> None:
        """Join the realm.

        Raises:
            Refused: The router says no.
            OSError: The connection was lost.
        """
        self._channel = channel
        self._codec = Codec(channel.serializer)
        self._login = Login(identity)
        try:
            self.send(self._login.hello(realm))
            await self._joining
        except BaseException:  # also when cancelled: nothing of it stays
            self._end("it could not join")
            channel.abort()
            raise
        self._watch = Watch(channel, self._patience, self._probe, self.give_up)

    async def leave(self) -> None:
        """Say goodbye and close the connection; nothing of the session is left after that."""
        if not self.ended.done():
            self.send(message.Goodbye("wamp.close.close_realm"))
            self._leaving = True  # and no other message may follow
            await asyncio.wait(
                [self._goodbye, self._gone],
                timeout=self._patience.goodbye,
                return_when=asyncio.FIRST_COMPLETED,
            )
        self._end("the session was closed")
        if serving := self.invocations.cancel_all():
            await asyncio.wait(serving)
        if not self._gone.done():
            self._channel.close()
            await asyncio.wait([self._gone], timeout=self._patience.goodbye)
        if not self._gone.done():
            self._channel.abort()
            await asyncio.wait([self._gone], timeout=self._patience.goodbye)

    def _end(self, reason: str) -> None:
        if self.ended.done():
            return
        self.ended.set_result(reason)
        if self._watch is not None:
            self._watch.stop()
        if self._proving is not None:
            self._proving.cancel()
        if not self._joining.done():
            self._joining.set_exception(ConnectionError(reason))
            self._joining.exception()  # taken note of; nobody may wait for it
        self.requests.fail_all(lambda: Unavailable(reason))
        self.invocations.cancel_all()

    def give_up(self, reason: str) -> None:
        """End the session at once, without a word to the router."""
        self.given_up = True
        self._end(reason)
        self._channel.abort()

    def _probe(self) -> None:
        _, future = self.requests.ask(
            lambda number: message.Call(number, _PROBE), message.Result, lambda _: None
        )
        future.add_done_callback(lambda done: done.cancelled() or done.exception())

    # Sending.

    @property
    def buffered(self) -> int:
        """Bytes that the network did not take yet."""
        return self._channel.buffered

    def backstop(self, seconds: int) -> int | None:
        """The router's own timeout for a call, in its unit: Crossbar reads whole seconds."""
        if self._in_seconds:
            return seconds
        return seconds * 1000 if "dealer.call_timeout" in self.features else None

    def send(self, msg: message.Message) -> None:
        """Send a message; nothing where the session is over, or is just ending.

        Raises:
            Undeliverable: It has a value that can't be written, or is too long for the router.
        """
        if self.ended.done() or self._leaving:
            return
        payload = self._codec.encode(msg)
        if len(payload) > self._channel.max_payload - _ENVELOPE:
            raise Undeliverable(f"{len(payload)} bytes are more than the router takes")
        self._channel.send(payload)

    def _request(self, msg: message.Message) -> None:
        if self.ended.done():
            raise Unavailable(self.ended.result())
        self.send(msg)

    # Receiving.

    def pause(self, *, paused: bool) -> None:
        """Read no further, or go on; the router keeps the rest, for as long as it cares to."""
        if not self.ended.done():
            self._channel.pause(paused=paused)

    def lost(self, reason: str) -> None:
        """The connection is gone."""
        self._end(reason)
        if not self._gone.done():
            self._gone.set_result(None)

    def received(self, payload: bytes) -> None:
        """Take a message from the router."""
        if self.ended.done():
            return
        msg = self._codec.decode(payload)
        if self.id == 0:
            self._received_joining(msg)
        elif (handle := self._handlers.get(type(msg))) is not None:
            handle(msg)

    def _received_joining(self, msg: message.Message | Malformed) -> None:
        if isinstance(msg, message.Welcome):
            self._welcomed(msg)
        elif isinstance(msg, message.Abort):
            text = f"{msg.reason}: {msg.message}" if msg.message else msg.reason
            self._refuse(Refused(f"the router refuses the session ({text})"))
        elif isinstance(msg, message.Challenge):
            self._proving = asyncio.create_task(self._prove(msg), name="proof for the router")
        else:
            self._refuse(ConnectionError("this is no WAMP router"))

    async def _prove(self, challenge: message.Challenge) -> None:
        try:
            if self._login.takes_long:
                proof = await asyncio.to_thread(self._login.answer, challenge)
            else:
                proof = self._login.answer(challenge)
        except BadChallenge as error:
            self._refuse(Refused(str(error)))
        else:
            self.send(proof)

    def _welcomed(self, welcome: message.Welcome) -> None:
        try:
            self._login.check(welcome)
        except BadChallenge as error:
            self._refuse(Refused(str(error)))
            return
        self.id = welcome.session
        self.features = frozenset(
            f"{name}.{feature}"
            for name, role in (welcome.roles or {}).items()
            for feature, offered in vars(role).items()
            if offered is True
        )
        self._in_seconds = "x_cb_node" in (welcome.authextra or {})
        if not self._joining.done():
            self._joining.set_result(None)

    def _refuse(self, error: Exception) -> None:
        if not self._joining.done():
            self._joining.set_exception(error)

    def _answered(self, msg: Any) -> None:
        if not msg.request:
            # Taken back by the router: what the listener thinks is held is so no more.
            self.give_up("the router took back something that the session held")
        else:
            self.requests.answered(msg.request, msg)

    def _failed(self, msg: message.Error) -> None:
        self.requests.refused(msg.request, WampError(msg.error, msg.args or [], msg.kwargs or {}))

    def _event(self, event: message.Event) -> None:
        pattern = self.subscriptions.get(event.subscription)
        if pattern is None:
            return  # on its way while the subscription was taken back
        if event.payload is not None:
            log.warning("event dropped", topic=pattern.uri, reason="its payload is encrypted")
            return
        details = Details(
            session=event.publisher,
            authid=event.publisher_authid,
            authrole=event.publisher_authrole,
            app=self._app_of(event.publisher),
        )
        arrived = base.Event(
            *pattern,
            event.topic or pattern.uri,
            event.publication,
            event.args or [],
            event.kwargs or {},
            details,
        )
        self._receive(arrived)

    def _invocation(self, invocation: message.Invocation) -> None:
        pattern = self.registrations.get(invocation.registration)
        if pattern is None:
            gone = WampError(NO_SUCH_PROCEDURE, ["The procedure was taken back."])
            self.invocations.refuse(invocation.request, gone)
            return
        if invocation.payload is not None:
            encrypted = WampError(INVALID_ARGUMENT, ["Encrypted payloads are not understood here."])
            self.invocations.refuse(invocation.request, encrypted)
            return
        unit = 1 if self._in_seconds else 1000
        details = Details(
            session=invocation.caller,
            authid=invocation.caller_authid,
            authrole=invocation.caller_authrole,
            app=self._app_of(invocation.caller),
            deadline_seconds=invocation.timeout / unit if invocation.timeout else None,
        )
        arrived = base.Invocation(
            *pattern,
            invocation.procedure or pattern.uri,
            invocation.args or [],
            invocation.kwargs or {},
            details,
        )
        self.invocations.start(invocation.request, arrived)

    def _malformed(self, msg: Malformed) -> None:
        log.warning("unreadable message", head=msg.head, reason=msg.reason)
        match msg.head:
            case (message.Invocation.MESSAGE_TYPE, request, *_):
                call = WampError(INVALID_ARGUMENT, ["The call can't be read."])
                self.invocations.refuse(request, call)
            case (message.Result.MESSAGE_TYPE, request, *_) | (
                message.Error.MESSAGE_TYPE,
                _,
                request,
            ):
                answer_to_us = WampError(RUNTIME_ERROR, ["The answer can't be read."])
                self.requests.refused(request, answer_to_us)
            case _:
                pass

    def _dismissed(self, msg: message.Goodbye | message.Abort) -> None:
        if not self._goodbye.done():
            self._goodbye.set_result(None)
        if isinstance(msg, message.Goodbye):
            self.send(message.Goodbye("wamp.close.goodbye_and_out"))
        self._end(f"the router closed the session ({msg.reason})")
        self._channel.close()
        loop = asyncio.get_running_loop()
        loop.call_later(self._patience.goodbye, self._channel.abort)
