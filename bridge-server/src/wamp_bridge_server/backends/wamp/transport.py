"""Connections to a router: RawSocket and WebSocket, by autobahn's asyncio protocols.

Of those we take the framing and the handshake. What arrives goes to our session as it came,
because autobahn's own way from a frame to a session drops the connection over a message that it
can't read, and writes what it read into the log.
"""

# ruff: noqa: D102, N802, N803, ARG002 - autobahn's hooks have its names and its documentation

from __future__ import annotations

import asyncio
import os
import ssl
import struct
from typing import TYPE_CHECKING, Any, Final, Protocol

from autobahn.asyncio.rawsocket import WampRawSocketClientFactory, WampRawSocketClientProtocol
from autobahn.asyncio.websocket import WampWebSocketClientFactory, WampWebSocketClientProtocol
from autobahn.wamp.serializer import CBORSerializer, JsonSerializer, MsgPackSerializer

if TYPE_CHECKING:
    from wamp_bridge_server.backends.wamp.settings import Address

MAX_MESSAGE: Final = 2**24 - 1
"""Bytes in a message: what RawSocket's header can say (WAMP, "RawSocket Transport"), and Crossbar's
limit for WebSocket."""

_PONG: Final = 2


class Receiver(Protocol):
    """The session at our end of a connection."""

    def received(self, payload: bytes) -> None:
        """Take a message."""

    def lost(self, reason: str) -> None:
        """The connection is gone. Told once, and only after it was open."""


class Channel(Protocol):
    """An open connection to a router."""

    serializer: str
    """`cbor`, `msgpack` or `json`."""
    max_payload: int
    """How long a message the router takes, in bytes."""
    last_received: float
    """When the last byte arrived, in the loop's time."""
    paused: bool
    """Whether nothing is read."""

    @property
    def buffered(self) -> int:
        """Bytes that the network did not take yet."""

    async def drained(self) -> None:
        """Wait until the network has taken most of what was sent, or the connection is gone."""

    def pause(self, *, paused: bool) -> None:
        """Read no further, or go on."""

    def send(self, payload: bytes) -> None:
        """Send a message."""

    def close(self) -> None:
        """Close when all is sent."""

    def abort(self) -> None:
        """Close at once."""


async def open_channel(
    address: Address, receiver: Receiver, tls: ssl.SSLContext | None = None
) -> Channel:
    """Connect and shake hands. Takes as long as it takes; may be cancelled.

    Args:
        address: Where the router listens.
        receiver: The session at our end.
        tls: How to check the router's certificate; by the system's authorities where not given.

    Raises:
        OSError: There is no router, or it is not to be trusted.
    """
    loop = asyncio.get_running_loop()
    secured = None
    if address.secure:
        secured = ssl.create_default_context() if tls is None else tls
    protocol: RawSocketChannel | WebSocketChannel
    if address.framing == "rawsocket":
        protocol = _rawsocket(receiver)
    else:
        protocol = _websocket(address, receiver)
    transport, _ = await loop.create_connection(
        lambda: protocol, address.host, address.port, ssl=secured
    )
    try:
        problem = await protocol.opened
    except BaseException:  # also when cancelled: nobody would close it
        transport.abort()
        raise
    if problem is not None:
        raise ConnectionError(problem)
    return protocol


class _Connection:
    """What both framings have in common; a mixin of autobahn's protocols."""

    def __init__(self, receiver: Receiver) -> None:
        super().__init__()
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[str | None] = loop.create_future()
        self.last_received = loop.time()
        self.paused = False
        self.max_payload = MAX_MESSAGE
        self.transport: Any = None
        self.factory: Any = None
        self._clock = loop.time
        self._receiver = receiver
        self._writable = asyncio.Event()
        self._writable.set()

    @property
    def buffered(self) -> int:
        if self.transport is None:
            return 0
        size: int = self.transport.get_write_buffer_size()
        return size

    def pause(self, *, paused: bool) -> None:
        if paused == self.paused or self.transport is None or self.transport.is_closing():
            return
        self.paused = paused
        if paused:
            self.transport.pause_reading()
        else:
            self.last_received = self._clock()  # nothing could be heard meanwhile
            self.transport.resume_reading()

    async def drained(self) -> None:
        await self._writable.wait()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def _is_open(self) -> None:
        if not self.opened.done():
            self.opened.set_result(None)

    def _is_lost(self, reason: str) -> None:
        self._writable.set()
        if not self.opened.done():
            self.opened.set_result(reason)
        elif not self.opened.cancelled() and self.opened.result() is None:
            self._receiver.lost(reason)


