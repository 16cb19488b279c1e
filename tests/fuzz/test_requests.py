"""Thousands of requests that nobody would send, to a real bridge at a real router.

Each that is HTTP is answered, none by a 5xx; no session at the router is lost, nothing is logged as
an error, and memory stays what it was. `nox -s fuzz` asks ten times as many.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from support.fuzzing.asking import asked
from support.fuzzing.examples import REQUESTS, batches
from support.fuzzing.exchanging import Exchange
from support.fuzzing.routes import World
from support.peers import joined
from support.served import SECRET, ServedBridge
from support.servers import callback_server

if TYPE_CHECKING:
    from support.fuzzing.tape import Tape
    from support.router import CrossbarRouter
    from support.servers import Posted

CONNECTIONS = 8
TOKENS = {"shop": "token-of-shop", "bank": "token-of-bank"}
CROSSBAR = "shop", "secret-of-crossbar"

WARM_AFTER = REQUESTS // 2
BYTES = 8 * 2**20
BYTES_A_REQUEST = 150
"""What memory may grow by, in all and for each request: the store's connections fill their caches,
garbage waits for its collection, and failures are remembered for a minute."""


def answer(posted: Posted) -> web.Response:
    document = posted.document
    if document["type"] == "manifest":
        procedures = {"com.fuzz.source": {"url": "rpc/"}}
        return web.json_response({"protocol": 1, "procedures": procedures})
    return web.Response(text=json.dumps(document.get("args", [])))


async def ask(exchange: Exchange, world: World, tapes: list[Tape], number: int) -> None:
    """Ask what some tapes make, over several connections."""
    requests = [asked(tape, world) for tape in tapes]
    # From ever other addresses: one who fails too often is answered nothing but that.
    connections = (
        exchange.ask(requests[at::CONNECTIONS], f"127.1.{number % 250}.{at + 1}")
        for at in range(CONNECTIONS)
    )
    await asyncio.gather(*connections)
    if exchange.wrong:
        pytest.fail("\n".join(exchange.wrong), pytrace=False)


def memory(pid: int) -> int:
    """What a process has in memory, in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


async def test_whatever_is_asked_is_answered(tmp_path: Path, router: CrossbarRouter) -> None:
    warm = 0
    async with callback_server(answer) as app, joined(router.url) as peer:
        bridge = ServedBridge(
            tmp_path,
            router.url,
            shop=['crossbar = { key = "shop", secret = "env:CROSSBAR_SECRET" }'],
            callbacks=urlsplit(app.url).netloc,  # so that each that is named does answer
            environ={"CROSSBAR_SECRET": CROSSBAR[1]},
        )
        with bridge:
            await join(bridge, app.url)
            sessions = set(await peer.call("wamp.session.list"))
            world = World(urlsplit(bridge.url).netloc, app.url, TOKENS, SECRET, CROSSBAR)
            exchange = Exchange(*bridge.address)
            for number, tapes in enumerate(batches(REQUESTS * 6 // 5)):  # not all are whole
                await ask(exchange, world, tapes, number)
                if not warm and exchange.whole >= WARM_AFTER:
                    warm = memory(bridge.pid)
            await exchange.finish()
            await ask(exchange, world, [], 0)  # no answer was wrong
            grown = memory(bridge.pid) - warm
            print(f"{exchange.whole} requests, {grown / 2**20:.1f} MiB, {exchange.statuses}")
            assert exchange.whole >= REQUESTS
            assert sessions <= set(await peer.call("wamp.session.list"))
            assert await asyncio.to_thread(bridge.stop) == 0  # the app goes on answering
    bridge.check_log()
    assert grown < BYTES + BYTES_A_REQUEST * (exchange.whole - WARM_AFTER)


async def join(bridge: ServedBridge, url: str) -> None:
    """Have each app join the router."""
    bridge.wait_until_ready()
    for name in TOKENS:
        async with bridge.client(name) as http:
            made = {"endpoints": {f"com.fuzz.{name}": url}}
            assert (await http.post("/register/", json=made)).is_success
