"""Each fault of the proxy is what it says: seen from both ends of a connection through it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from faults.proxy import PASS, Cut, Delay, Drip, HalfOpen, Proxy, Refuse, Reset, proxy_to
from support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Echo:
    """A server that sends back what it gets, and knows what that was."""

    def __init__(self) -> None:
        self.port = 0
        self.got = bytearray()
        self.open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while chunk := await reader.read(65536):
                self.got += chunk
                writer.write(chunk)
        except OSError:
            pass
        finally:
            writer.close()
            self.open -= 1


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    made = Echo()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    async with server:
        made.port = server.sockets[0].getsockname()[1]
        yield made
        await eventually(lambda: made.open == 0)


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[Proxy]:
    async with proxy_to(echo.port) as made:
        yield made
    assert made.connections == 0


class Line:
    """A client's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def says(self, text: bytes) -> bytes:
        """Send; what comes back, as much as was sent."""
        self.writer.write(text)
        return await asyncio.wait_for(self.reader.readexactly(len(text)), 10)


@asynccontextmanager
async def line_through(proxy: Proxy) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


async def test_it_carries_what_is_sent_and_the_end_of_it(proxy: Proxy, echo: Echo) -> None:
    long = bytes(range(256)) * 2000
    async with line_through(proxy) as line:
        assert await line.says(long) == long
        assert proxy.connections == echo.open == 1
        line.writer.write_eof()
        assert await line.reader.read() == b""
    await eventually(lambda: proxy.connections == 0)
    assert proxy.accepted == 1


async def test_refused(proxy: Proxy, echo: Echo) -> None:
    async with line_through(proxy) as line:
        assert await line.says(b"a") == b"a"
        await proxy.become(Refuse())
        with pytest.raises(ConnectionResetError):
            await line.reader.read()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", proxy.port)
    await eventually(lambda: echo.open == 0)
    await proxy.become(PASS)
    async with line_through(proxy) as line:
        assert await line.says(b"b") == b"b"


async def test_reset_after_so_many_bytes(proxy: Proxy, echo: Echo) -> None:
    await proxy.become(Reset(after=5))
    async with line_through(proxy) as line:
        line.writer.write(b"abcdefgh")
        with pytest.raises(ConnectionResetError):
            await line.reader.read()
    await eventually(lambda: proxy.connections == 0)
    assert bytes(echo.got) in (b"", b"abcde")  # a reset may overtake what was sent


async def test_delayed(proxy: Proxy) -> None:
    async with line_through(proxy) as line:
        await proxy.become(Delay(0.1))
        began = asyncio.get_running_loop().time()
        assert await line.says(b"a") == b"a"
        assert asyncio.get_running_loop().time() - began >= 0.2  # there and back
        await proxy.become(PASS)
        assert await line.says(b"b") == b"b"


async def test_dripping(proxy: Proxy) -> None:
    await proxy.become(Drip(size=2, pause=0.01))
    async with line_through(proxy) as line:
        line.writer.write(b"abcd")
        assert await line.reader.read(100) == b"ab"
        assert await line.reader.read(100) == b"cd"
        # What is half sent when it ends comes at once.
        await proxy.become(Drip(size=1, pause=0.01))
        line.writer.write(b"e" * 10_000)
        assert await line.reader.read(1) == b"e"
        await proxy.become(PASS)
        assert await line.reader.readexactly(9_999) == b"e" * 9_999


async def test_half_open(proxy: Proxy, echo: Echo) -> None:
    async with line_through(proxy) as line:
        assert await line.says(b"a") == b"a"
        await proxy.become(HalfOpen())
        line.writer.write(b"b")
        async with line_through(proxy) as other:
            other.writer.write(b"c")
            await proxy.become(PASS)
            async with line_through(proxy) as third:
                assert await third.says(b"d") == b"d"
            # Both stay as they were, and neither hears that there is nobody.
            assert not line.reader.at_eof()
            assert not other.reader.at_eof()
            assert bytes(echo.got) == b"ad"
            await eventually(lambda: proxy.connections == 2)
    await eventually(lambda: proxy.connections == 0)


async def test_cut(proxy: Proxy) -> None:
    async with line_through(proxy) as line:
        assert await line.says(b"a") == b"a"
        await proxy.become(Cut(after=0.1))
        assert await line.reader.read() == b""
    async with line_through(proxy) as line:
        assert await line.says(b"b") == b"b"
        assert await line.reader.read() == b""
    await proxy.become(PASS)
    async with line_through(proxy) as line:
        assert await line.says(b"c") == b"c"


async def test_nobody_behind_it(proxy: Proxy) -> None:
    async with proxy_to(9) as nowhere:  # the port of `discard`, which nobody serves
        reader, writer = await asyncio.open_connection("127.0.0.1", nowhere.port)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
    assert proxy.accepted == 0
