"""Accepts connections and agrees with their clients on TLS, with so many at once, each so long.

An event loop's own server counts no connection before its handshake is done, so whoever says
nothing could have as many of them as the process has files.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

HANDSHAKE_SECONDS = 10.0

_AGAIN_SECONDS = 1.0

log = structlog.get_logger("wamp_bridge.http")


class TlsListener:
    """Listens at an address, for TLS.

    Where `most` handshakes are under way, a further connection ends the oldest: an honest client's
    takes a few round trips, one that says nothing lasts until then.

    Args:
        factory: Makes what serves a connection, when its handshake is done.
        context: The certificate and key.
        most: How many handshakes may be under way.
    """

    def __init__(
        self, factory: Callable[[], asyncio.BaseProtocol], context: ssl.SSLContext, most: int
    ) -> None:
        self._factory = factory
        self._context = context
        self._most = most
        self._accepting: list[asyncio.Task[None]] = []
        self._handshakes: dict[asyncio.Task[None], None] = {}  # the oldest first
        self.sockets: list[socket.socket] = []

    async def start(self, host: str, port: int, backlog: int) -> None:
        """Begin to listen. Raises `OSError`."""
        infos = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        try:
            for family, _, _, _, address in dict.fromkeys(infos):
                listening = socket.create_server(address, family=family, backlog=backlog)
                listening.setblocking(False)
                self.sockets.append(listening)
        except OSError:
            for listening in self.sockets:
                listening.close()
            raise
        self._accepting = [asyncio.create_task(self._accept(each)) for each in self.sockets]

    def close(self) -> None:
        """Accept no more, and end the handshakes that are under way."""
        for task in (*self._accepting, *self._handshakes):
            task.cancel()
        self.sockets = []

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listening:
            while True:
                try:
                    client, _ = await loop.sock_accept(listening)
                except ConnectionAbortedError:
                    continue  # gone before it was accepted
                except OSError as error:  # most likely there are no more files
                    log.warning("connections can't be accepted now", reason=error.strerror)
                    await asyncio.sleep(_AGAIN_SECONDS)
                    continue
                if len(self._handshakes) >= self._most:
                    oldest = next(iter(self._handshakes))
                    del self._handshakes[oldest]
                    oldest.cancel()
                task = asyncio.create_task(self._agree(client))
                self._handshakes[task] = None
                task.add_done_callback(self._agreed)

    async def _agree(self, client: socket.socket) -> None:
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().connect_accepted_socket(
                self._factory,
                client,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
            )
        except OSError as error:  # TLS's own errors, cut connections, the end of the time
            log.debug("no TLS", kind=type(error).__name__)

    def _agreed(self, task: asyncio.Task[None]) -> None:
        self._handshakes.pop(task, None)
