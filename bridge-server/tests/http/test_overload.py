"""More than the bridge or an app takes at once: refused with a word, and nothing piles up."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from support.waiting import eventually
from wamp_bridge_server.bridge import Bridge
from wamp_bridge_server.limits import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from support.clients import Client
    from support.servers import CallbackServer, Posted
    from wamp_bridge_server.config import Config

LIMITS = Limits(connections=8, requests=4, body_bytes=4_000, invocations=3)


@pytest.fixture
def router_url() -> str:
    return "memory:"


@pytest.fixture
async def bridge(config: Config) -> AsyncIterator[Bridge]:
    made = Bridge(config, limits=LIMITS)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def held(app: CallbackServer) -> asyncio.Event:
    """The app answers no call before this is set."""
    answered = asyncio.Event()

    async def answering(_posted: Posted) -> web.Response:
        await answered.wait()
        return web.json_response("done")

    app.answering = answering
    return answered


def calling(client: Client, procedure: str = "com.a") -> asyncio.Task[httpx.Response]:
    return asyncio.create_task(client.http.post(f"/call/{procedure}/", json={}))


def is_overloaded(response: httpx.Response) -> bool:
    return response.status_code == 503 and response.headers["retry-after"] == "1"


async def test_an_app_has_half_of_the_places(
    shop: Client, bank: Client, app: CallbackServer, held: asyncio.Event
) -> None:
    await shop.post("/register/", {"endpoints": {"com.a": app.url}})
    calls = [calling(shop), calling(shop)]
    await eventually(lambda: len(app.posted) == 2)
    refused = await shop.http.post("/call/com.a/", json={})
    assert is_overloaded(refused)
    assert "as many requests" in refused.json()["detail"]
    assert is_overloaded(await shop.http.get("/registrations/"))
    crossbars = {"procedure": "com.a", "args": []}
    assert is_overloaded(await shop.http.post("/call", json=crossbars))
    assert (await bank.http.get("/registrations/")).is_success
    assert (await bank.http.get("/health/ready")).is_success
    held.set()
    assert {(await call).status_code for call in calls} == {200}
    assert (await shop.http.get("/registrations/")).is_success


async def test_the_bridge_serves_so_many_invocations(
    shop: Client, bank: Client, app: CallbackServer, held: asyncio.Event
) -> None:
    await shop.post("/register/", {"endpoints": {"com.a": app.url}})
    begun = [await begin(shop, "com.a") for _ in range(3)]
    await eventually(lambda: len(app.posted) == 3)
    refused = await bank.post("/call/com.a/", status=503)
    assert refused["error"] == "wamp.error.unavailable"
    held.set()
    await eventually(lambda: have_succeeded(shop, begun))
    assert (await bank.post("/call/com.a/"))["result"] == "done"


async def begin(client: Client, procedure: str) -> str:
    headers = {"Prefer": "respond-async"}
    response = await client.http.post(f"/call/{procedure}/", json={}, headers=headers)
    assert response.status_code == 202
    return response.headers["location"]


async def have_succeeded(client: Client, paths: list[str]) -> bool:
    return {(await client.get(path))["status"] for path in paths} == {"succeeded"}


async def test_an_endpoint_serves_as_many_as_it_says(
    shop: Client, bank: Client, app: CallbackServer, held: asyncio.Event
) -> None:
    endpoints = {"com.a": {"url": app.url, "concurrency": 1}}
    await shop.post("/register/", {"endpoints": endpoints})
    call = calling(shop)
    await eventually(lambda: app.posted)
    refused = await bank.post("/call/com.a/", status=503)
    assert refused["error"] == "wamp.error.unavailable"
    held.set()
    assert (await call).is_success
    assert (await bank.post("/call/com.a/"))["result"] == "done"


@pytest.mark.parametrize(
    ("octets", "where", "taken"),
    [(3_500, "header", True), (4_500, "header", False), (3_500, "body", False)],
)
async def test_bodies_have_so_much_room(
    shop: Client, anonymous: httpx.AsyncClient, octets: int, where: str, taken: bool
) -> None:
    """Strangers have half of it, since they may never prove who they are."""
    body = {"token": "token-of-shop", "params": ["x" * octets]}
    asker = shop.http if where == "header" else anonymous
    for _ in range(2):  # and what was taken is given back
        response = await asker.post("/publish/com.t/", json=body)
        assert response.is_success is taken
        assert taken or is_overloaded(response)
    assert (await shop.http.get("/registrations/")).is_success


async def test_there_are_so_many_connections(bridge: Bridge) -> None:
    parts = urlsplit(bridge.url)
    opened = [
        await asyncio.open_connection(parts.hostname, parts.port) for _ in range(LIMITS.connections)
    ]
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head, _, text = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 1\r\n" in head
    document: Any = json.loads(text)
    assert document["status"] == 503
    for _, each in opened:
        each.close()
        await each.wait_closed()

    async def served() -> bool:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answered = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answered.startswith(b"HTTP/1.1 200 ")

    await eventually(served)
