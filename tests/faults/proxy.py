"""A proxy on loopback between two parts that does to their connections what networks do."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_CHUNK = 65536
_RESET = struct.pack("ii", 1, 0)
_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Pass:
    """Nothing is wrong."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nobody listens: connections there are reset, new ones refused."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Each connection is reset when it has carried so many bytes, both ways together."""

    after: int


@dataclass(frozen=True, slots=True)
class Delay:
    """All that is sent arrives so many seconds later."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Drip:
    """So many bytes arrive at once, and the next so many seconds later."""

    size: int
    pause: float


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """The other end has vanished without a word: all is taken, nothing arrives, ever again."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Each connection is closed so many seconds after it was made; those there, at once."""

    after: float


Fault = Pass | Refuse | Reset | Delay | Drip | HalfOpen | Cut

PASS = Pass()


class Proxy:
    """Carries connections to a port of loopback. Made by `proxy_to`.

    Args:
        target: The port where they go.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.accepted = 0
        self._target = target
        self._fault: Fault = PASS
        self._links: dict[_Link, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None

    @property
    def fault(self) -> Fault:
        """What it does to connections now."""
        return self._fault

    @property
    def connections(self) -> int:
        """How many it carries, or holds open with nothing behind them."""
        return len(self._links)

    async def become(self, fault: Fault) -> None:
        """Do this to connections from now on.

        Those that are half-open stay so; what else happened to a connection ends with its fault.
        """
        self._fault = fault
        for link in self._links:
            link.suffer(fault, since=0)
        if isinstance(fault, Refuse):
            self._listen_no_more()
        elif self._server is None:
            await self.listen()

    async def listen(self) -> None:
        """Take connections, always at the same port."""
        self._server = await asyncio.start_server(self._accept, _HOST, self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End all connections, and take no more."""
        self._listen_no_more()
        for link, task in self._links.items():
            link.reset()
            task.cancel()
        if self._links:
            await asyncio.wait(list(self._links.values()))

    def _listen_no_more(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        link = _Link(reader, writer)
        link.suffer(self._fault)
        task = self._links[link] = asyncio.create_task(link.run(self._target))
        task.add_done_callback(lambda _: self._links.pop(link))


class _Link:
    """One connection, and the one to the target that it is carried over."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._client = reader, writer
        self._target: asyncio.StreamWriter | None = None
        self._fault: Fault = PASS
        self._carried = 0
        self._vanished = False
        self._timer: asyncio.TimerHandle | None = None

    def suffer(self, fault: Fault, *, since: float | None = None) -> None:
        """Have a fault from now on; one that was made before the fault knows it `since` 0 s."""
        self._fault, self._carried = fault, 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if isinstance(fault, Refuse):
            self.reset()
        elif isinstance(fault, HalfOpen):
            self._vanished = True
        elif isinstance(fault, Cut):
            seconds = fault.after if since is None else since
            self._timer = asyncio.get_running_loop().call_later(seconds, self._close)

    async def run(self, target: int) -> None:
        """Carry until both sides have closed, or the connection is reset."""
        try:
            reader, self._target = await asyncio.open_connection(_HOST, target)
            if self._client.is_closing():  # lost while it was being made
                return
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(self._reader, self._target))
                both.create_task(self._carry(reader, self._client))
        except OSError:  # nobody is there
            self.reset()
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._close()
            for writer in self._writers:
                with suppress(OSError):
                    await writer.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(_CHUNK):
                await self._pass_on(chunk, writer)
        except OSError:
            if not self._vanished:
                self.reset()
        if self._vanished:
            if writer is self._target:
                self._close()  # the client has done with it; it alone may know
        elif not writer.is_closing():
            with suppress(OSError):  # reset in this moment
                writer.write_eof()

    async def _pass_on(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        if isinstance(self._fault, Delay):
            await asyncio.sleep(self._fault.seconds)
        while isinstance(self._fault, Drip) and chunk and not writer.is_closing():
            piece, chunk = chunk[: self._fault.size], chunk[self._fault.size :]
            self._write(piece, writer)
            await asyncio.sleep(self._fault.pause)
        if isinstance(self._fault, Reset):
            left = self._fault.after - self._carried
            self._carried += len(chunk)
            if left < len(chunk):
                self._write(chunk[: max(left, 0)], writer)
                self.reset()
                return
        self._write(chunk, writer)
        await writer.drain()

    def _write(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        if chunk and not self._vanished and not writer.is_closing():
            writer.write(chunk)

    @property
    def _writers(self) -> list[asyncio.StreamWriter]:
        return [writer for writer in (self._client, self._target) if writer is not None]

    def _close(self) -> None:
        for writer in self._writers:
            writer.close()

    def reset(self) -> None:
        """End it as a machine does that knows nothing of it."""
        for writer in self._writers:
            known: socket.socket | None = writer.get_extra_info("socket")
            if known is not None and not writer.is_closing():
                known.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()


@asynccontextmanager
async def proxy_to(target: int) -> AsyncIterator[Proxy]:
    """Run a proxy to a port of loopback, on a port of its own; at first nothing is wrong."""
    proxy = Proxy(target)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.close()