class RawSocketChannel(_Connection, WampRawSocketClientProtocol):
    """WAMP over RawSocket, in CBOR."""

    serializer = "cbor"
    serializer_id = CBORSerializer.RAWSOCKET_SERIALIZER_ID

    def send(self, payload: bytes) -> None:
        """Send a message."""
        if self.transport is not None:
            self.transport.write(struct.pack("!L", len(payload)) + payload)

    def close(self) -> None:
        """Close when all is sent."""
        if self.transport is not None:
            self.transport.close()

    # What follows are hooks of autobahn's, under its names.

    def data_received(self, data: bytes) -> None:
        self.last_received = self._clock()
        super().data_received(data)  # type: ignore[no-untyped-call]  # autobahn's

    def stringReceived(self, payload: bytes) -> None:
        self._receiver.received(payload)

    def ping(self, data: bytes) -> None:
        self.transport.write(struct.pack("!L", len(data) | _PONG << 24) + data)

    def pong(self, data: bytes) -> None:
        """Ignore an answer to what was never asked."""

    def protocol_error(self, msg: str) -> None:
        self._problem = msg
        self.transport.abort()

    def _on_handshake_complete(self) -> None:
        self.max_payload = min(self.max_length_send, MAX_MESSAGE)
        self._is_open()

    def _on_connection_lost(self, exc: Exception | None) -> None:
        self._is_lost(self._problem or _why(exc))

    _problem: str | None = None


class WebSocketChannel(_Connection, WampWebSocketClientProtocol):  # type: ignore[misc]  # its own
    """WAMP over WebSocket, in CBOR or else what the router has."""

    serializer = ""

    def send(self, payload: bytes) -> None:
        """Send a message."""
        if self.transport is not None:
            binary = self.serializer != "json"
            self.sendMessage(payload, binary)  # type: ignore[no-untyped-call]  # autobahn's

    def close(self) -> None:
        """Close when all is sent."""
        if self.transport is not None:
            self.sendClose(self.CLOSE_STATUS_CODE_NORMAL)

    # What follows are hooks of autobahn's, under its names.

    def data_received(self, data: bytes) -> None:
        self.last_received = self._clock()
        super().data_received(data)  # type: ignore[no-untyped-call]  # autobahn's

    def onOpen(self) -> None:
        self.serializer = self._serializer.SERIALIZER_ID
        self._is_open()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self._receiver.received(payload)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self._is_lost(reason or "the router closed the connection")


def _rawsocket(receiver: Receiver) -> RawSocketChannel:
    protocol = RawSocketChannel(receiver)
    protocol.factory = WampRawSocketClientFactory(lambda: None, serializer=CBORSerializer())
    return protocol


def _websocket(address: Address, receiver: Receiver) -> WebSocketChannel:
    factory = WampWebSocketClientFactory(
        lambda: None,
        url=address.url,
        serializers=[CBORSerializer(), MsgPackSerializer(), JsonSerializer()],
    )
    # The session has timers of its own for all that these would watch.
    factory.setProtocolOptions(
        openHandshakeTimeout=0,
        closeHandshakeTimeout=0,
        serverConnectionDropTimeout=0,
        failByDrop=True,
        maxMessagePayloadSize=MAX_MESSAGE + 1,
    )
    protocol = WebSocketChannel(receiver)
    protocol.factory = factory
    return protocol


def _why(error: Exception | None) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)  # as others say it of a connection that can't be made
    return str(error) if error is not None and str(error) else "the router closed the connection"
