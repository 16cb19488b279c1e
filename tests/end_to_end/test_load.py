"""Ten thousand calls in each direction, twice: none fails, and the bridge does not grow."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web

from support.peers import joined
from support.served import ServedBridge
from support.servers import CallbackServer, Posted, callback_server
from support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from support.router import CrossbarRouter

CALLS = 10_000
AT_ONCE = 50
GROWTH = 1.05


@pytest.fixture
def bridge(tmp_path: Path, router: CrossbarRouter) -> Iterator[ServedBridge]:
    with ServedBridge(tmp_path, router.url) as served:
        served.wait_until_ready()
        yield served


@pytest.fixture
async def app() -> AsyncIterator[CallbackServer]:
    def answering(posted: Posted) -> web.Response:
        return web.json_response(posted.document.get("args"))

    async with callback_server(answering) as server:
        yield server


async def ten_thousand(call: Callable[[int], Awaitable[object]]) -> None:
    """Make the calls, so many at once; each must answer with its own number."""
    numbers = iter(range(CALLS))

    async def worker() -> None:
        for number in numbers:
            assert await call(number) == [number]

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))


def resident_kilobytes(pid: int) -> int:
    """The memory that a process has in use."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1])


async def check_no_growth(bridge: ServedBridge, call: Callable[[int], Awaitable[object]]) -> None:
    """Make ten thousand calls, and as many again with no more memory after than before."""
    await ten_thousand(call)
    first = resident_kilobytes(bridge.pid)
    await ten_thousand(call)
    assert resident_kilobytes(bridge.pid) <= first * GROWTH


async def test_calls_from_http_to_wamp(
    bridge: ServedBridge, router: CrossbarRouter, namespace: str
) -> None:
    headers = {"Authorization": "Bearer token-of-shop"}
    async with joined(router.url) as peer, aiohttp.ClientSession(headers=headers) as http:
        await peer.register(f"{namespace}.echo", lambda number: [number])
        url = f"{bridge.url}call/{namespace}.echo/"

        async def call(number: int) -> object:
            async with http.post(url, json={"params": [number]}) as response:
                return (await response.json())["result"]

        await check_no_growth(bridge, call)


async def test_calls_from_wamp_to_http(
    bridge: ServedBridge, router: CrossbarRouter, app: CallbackServer, namespace: str
) -> None:
    async with bridge.client() as http, joined(router.url) as peer:
        await http.post("/register/", json={"endpoints": {f"{namespace}.echo": app.url}})

        async def call(number: int) -> object:
            answered: object = await peer.call(f"{namespace}.echo", number)
            app.posted.clear()
            return answered

        await check_no_growth(bridge, call)


async def test_events_both_ways(
    bridge: ServedBridge, router: CrossbarRouter, app: CallbackServer, namespace: str
) -> None:
    """Every event arrives, once, whichever way it goes."""
    many = 2_000
    headers = {"Authorization": "Bearer token-of-shop"}
    async with joined(router.url) as peer, aiohttp.ClientSession(headers=headers) as http:
        body = {"endpoints": {f"{namespace}.in": app.url}}
        async with http.post(f"{bridge.url}subscribe/", json=body) as response:
            assert response.status == 200
        for number in range(many):
            await peer.publish(f"{namespace}.in", number)
        await eventually(lambda: len(app.posted) >= many, within=60)
        assert sorted(posted.document["args"][0] for posted in app.posted) == list(range(many))

        events = await peer.subscribe(f"{namespace}.out")
        numbers = itertools.count()

        async def publish() -> None:
            while (number := next(numbers)) < many:
                path = f"{bridge.url}publish/{namespace}.out/"
                async with http.post(path, json={"params": [number]}) as response:
                    assert response.status == 200

        await asyncio.gather(*(publish() for _ in range(AT_ONCE)))
        await eventually(lambda: events.qsize() >= many, within=60)
        got = [events.get_nowait().args[0] for _ in range(events.qsize())]
        assert sorted(got) == list(range(many))
