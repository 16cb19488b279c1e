"""Each part is started in any order, and killed while the others stay."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from support.peers import joined
from support.served import ServedBridge
from support.servers import CallbackServer, Posted, callback_server
from support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    import httpx

    from support.router import CrossbarRouter

MANY = 500


@pytest.fixture
def bridge(tmp_path: Path, own_router: CrossbarRouter) -> Iterator[ServedBridge]:
    with ServedBridge(tmp_path, own_router.url) as served:
        served.wait_until_ready()
        yield served


@pytest.fixture
async def app() -> AsyncIterator[CallbackServer]:
    def answering(posted: Posted) -> web.Response:
        return web.json_response(posted.document.get("args"))

    async with callback_server(answering) as server:
        yield server


async def take_many(http: httpx.AsyncClient, app: CallbackServer) -> None:
    """Register and subscribe: a thousand endpoints together."""
    procedures = {f"com.many.p{number}": app.url for number in range(MANY)}
    topics = {f"com.many.t{number}": app.url for number in range(MANY)}
    answered = await http.post("/register/", json={"endpoints": procedures})
    assert {e["state"] for e in answered.json()["registrations"]} == {"live"}
    answered = await http.post("/subscribe/", json={"endpoints": topics})
    assert {e["state"] for e in answered.json()["subscriptions"]} == {"live"}


async def check_all_is_held(router: CrossbarRouter, app: CallbackServer) -> None:
    """See at the router itself that a thousand endpoints are back, and that they serve."""
    async with joined(router.url) as peer:

        async def held() -> bool:
            found = []
            for kind, meta in (("p", "registration"), ("t", "subscription")):
                name = f"com.many.{kind}{MANY - 1}"
                found.append(await peer.call(f"wamp.{meta}.lookup", name))
            listed = await peer.call("wamp.registration.list")
            subscribed = await peer.call("wamp.subscription.list")
            enough = len(listed["exact"]) >= MANY and len(subscribed["exact"]) >= MANY
            return None not in found and enough

        await eventually(held, within=5)
        assert await peer.call("com.many.p0", "ping") == ["ping"]
        app.posted.clear()
        await peer.publish("com.many.t0", "news")
        await eventually(lambda: app.of_type("event"))


async def test_the_router_is_killed_and_started_again(
    bridge: ServedBridge, own_router: CrossbarRouter, app: CallbackServer
) -> None:
    async with bridge.client() as http:
        await take_many(http, app)
        own_router.kill()

        async def refused() -> Any:
            answered = await http.post("/call/com.many.p0/", json={})
            return answered if answered.status_code == 503 else None

        answered = await eventually(refused)
        assert answered.headers["retry-after"]
        assert (await http.post("/publish/com.x/", json={})).status_code == 503
        assert (await http.get("/health/ready")).status_code == 503
        assert (await http.get("/health/live")).status_code == 200
        listed = (await http.get("/registrations/")).json()["registrations"]
        assert {entry["state"] for entry in listed} == {"pending"}
        await asyncio.to_thread(own_router.start)
        await check_all_is_held(own_router, app)
        assert (await http.post("/call/com.many.p0/", json={})).status_code == 200


async def test_the_bridge_is_killed_and_started_again(
    bridge: ServedBridge, own_router: CrossbarRouter, app: CallbackServer
) -> None:
    async with bridge.client() as http:
        await take_many(http, app)
    bridge.kill()
    await asyncio.to_thread(bridge.start)
    await check_all_is_held(own_router, app)


async def test_both_are_killed_and_started_again(
    bridge: ServedBridge, own_router: CrossbarRouter, app: CallbackServer
) -> None:
    async with bridge.client() as http:
        await take_many(http, app)
    own_router.kill()
    bridge.kill()
    await asyncio.to_thread(bridge.start)
    async with bridge.client() as http:
        assert (await http.post("/call/com.many.p0/", json={})).status_code == 503
    await asyncio.to_thread(own_router.start)
    await check_all_is_held(own_router, app)


async def test_the_bridge_takes_registrations_before_its_router_is_there(
    tmp_path: Path, own_router: CrossbarRouter, app: CallbackServer
) -> None:
    own_router.kill()
    with ServedBridge(tmp_path, own_router.url) as served:
        async with served.client() as http:
            answered = await http.post("/register/", json={"endpoints": {"com.early": app.url}})
            (entry,) = answered.json()["registrations"]
            assert entry["state"] == "pending"
            assert entry["reason"]
            await asyncio.to_thread(own_router.start)

            async def live() -> bool:
                found = await http.get(f"/registrations/{entry['id']}/")
                return bool(found.json()["state"] == "live")

            await eventually(live)
            assert (await http.post("/call/com.early/", json={"params": [1]})).is_success


async def test_a_silent_router_is_noticed_and_calls_are_answered(
    bridge: ServedBridge, own_router: CrossbarRouter, app: CallbackServer
) -> None:
    async with bridge.client(timeout=60) as http:
        await http.post("/register/", json={"endpoints": {"com.silent": app.url}})
        assert (await http.post("/call/com.silent/", json={})).is_success
        own_router.suspend()
        try:
            started = time.monotonic()
            answered = await http.post("/call/com.silent/", json={"timeout": 30})
            assert answered.status_code == 503
            assert answered.headers["retry-after"]
            assert time.monotonic() - started < 15
            ready = await http.get("/health/ready")
            assert ready.status_code == 503
        finally:
            own_router.resume()

        async def back() -> bool:
            return (await http.post("/call/com.silent/", json={})).is_success

        await eventually(back)


async def test_what_was_taken_back_stays_away_over_restarts(
    bridge: ServedBridge, app: CallbackServer
) -> None:
    async with bridge.client() as http:
        for name in ("com.stays", "com.goes"):
            await http.post("/register/", json={"endpoints": {name: app.url}})
        await http.post("/unregister/", json={"endpoints": ["com.goes"]})
        before = await held(http)
    assert await asyncio.to_thread(bridge.stop) == 0
    await asyncio.to_thread(bridge.start)
    bridge.wait_until_ready()
    async with bridge.client() as http:

        async def as_before() -> bool:
            return await held(http) == before

        await eventually(as_before)


async def held(http: httpx.AsyncClient) -> list[Any]:
    """The registrations, without the moments since when they are as they are."""
    listed = (await http.get("/registrations/")).json()["registrations"]
    return [{name: value for name, value in e.items() if name != "since"} for e in listed]
