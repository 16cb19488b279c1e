"""A bridge in the test's own loop, on either backend, and its apps."""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from support.clients import Client, plain_http
from support.servers import CallbackServer, callback_server
from support.stores import copy_tables
from support.waiting import eventually
from wamp_bridge_server.bridge import Bridge
from wamp_bridge_server.config import (
    Address,
    AppConfig,
    Config,
    Permissions,
    RouterConfig,
    Secret,
    StoreConfig,
    Token,
    callback_rule,
    hash_token,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from support.router import CrossbarRouter

SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()


@pytest.fixture(autouse=True)
def no_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make stores quickly; that migrations make them is for the store's own tests."""
    copy_tables(monkeypatch)


@pytest.fixture(params=["memory", "wamp"])
def router_url(request: pytest.FixtureRequest) -> str:
    """Each test runs on both backends; by WAMP through a real Crossbar."""
    if request.param == "memory":
        return "memory:"
    router: CrossbarRouter = request.getfixturevalue("router")
    return router.url


@pytest.fixture
def config(router_url: str) -> Config:
    def app(name: str, allow: Permissions | None = None) -> AppConfig:
        return AppConfig(
            name=name,
            tokens=(Token(hash_token(f"token-of-{name}")),),
            secrets=(Secret(SECRET),),
            callbacks=(callback_rule("127.0.0.1:*"),),
            allow=allow or Permissions(),
        )

    limited = Permissions(call=("com.ok",), publish=("com.ok",), register=("com.ok",))
    return Config(
        listen=Address("127.0.0.1", 0),
        router=RouterConfig(url=router_url),
        store=StoreConfig(url="sqlite:///:memory:"),
        apps={
            "shop": app("shop"),
            "bank": app("bank"),
            "limited": app("limited", limited),
        },
    )


@pytest.fixture
async def bridge(config: Config) -> AsyncIterator[Bridge]:
    made = Bridge(config)
    await made.start()
    async with plain_http(made.url) as http:

        async def ready() -> bool:
            return (await http.get("/health/ready")).status_code == HTTPStatus.OK

        await eventually(ready)
    yield made
    await made.stop()


@pytest.fixture
async def anonymous(bridge: Bridge) -> AsyncIterator[httpx.AsyncClient]:
    async with plain_http(bridge.url) as http:
        yield http


async def client(bridge: Bridge, name: str) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer token-of-{name}"}
    async with plain_http(bridge.url, headers=headers) as http:
        yield Client(http)


@pytest.fixture
async def shop(bridge: Bridge) -> AsyncIterator[Client]:
    async for made in client(bridge, "shop"):
        yield made


@pytest.fixture
async def bank(bridge: Bridge) -> AsyncIterator[Client]:
    async for made in client(bridge, "bank"):
        yield made


@pytest.fixture
async def limited(bridge: Bridge) -> AsyncIterator[Client]:
    async for made in client(bridge, "limited"):
        yield made


@pytest.fixture
async def app() -> AsyncIterator[CallbackServer]:
    async with callback_server() as server:
        yield server
