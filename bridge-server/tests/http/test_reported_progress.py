"""The progress of asynchronous calls, posted to their callback URLs."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp import web

from support.clients import Client, plain_http
from support.peers import CallResult, joined
from support.servers import callback_server
from support.waiting import eventually
from wamp_bridge_server.bridge import Bridge
from wamp_bridge_server.config import StoreConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from support.router import CrossbarRouter
    from support.servers import CallbackServer, Posted
    from wamp_bridge_server.config import Config


@pytest.fixture
def router_url(router: CrossbarRouter) -> str:
    return router.url


@pytest.fixture
def gate() -> asyncio.Event:
    """What the procedure waits for when it has made its last step; open."""
    made = asyncio.Event()
    made.set()
    return made


@pytest.fixture
async def procedure(
    router: CrossbarRouter, namespace: str, gate: asyncio.Event
) -> AsyncIterator[str]:
    async def count(wanted: int) -> AsyncIterator[Any]:
        for number in range(wanted):
            yield number
        await gate.wait()
        yield CallResult("done")

    async with joined(router.url) as peer:
        await peer.register(f"{namespace}.count", count)
        yield f"{namespace}.count"


async def begin(
    shop: Client, procedure: str, wanted: int, callback: str, *, progress: bool = True
) -> str:
    body = {"args": [wanted], "callback": callback, "options": {"receive_progress": progress}}
    identifier: str = (await shop.post(f"/call/{procedure}/", body, status=202))["id"]
    return identifier


async def test_steps_are_posted_in_order_and_before_the_outcome(
    shop: Client, app: CallbackServer, procedure: str
) -> None:
    app.answering = lambda _: web.Response()
    call = await begin(shop, procedure, 50, f"{app.url}done/")
    await eventually(lambda: app.of_type("result"))
    *steps, outcome = [posted.document for posted in app.posted]
    assert outcome["type"] == "result"
    assert outcome["result"] == "done"
    assert [step["sequence"] for step in steps] == list(range(50))
    assert steps[7] == {
        "type": "progress",
        "call": call,
        "procedure": procedure,
        "callback": f"{app.url}done/",
        "sequence": 7,
        "args": [7],
        "kwargs": {},
    }
    assert len({posted.headers["webhook-id"] for posted in app.posted}) == 51


async def test_who_asks_for_no_progress_gets_none(
    shop: Client, app: CallbackServer, procedure: str
) -> None:
    await begin(shop, procedure, 3, app.url, progress=False)
    await eventually(lambda: app.of_type("result"))
    assert app.of_type("progress") == []


async def test_steps_that_are_refused_do_not_keep_the_outcome_back(
    shop: Client, app: CallbackServer, procedure: str
) -> None:
    async def answering(posted: Posted) -> web.Response:
        return web.Response(status=500 if posted.document["type"] == "progress" else 204)

    app.answering = answering
    await begin(shop, procedure, 2000, app.url)
    await eventually(lambda: app.of_type("result"))
    assert 1 <= len(app.of_type("progress")) < 2000


async def test_steps_that_are_not_answered_do_not_keep_the_outcome_back_for_long(
    shop: Client, procedure: str, gate: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wamp_bridge_server.services.asynchronous.POST_SECONDS", 0.2)
    gate.clear()

    async def answering(posted: Posted) -> web.Response:
        if posted.document["type"] == "progress":
            await asyncio.Event().wait()
        return web.Response()

    async with callback_server(answering) as server:
        call = await begin(shop, procedure, 3, server.url)
        await eventually(lambda: server.of_type("progress"))
        gate.set()
        await eventually(lambda: server.of_type("result"))
        assert len(server.of_type("progress")) == 1
        assert (await shop.get(f"/calls/{call}/"))["status"] == "succeeded"


async def test_a_bridge_that_goes_down_keeps_the_outcome_and_drops_the_steps_before_it(
    config: Config, procedure: str, tmp_path: Path
) -> None:
    async def answering(posted: Posted) -> web.Response:
        if posted.document["type"] == "progress":
            await asyncio.Event().wait()
        return web.Response()

    store = StoreConfig(url=f"sqlite:///{tmp_path}/store.db")
    config = msgspec.structs.replace(config, grace=0.1, store=store)
    async with callback_server(answering) as server:
        async with asyncio.timeout(12), started(config) as shop:
            call = await begin(shop, procedure, 2, server.url)
            await eventually(lambda: server.of_type("progress"))
            await shop.post(f"/call/{procedure}/", {"args": [0]})  # ends after the other one
        async with started(config) as shop:
            assert (await shop.get(f"/calls/{call}/"))["status"] == "succeeded"


@asynccontextmanager
async def started(config: Config) -> AsyncIterator[Client]:
    bridge = Bridge(config)
    await bridge.start()
    try:
        headers = {"Authorization": "Bearer token-of-shop"}
        async with plain_http(bridge.url, headers=headers) as http:
            yield Client(http)
    finally:
        await bridge.stop()


async def test_progress_needs_somebody_to_take_it(shop: Client, procedure: str) -> None:
    body = {"args": [1], "options": {"receive_progress": True}}
    headers = {"Prefer": "respond-async"}
    response = await shop.http.post(f"/call/{procedure}/", json=body, headers=headers)
    assert response.status_code == 422
