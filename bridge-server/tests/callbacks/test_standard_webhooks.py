"""What the bridge posts, verified by the libraries that Standard Webhooks publishes, unmodified."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from support.clients import plain_http
from support.node import npm_package, verdicts_of_npm
from support.servers import CallbackServer, callback_server
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
    from pathlib import Path

NEWEST, OLDER = generate_secret(), generate_secret()


@pytest.fixture
async def app() -> AsyncIterator[CallbackServer]:
    """An app to which the bridge has posted: an invocation, an event with its retry, an outcome."""
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


async def test_the_one_from_pypi_verifies_what_is_posted(app: CallbackServer) -> None:
    for body, headers in signed(app):
        for secret in (NEWEST, OLDER):
            assert Webhook(secret).verify(body, headers) == json.loads(body)
        with pytest.raises(WebhookVerificationError):
            Webhook(NEWEST).verify(body + " ", headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(generate_secret()).verify(body, headers)


@pytest.mark.npm
async def test_the_one_from_npm_verifies_what_is_posted(
    app: CallbackServer, tmp_path: Path
) -> None:
    posted = signed(app)
    package = npm_package(tmp_path)
    for secret in (NEWEST, OLDER):
        good = [{"secret": secret, "body": body, "headers": headers} for body, headers in posted]
        assert verdicts_of_npm(package, good) == [True] * len(posted)
        changed = [{**request, "body": f"{request['body']} "} for request in good]
        stranger = [{**request, "secret": generate_secret()} for request in good]
        assert True not in verdicts_of_npm(package, [*changed, *stranger])
