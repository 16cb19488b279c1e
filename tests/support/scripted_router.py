"""A WAMP router that does what a test tells it, to see what ours does with bad ones."""

from __future__ import annotations

import asyncio
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import cbor2

from wamp_bridge_server.backends.wamp import Patience

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

HELLO, WELCOME, ABORT, CHALLENGE, GOODBYE, ERROR = 1, 2, 3, 4, 6, 8
PUBLISH, SUBSCRIBE, SUBSCRIBED, EVENT = 16, 32, 33, 36
CALL, CANCEL, RESULT, REGISTER, REGISTERED = 48, 49, 50, 64, 65
UNREGISTER, UNREGISTERED, INVOCATION, INTERRUPT, YIELD = 66, 67, 68, 69, 70

ROLES: Final = {
    "broker": {"features": {"pattern_based_subscription": True}},
    "dealer": {"features": {"call_canceling": True, "pattern_based_registration": True}},
}
HURRIED: Final = Patience(connect=2, retry=0.02, retry_most=0.1, retry_refused=0.1, goodbye=0.2)
_HANDSHAKE: Final = b"\x7f\xf3\x00\x00"


class ScriptedRouter:
    """Speaks RawSocket and CBOR, and welcomes sessions.

    What arrives is kept in `received`, and answered where `answer` gives an answer.
    """

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.received: list[list[Any]] = []
        self.roles: Mapping[str, Any] = ROLES
        self.extra: dict[str, Any] = {}
        self.greeting: list[Any] | None = None
        self.handshake = _HANDSHAKE
        self.answer: Callable[[list[Any]], list[Any] | None] = lambda _: None
        self._writer: asyncio.StreamWriter | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._frames: list[tuple[int, bytes]] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"rs://127.0.0.1:{self.port}"

    @property
    def pongs(self) -> list[bytes]:
        """What the client answered to pings."""
        return [data for kind, data in self._frames if kind == 2]

    def of_kind(self, kind: int) -> list[list[Any]]:
        """The messages of one kind that arrived."""
        return [message for message in self.received if message[0] == kind]

    def send(self, message: Any) -> None:
        """Send a message, or bytes as they are, on the latest connection."""
        payload = message if isinstance(message, bytes) else cbor2.dumps(message)
        self.send_frame(0, payload)

    def send_frame(self, kind: int, payload: bytes) -> None:
        """Send a RawSocket frame on the latest connection: 0 is a message, 1 a ping."""
        assert self._writer is not None
        self._writer.write(_frame(kind, payload))

    def drop(self) -> None:
        """Close each connection."""
        for writer in self._writers:
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection."""
        self.connections += 1
        self._writer = writer
        self._writers.add(writer)
        try:
            await reader.readexactly(4)
            writer.write(self.handshake)
            while True:
                head = struct.unpack("!L", await reader.readexactly(4))[0]
                payload = await reader.readexactly(head & 0xFFFFFF)
                self._frames.append((head >> 24, payload))
                if head >> 24 == 0:
                    self._take(cbor2.loads(payload), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _take(self, message: list[Any], writer: asyncio.StreamWriter) -> None:
        self.received.append(message)
        answer = self.answer(message)
        if message[0] == HELLO and answer is None:
            details = {"roles": self.roles, "authextra": self.extra}
            answer = self.greeting or [2, 1000 + self.connections, details]
        if message[0] == GOODBYE and answer is None:
            answer = [GOODBYE, {}, "wamp.close.goodbye_and_out"]
        if answer is not None:
            writer.write(_frame(0, cbor2.dumps(answer)))


def _frame(kind: int, payload: bytes) -> bytes:
    return struct.pack("!L", len(payload) | kind << 24) + payload


def obliging(message: list[Any]) -> list[Any] | None:
    """The answers of a router that says yes."""
    numbers = {SUBSCRIBE: SUBSCRIBED, REGISTER: REGISTERED}
    if message[0] in numbers:
        return [numbers[message[0]], message[1], 77]
    if message[0] == UNREGISTER:
        return [UNREGISTERED, message[1]]
    return None


@asynccontextmanager
async def scripted_router() -> AsyncIterator[ScriptedRouter]:
    """Start one, at a port of its own."""
    router = ScriptedRouter()
    server = await asyncio.start_server(router.serve, "127.0.0.1", 0)
    router.port = server.sockets[0].getsockname()[1]
    try:
        yield router
    finally:
        server.close()
        router.drop()
        # Let the handlers of connections that were closed come to their end.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
