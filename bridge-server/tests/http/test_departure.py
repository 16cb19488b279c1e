"""A bridge that goes down: takes nothing more, and finishes what it has taken."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from aiohttp import web

from support.waiting import eventually
from wamp_bridge_server.bridge import Bridge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.clients import Client
    from support.servers import CallbackServer, Posted
    from wamp_bridge_server.config import Config


@pytest.fixture
def router_url() -> str:
    return "memory:"


@pytest.fixture
def held(app: CallbackServer) -> asyncio.Event:
    """The app answers no call before this is set."""
    answered = asyncio.Event()

    async def answering(_posted: Posted) -> web.Response:
        await answered.wait()
        return web.json_response("done")

    app.answering = answering
    return answered


async def stopping(bridge: Bridge, http: httpx.AsyncClient) -> asyncio.Task[None]:
    """Begin to stop, and wait until it says so."""
    stop = asyncio.create_task(bridge.stop())

    async def says_so() -> bool:
        ready = await http.get("/health/ready")
        assert ready.status_code in {200, 503}
        return bool(ready.json()["phase"] == "stopping")

    await eventually(says_so)
    return stop


async def test_what_was_taken_is_finished_and_nothing_more_is_taken(
    bridge: Bridge,
    shop: Client,
    anonymous: httpx.AsyncClient,
    app: CallbackServer,
    held: asyncio.Event,
) -> None:
    assert (await anonymous.get("/health/ready")).json()["phase"] == "serving"
    await shop.post("/register/", {"endpoints": {"com.a": app.url}})
    call = asyncio.create_task(shop.http.post("/call/com.a/", json={}))
    await eventually(lambda: app.posted)
    stop = await stopping(bridge, anonymous)
    for path in ("/call/com.a/", "/publish/com.t/", "/register/", "/call"):
        refused = await shop.http.post(path, json={})
        assert refused.status_code == 503
        assert refused.headers["retry-after"]
        assert refused.headers["connection"] == "close"
    assert (await anonymous.get("/health/live")).is_success
    assert not stop.done()
    held.set()
    answered = await call
    assert answered.json()["result"] == "done"
    assert answered.headers["connection"] == "close"
    await stop
    with pytest.raises(httpx.ConnectError):
        await anonymous.get("/health/live")


async def test_a_call_whose_request_was_being_read_is_made(
    bridge: Bridge, shop: Client, anonymous: httpx.AsyncClient, app: CallbackServer
) -> None:
    app.answering = lambda _posted: web.json_response("done")
    await shop.post("/register/", {"endpoints": {"com.a": app.url}})
    parts = urlsplit(bridge.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(
        b"POST /call/com.a/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-of-shop\r\n"
        b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    )
    assert b" 100 " in await reader.readuntil(b"\r\n\r\n")  # it is being read
    stop = await stopping(bridge, anonymous)
    writer.write(b"{}")
    head, _, text = (await reader.read()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert json.loads(text)["result"] == "done"
    writer.close()
    await writer.wait_closed()
    await stop


async def test_an_asynchronous_call_is_finished_too(
    bridge: Bridge,
    shop: Client,
    anonymous: httpx.AsyncClient,
    app: CallbackServer,
    held: asyncio.Event,
) -> None:
    await shop.post("/register/", {"endpoints": {"com.a": app.url, "com.b": app.url}})
    headers = {"Prefer": "respond-async"}
    await shop.http.post("/call/com.a/", json={}, headers=headers)
    await eventually(lambda: app.posted)
    stop = await stopping(bridge, anonymous)
    await asyncio.wait([stop], timeout=0.1)
    assert not stop.done()
    held.set()
    await stop


@pytest.fixture
def impatient(config: Config) -> Config:
    return msgspec.structs.replace(config, grace=0.1)


@pytest.fixture
async def impatient_bridge(impatient: Config) -> AsyncIterator[Bridge]:
    made = Bridge(impatient)
    await made.start()
    yield made
    await made.stop()


async def test_what_takes_longer_than_the_grace_is_answered(
    impatient_bridge: Bridge, app: CallbackServer, held: asyncio.Event
) -> None:
    headers = {"Authorization": "Bearer token-of-shop"}
    url = impatient_bridge.url
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as http:
        await http.post("/register/", json={"endpoints": {"com.a": app.url}})
        call = asyncio.create_task(http.post("/call/com.a/", json={}))
        await eventually(lambda: app.posted)
        await impatient_bridge.stop()
        answered = await call
    assert answered.status_code == 503
    assert answered.json()["detail"] == "The bridge is going down."
    assert not held.is_set()
