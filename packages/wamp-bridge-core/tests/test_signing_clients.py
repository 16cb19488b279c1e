"""Both clients sign what they ask where there is a secret; checked by the published library."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from support.oracles import verified_by_library
from support.plain_server import Asked, PlainServer, Reply, plain_server
from wamp_bridge.core import AsyncBridge, Bridge, ConfigurationError, Settings, generate_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
RENEWED = Reply(200, {"renewed": 0})


@pytest.fixture
def server() -> Iterator[PlainServer]:
    with plain_server(lambda _: RENEWED) as server:
        yield server


def settings_of(url: str, **changed: Any) -> Settings:
    return Settings(
        **{"url": url, "app": "shop", "secrets": (SECRET, generate_secret()), **changed}
    )


def nonce_of(asked: Asked) -> str:
    """The nonce of a request whose signature the published library has verified."""
    url = f"http://{asked.headers['host']}{asked.path}"
    parameters = verified_by_library(asked.method, url, asked.headers, asked.body, KEY, app="shop")
    return str(parameters["nonce"])


def test_requests_are_signed_with_the_first_secret(server: PlainServer) -> None:
    with Bridge(settings_of(server.url, token="t0ken")) as bridge:
        bridge.heartbeat()
        bridge.heartbeat(["com.shop.café"])
        server.answering = lambda _: Reply(200, {"registrations": [], "cursor": None})
        bridge.registrations()
    assert len({nonce_of(asked) for asked in server.asked}) == 3
    assert all("authorization" not in asked.headers for asked in server.asked)


async def test_the_other_client_signs_as_well(server: PlainServer) -> None:
    async with AsyncBridge(settings_of(server.url)) as bridge:
        await bridge.heartbeat()
        await bridge.heartbeat(["com.shop.price"])
    assert len({nonce_of(asked) for asked in server.asked}) == 2


def test_a_request_that_is_sent_again_is_signed_anew(server: PlainServer) -> None:
    def answer(_: Asked) -> Reply:
        if len(server.asked) < 3:
            return Reply(503, {"title": "away"}, {"retry-after": "0"})
        return RENEWED

    server.answering = answer
    with Bridge(settings_of(server.url)) as bridge:
        bridge.heartbeat()
    assert len({nonce_of(asked) for asked in server.asked}) == 3


def test_without_a_secret_or_a_name_the_token_is_sent(server: PlainServer) -> None:
    for changed in ({"secrets": ()}, {"app": None}):
        with Bridge(settings_of(server.url, token="t0ken", **changed)) as bridge:
            bridge.heartbeat()
    for asked in server.asked:
        assert asked.headers["authorization"] == "Bearer t0ken"
        assert "signature" not in asked.headers


@pytest.mark.parametrize(
    ("changed", "missing"), [({"app": None}, "WAMP_BRIDGE_APP"), ({"secrets": ()}, "_TOKEN")]
)
def test_what_is_missing_to_say_who_asks_is_named(changed: dict[str, Any], missing: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{missing} is not set"):
        Bridge(settings_of("http://localhost:1/", **changed))


def test_a_name_that_fits_into_no_header_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="WAMP_BRIDGE_APP: "):
        Settings(app='sh"op')


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("http://Bridge.Example/", "bridge.example"),
        ("http://bridge.example:80/", "bridge.example"),
        ("https://bridge.example:443/", "bridge.example"),
        ("http://bridge.example:8181/", "bridge.example:8181"),
        ("http://[::1]:8181/", "[::1]:8181"),
    ],
)
def test_the_authority_is_the_hosts(url: str, authority: str) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"renewed": 0})

    with Bridge(settings_of(url), transport=httpx.MockTransport(answer)) as bridge:
        bridge.heartbeat()
    (request,) = seen
    assert request.headers["host"].lower() == authority
    assert re.search(r'"@authority" "@path"', request.headers["signature-input"])
    verified_by_library(
        "POST", f"http://{authority}/heartbeat/", request.headers, request.content, KEY, app="shop"
    )
