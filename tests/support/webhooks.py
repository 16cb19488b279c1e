"""What a bridge posts, each kind of it, for libraries that verify Standard Webhooks."""

from __future__ import annotations

from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from support.clients import plain_http
from support.servers import callback_server
from support.waiting import eventually
from wamp_bridge.core import generate_secret
from wamp_bridge_server.bridge import Bridge
from wamp_bridge_server.config import (
    Address,
    AppConfig,
    CallbackRule,
    Config,
    RouterConfig,
    Secret,
    StoreConfig,
    Token,
    hash_token,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.servers import CallbackServer

NEWEST, OLDER = generate_secret(), generate_secret()


@asynccontextmanager
async def posted_to() -> AsyncIterator[CallbackServer]:
    """An app to which a bridge has posted: an invocation, an event with its retry, an outcome."""
    config = Config(
        listen=Address("127.0.0.1", 0),
        router=RouterConfig(url="memory:"),
        store=StoreConfig(url="sqlite:///:memory:"),
        apps={
            "shop": AppConfig(
                name="shop",
                tokens=(Token(hash_token("token")),),
                secrets=(Secret(NEWEST), Secret(OLDER)),
                callbacks=(CallbackRule(network=ip_network("127.0.0.1")),),
            )
        },
    )
    bridge = Bridge(config)
    await bridge.start()
    headers = {"Authorization": "Bearer token"}
    async with (
        callback_server() as server,
        plain_http(bridge.url, headers=headers) as http,
    ):
        asked: list[tuple[str, Any]] = [
            ("/register/", {"endpoints": {"com.shop.price": server.url}}),
            ("/subscribe/", {"endpoints": {"com.shop.sold": server.url}}),
            ("/call/com.shop.price/", {"args": ["café", 1.5]}),
            ("/publish/com.shop.sold/", {"kwargs": {"title": "☕"}}),
            ("/call/com.shop.price/", {"callback": server.url}),
        ]
        for path, body in asked:
            assert (await http.post(path, json=body)).is_success
        await eventually(lambda: server.of_type("event") and server.of_type("result"))
        yield server
    await bridge.stop()


def signed(app: CallbackServer) -> list[tuple[str, dict[str, str]]]:
    """Bodies and headers of what was posted."""
    return [
        (posted.body.decode(), {name.lower(): value for name, value in posted.headers.items()})
        for posted in app.posted
    ]
