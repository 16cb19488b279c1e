"""A connection made, to see whether somebody is there; as guarded as callbacks are."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING

import pytest

from support.processes import free_port
from wamp_bridge_server.callbacks.destinations import Destinations, Own
from wamp_bridge_server.callbacks.lookups import Lookups
from wamp_bridge_server.callbacks.probes import CannotTell, Nobody, place_of, probe
from wamp_bridge_server.config import callback_rule

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LOOPBACK = Destinations([callback_rule("127.0.0.1:*"), callback_rule("[::1]:*")], Own())
LOOKUPS = Lookups()
SECONDS = 10.0


@pytest.fixture
async def listener() -> AsyncIterator[tuple[int, asyncio.Queue[None]]]:
    """A port, and a queue with a thing for each connection that was made there."""
    came: asyncio.Queue[None] = asyncio.Queue()

    async def take(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.put_nowait(None)
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], came
    server.close()
    await server.wait_closed()


async def test_somebody_is_there(listener: tuple[int, asyncio.Queue[None]]) -> None:
    port, came = listener
    await probe(LOOPBACK, LOOKUPS, "127.0.0.1", port, SECONDS)
    await came.get()
    # Where ::1 may come first, and refuses.
    await probe(LOOPBACK, LOOKUPS, "localhost", port, SECONDS)
    await came.get()


async def test_nobody_is_there() -> None:
    with pytest.raises(Nobody, match="connection refused"):
        await probe(LOOPBACK, LOOKUPS, "127.0.0.1", free_port(), SECONDS)


@pytest.mark.parametrize("host", ["nowhere.invalid", "x" * 64 + ".invalid"])
async def test_a_name_that_nobody_has(host: str) -> None:
    with pytest.raises(Nobody, match="not resolved"):
        await probe(LOOPBACK, LOOKUPS, host, 80, SECONDS)


async def test_where_callbacks_may_not_go_no_connection_is_made(
    listener: tuple[int, asyncio.Queue[None]],
) -> None:
    port, came = listener
    with pytest.raises(Nobody, match="not reachable"):
        await probe(Destinations(None, Own()), LOOKUPS, "127.0.0.1", port, SECONDS)
    await probe(LOOPBACK, LOOKUPS, "127.0.0.1", port, SECONDS)
    await came.get()
    assert came.empty()


async def test_who_answers_nothing_is_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port: int = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(8)]  # more than the system queues for it
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        with pytest.raises(Nobody, match="in time"):
            await probe(LOOPBACK, LOOKUPS, "127.0.0.1", port, 0.05)
        for each in waiting:
            each.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EADDRNOTAVAIL])
async def test_a_lack_of_our_own_is_nobodys_fault(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def lacking(*_info: object) -> socket.socket:
        raise OSError(number, "lacking")

    monkeypatch.setattr(Destinations, "socket", lacking)
    with pytest.raises(CannotTell):
        await probe(LOOPBACK, LOOKUPS, "127.0.0.1", 80, SECONDS)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://Example.com/a", ("example.com", 80)),
        ("https://example.com/?q", ("example.com", 443)),
        ("http://[::1]:8000/", ("::1", 8000)),
    ],
)
def test_the_place_of_a_url(url: str, place: tuple[str, int]) -> None:
    assert place_of(url) == place
