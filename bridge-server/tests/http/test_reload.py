"""Another configuration while the bridge runs: apps that go, come back, and may do less."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp import web

from support.clients import Client, plain_http
from support.waiting import eventually
from wamp_bridge_server.bridge import Bridge
from wamp_bridge_server.config import Config, Permissions, StoreConfig, Token, hash_token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from support.servers import CallbackServer, Posted


@dataclass
class Held:
    """A callback server that answers when it is let go."""

    go: asyncio.Event
    arrived: asyncio.Event

    async def answer(self, _posted: Posted) -> web.Response:
        self.arrived.set()
        await self.go.wait()
        return web.json_response("done")


@pytest.fixture
def held(app: CallbackServer) -> Held:
    made = Held(asyncio.Event(), asyncio.Event())
    app.answering = made.answer
    return made


def without(config: Config, *names: str) -> Config:
    apps = {name: app for name, app in config.apps.items() if name not in names}
    return msgspec.structs.replace(config, apps=apps)


def changed(config: Config, name: str, **members: Any) -> Config:
    app = msgspec.structs.replace(config.apps[name], **members)
    return msgspec.structs.replace(config, apps={**config.apps, name: app})


async def entry(client: Client, kind: str = "registrations") -> dict[str, Any]:
    (found,) = (await client.get(f"/{kind}/"))[kind]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("router_url", ["memory:"])
async def test_an_app_that_moves_to_another_realm_takes_all_with_it(
    bridge: Bridge, config: Config, shop: Client, bank: Client, app: CallbackServer
) -> None:
    app.answering = lambda posted: web.json_response(posted.document["type"])
    await shop.post("/register/", {"endpoints": {"com.a": app.url}})
    assert (await bank.post("/call/com.a/"))["result"] == "invocation"
    await bridge.reload(changed(config, "shop", realm="other"))
    await bank.post("/call/com.a/", status=404)
    assert (await shop.post("/call/com.a/"))["result"] == "invocation"
    both = changed(changed(config, "shop", realm="other"), "bank", realm="other")
    await bridge.reload(both)
    assert (await bank.post("/call/com.a/"))["result"] == "invocation"


async def test_an_app_that_goes_and_comes_back(
    bridge: Bridge, config: Config, shop: Client, bank: Client, app: CallbackServer
) -> None:
    app.answering = lambda posted: web.json_response(posted.document["type"])
    body = {"endpoints": {"com.a": app.url}}
    (registered,) = (await shop.post("/register/", body))["registrations"]
    (subscribed,) = (await shop.post("/subscribe/", body))["subscriptions"]
    assert (await bank.post("/call/com.a/"))["result"] == "invocation"

    await bridge.reload(without(config, "shop"))
    await shop.get("/registrations/", status=401)
    await bank.post("/call/com.a/", status=404)
    await bank.post("/publish/com.a/")
    # Its URI is free meanwhile.
    await bank.post("/register/", {"endpoints": {"com.a": f"{app.url}bank/"}})
    assert (await bank.post("/call/com.a/"))["result"] == "invocation"
    await bank.post("/unregister/", {"endpoints": ["com.a"]})
    assert app.of_type("event") == []

    await bridge.reload(config)
    await eventually(lambda: live(shop))
    for kind, before in (("registrations", registered), ("subscriptions", subscribed)):
        after = await entry(shop, kind)
        assert after.pop("since") >= before.pop("since")
        assert after == before
    assert (await bank.post("/call/com.a/"))["result"] == "invocation"
    await bank.post("/publish/com.a/")
    await eventually(lambda: len(app.of_type("event")) == 1)


async def test_no_attempts_are_burnt_while_an_app_goes(
    bridge: Bridge, config: Config, shop: Client, bank: Client, app: CallbackServer
) -> None:
    await shop.post("/subscribe/", {"endpoints": {"com.a": app.url}})
    reloading = bridge._reloading
    assert reloading is not None
    async with reloading._endpoints.lock("shop"):  # as while it registers something
        going = asyncio.create_task(bridge.reload(without(config, "shop")))
        await shop.get("/subscriptions/", status=401)
        await bank.post("/publish/com.a/")
        await eventually(lambda: reloading._outbox.waiting == 1)
    await going
    await bridge.reload(config)
    await eventually(lambda: len(app.of_type("event")) == 1)
    assert app.posted[-1].headers["wamp-bridge-attempt"] == "1"


async def live(client: Client) -> bool:
    states = [
        (await entry(client, kind))["state"] == "live"
        for kind in ("registrations", "subscriptions")
    ]
    return all(states)


async def test_an_app_that_may_do_less_and_then_more(
    bridge: Bridge, config: Config, shop: Client, bank: Client, app: CallbackServer
) -> None:
    app.answering = lambda posted: web.json_response(posted.document["type"])
    body = {"endpoints": {"com.a.x": app.url}}
    await shop.post("/register/", body)
    await shop.post("/subscribe/", body)

    await bridge.reload(changed(config, "shop", allow=Permissions(register=("com.b",), call=())))
    await shop.post("/call/com.any/", status=403)
    refused = await entry(shop)
    assert refused["state"] == "refused"
    assert refused["reason"] == 'This app is not allowed to register "com.a.x".'
    assert (await entry(shop, "subscriptions"))["state"] == "live"

    async def gone() -> bool:
        return "no_such_procedure" in str(await bank.post("/call/com.a.x/", status=None))

    await eventually(gone)
    await shop.post("/register/", body, status=403)

    await bridge.reload(changed(config, "shop", allow=Permissions(subscribe=())))
    await eventually(lambda: is_live(shop))
    assert (await bank.post("/call/com.a.x/"))["result"] == "invocation"
    assert (await entry(shop, "subscriptions"))["state"] == "refused"
    await bank.post("/publish/com.a.x/")
    assert app.of_type("event") == []


async def is_live(client: Client) -> bool:
    return bool((await entry(client))["state"] == "live")


@pytest.mark.parametrize("who", ["caller", "callee"])
async def test_a_call_under_way_ends_when_its_app_is_gone(
    bridge: Bridge,
    config: Config,
    shop: Client,
    bank: Client,
    app: CallbackServer,
    held: Held,
    who: str,
) -> None:
    await shop.post("/register/", {"endpoints": {"com.a": app.url}})
    calling = asyncio.create_task(bank.post("/call/com.a/"))
    await held.arrived.wait()
    await bridge.reload(without(config, "bank" if who == "caller" else "shop"))
    held.go.set()
    assert (await calling)["result"] == "done"


async def test_tokens_change(bridge: Bridge, config: Config, shop: Client) -> None:
    both = (*config.apps["shop"].tokens, Token(hash_token("new-token")))
    await bridge.reload(changed(config, "shop", tokens=both))
    await shop.get("/registrations/")
    await bridge.reload(changed(config, "shop", tokens=both[1:]))
    await shop.get("/registrations/", status=401)
    shop.http.headers["Authorization"] = "Bearer new-token"
    await shop.get("/registrations/")


def serving(posted: Posted) -> web.Response:
    document = {"protocol": 1, "procedures": {"com.s": {"url": "rpc/com.s/"}}, "topics": {}}
    return web.json_response(document if posted.document["type"] == "manifest" else "served")


async def test_sources_of_the_configuration_come_and_go(
    bridge: Bridge, config: Config, shop: Client, bank: Client, app: CallbackServer
) -> None:
    app.answering = serving
    with_source = changed(config, "shop", sources=(f"{app.url}wamp/",))

    async def served() -> bool:
        return "served" in str(await bank.post("/call/com.s/", status=None))

    await bridge.reload(with_source)
    await eventually(served)
    # Its app goes and comes back, and the source with it.
    await bridge.reload(without(with_source, "shop"))
    await bank.post("/call/com.s/", status=404)
    await bridge.reload(with_source)
    await eventually(served)
    assert (await entry(shop, "sources"))["url"] == f"{app.url}wamp/"
    # It goes alone.
    await bridge.reload(config)
    assert (await shop.get("/sources/"))["sources"] == []
    assert (await shop.get("/registrations/"))["registrations"] == []


async def test_what_takes_another_start_is_told(bridge: Bridge, config: Config) -> None:
    other = msgspec.structs.replace(
        config,
        store=StoreConfig(url="sqlite:///other.db"),
        public_urls=("https://bridge.example.com",),
    )
    assert await bridge.reload(other) == ["store"]
    assert await bridge.reload(config) == []


@asynccontextmanager
async def started(config: Config) -> AsyncIterator[Bridge]:
    bridge = Bridge(config)
    await bridge.start()
    try:
        yield bridge
    finally:
        await bridge.stop()


@asynccontextmanager
async def client_of(bridge: Bridge, name: str) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer token-of-{name}"}
    async with plain_http(bridge.url, headers=headers) as http:
        yield Client(http)


@pytest.fixture
def kept(config: Config, tmp_path: Path) -> Config:
    return msgspec.structs.replace(
        config, store=StoreConfig(url=f"sqlite:///{tmp_path / 'bridge.db'}")
    )


async def test_endpoints_of_an_app_that_is_gone_or_may_less_at_the_start(
    kept: Config, app: CallbackServer
) -> None:
    """The file was changed while the bridge was down."""
    async with started(kept) as first:
        for name in ("shop", "bank"):
            async with client_of(first, name) as asking:
                await asking.post("/register/", {"endpoints": {f"com.{name}": app.url}})
    fewer = changed(without(kept, "shop"), "bank", allow=Permissions(register=()))
    async with started(fewer) as second, client_of(second, "bank") as bank:
        assert (await entry(bank))["state"] == "refused"
        await bank.post("/call/com.shop/", status=404)
        await second.reload(kept)
        async with client_of(second, "shop") as shop:
            await eventually(lambda: is_live(shop))
            await eventually(lambda: is_live(bank))
