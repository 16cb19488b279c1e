"""Apps of one bridge, each with its own identity at a real Crossbar that asks for tickets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp import web

from support.clients import Client, plain_http
from support.router import running_router
from support.servers import callback_server
from support.waiting import eventually
from wamp_bridge_server.bridge import Bridge
from wamp_bridge_server.config import (
    Address,
    AppConfig,
    CallbackRule,
    Config,
    RouterAuth,
    RouterConfig,
    Secret,
    StoreConfig,
    Token,
    hash_token,
)
from wamp_bridge_server.devrouter import ANYTHING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from support.router import CrossbarRouter
    from support.servers import CallbackServer, Posted

TICKETS = {
    "bridge": "secret-of-bridge",
    "shop": "secret-of-shop",
    "bank": "secret-of-bank",
    "moved": "secret-of-moved",
}


def ticket(authid: str) -> RouterAuth:
    return RouterAuth(method="ticket", authid=authid, secret=Secret(TICKETS[authid]))


def configured(url: str, **authids: str | None) -> Config:
    return Config(
        listen=Address("127.0.0.1", 0),
        router=RouterConfig(url=url, auth=ticket("bridge")),
        store=StoreConfig(url="sqlite:///:memory:"),
        apps={
            name: AppConfig(
                name=name,
                tokens=(Token(hash_token(f"token-of-{name}")),),
                callbacks=(CallbackRule(host="127.0.0.1"),),
                router_auth=None if authid is None else ticket(authid),
            )
            for name, authid in authids.items()
        },
    )


@pytest.fixture(scope="module")
def guarded() -> Iterator[CrossbarRouter]:
    """Yield a router that lets in who has a ticket, and discloses who calls."""
    principals = {name: {"ticket": shown, "role": name} for name, shown in TICKETS.items()}
    # Each may do what it likes, save that the bank is not let into the vault.
    roles: dict[str, list[Any]] = {name: [ANYTHING] for name in TICKETS}
    nothing = dict.fromkeys(("call", "register", "publish", "subscribe"), False)
    roles["bank"] = [ANYTHING, {"uri": "com.vault.", "match": "prefix", "allow": nothing}]
    auth = {"ticket": {"type": "static", "principals": principals}}
    with running_router(roles=roles, auth=auth) as router:
        yield router


@pytest.fixture
def config(guarded: CrossbarRouter) -> Config:
    return configured(guarded.url, shop="shop", bank="bank", plain=None)


@pytest.fixture
async def bridge(config: Config) -> AsyncIterator[Bridge]:
    made = Bridge(config)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def clients(bridge: Bridge) -> AsyncIterator[dict[str, Client]]:
    made = {}
    for name in ("shop", "bank", "plain"):
        headers = {"Authorization": f"Bearer token-of-{name}"}
        http = plain_http(bridge.url, headers=headers, timeout=30)
        made[name] = Client(http)
    yield made
    for client in made.values():
        await client.http.aclose()


@pytest.fixture
async def app() -> AsyncIterator[CallbackServer]:
    def caller(posted: Posted) -> web.Response:
        details = posted.document["details"]
        return web.json_response([details["caller_authid"], details["caller_app"]])

    async with callback_server(caller) as server:
        yield server


async def registered(client: Client, uri: str, url: str) -> None:
    async def live() -> bool:
        answered = await client.post("/register/", {"endpoints": {uri: url}})
        return bool(answered["registrations"][0]["state"] == "live")

    await eventually(live)


async def test_each_app_is_at_the_router_who_its_section_says(
    clients: dict[str, Client], app: CallbackServer, namespace: str
) -> None:
    await registered(clients["shop"], namespace, app.url)
    for name, authid in (("shop", "shop"), ("bank", "bank"), ("plain", "bridge")):
        answered = await clients[name].post(f"/call/{namespace}/")
        assert answered["result"] == [authid, name]


async def test_what_the_router_does_not_allow_an_app(
    clients: dict[str, Client], app: CallbackServer
) -> None:
    await registered(clients["shop"], "com.vault.open", app.url)
    answered = await clients["bank"].post("/call/com.vault.open/", status=403)
    assert answered["error"] == "wamp.error.not_authorized"
    answered = await clients["bank"].post("/register/", {"endpoints": {"com.vault.b": app.url}})
    (entry,) = answered["registrations"]
    assert entry["state"] == "refused"
    assert entry["reason"].startswith("wamp.error.not_authorized")
    # The bridge's own session, and with it the other apps', is none the worse for it.
    assert (await clients["plain"].post("/call/com.vault.open/"))["result"][1] == "plain"


async def test_another_identity_while_the_bridge_runs(
    bridge: Bridge, config: Config, clients: dict[str, Client], namespace: str
) -> None:
    shop, bank = clients["shop"], clients["bank"]
    arrived, go = asyncio.Event(), asyncio.Event()

    async def slow(posted: Posted) -> web.Response:
        arrived.set()
        await go.wait()
        return web.json_response(posted.document["details"]["caller_authid"])

    async with callback_server(slow) as app:
        await registered(shop, namespace, app.url)
        under_way = [
            asyncio.create_task(client.post(f"/call/{namespace}/")) for client in (shop, bank)
        ]
        await eventually(lambda: len(app.posted) == 2)
        moved = msgspec.structs.replace(config.apps["shop"], router_auth=ticket("moved"))
        other = msgspec.structs.replace(config, apps={**config.apps, "shop": moved})
        await bridge.reload(other)
        go.set()
        # What was under way, both as caller and as callee, ends well.
        answers = [(await task)["result"] for task in under_way]
        assert answers == ["shop", "bank"]
        # And what comes after is by the new identity.
        await registered(shop, namespace, app.url)
        assert (await shop.post(f"/call/{namespace}/"))["result"] == "moved"
        assert (await bank.post(f"/call/{namespace}/"))["result"] == "bank"


async def test_a_ticket_that_is_wrong_is_mended_while_the_bridge_runs(
    bridge: Bridge, config: Config, clients: dict[str, Client], namespace: str
) -> None:
    wrong = RouterAuth(method="ticket", authid="shop", secret=Secret("secret-of-others"))
    broken = msgspec.structs.replace(config.apps["shop"], router_auth=wrong)
    await bridge.reload(msgspec.structs.replace(config, apps={**config.apps, "shop": broken}))
    problem = await clients["shop"].post(f"/publish/{namespace}/", status=503)
    assert "secret-of-others" not in str(problem)
    await clients["bank"].post(f"/publish/{namespace}/")
    await bridge.reload(config)
    await clients["shop"].post(f"/publish/{namespace}/")
