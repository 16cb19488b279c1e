"""Too many wrong credentials, and too many requests, at a real bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
import pytest

from support.raw import ask_raw
from support.signing import Headers, parameters, sign
from wamp_bridge.core import generate_secret

if TYPE_CHECKING:
    from support.clients import Client
    from wamp_bridge_server.bridge import Bridge
    from wamp_bridge_server.config import Config

LIST = "/registrations/"
WRONG = generate_secret()
ELSEWHERE = "127.0.0.2"


@pytest.fixture
def router_url() -> str:
    return "memory:"


@pytest.fixture
def config(config: Config) -> Config:
    bank = msgspec.structs.replace(config.apps["bank"], rate=0.001)
    return msgspec.structs.replace(config, apps={**config.apps, "bank": bank})


async def status(bridge: Bridge, headers: Headers, *, local: str | None = None) -> int:
    answer = await ask_raw(bridge.url, "GET", LIST, headers, local=local)
    if answer.status == 429:
        assert 1 <= int(answer.headers["retry-after"]) <= 60
    return answer.status


def token(value: str) -> Headers:
    return [("host", "h"), ("authorization", f"Bearer {value}")]


def signed(bridge: Bridge, secret: str, app: str = "shop") -> Headers:
    written = parameters(keyid=f'"{app}"')
    return sign(secret, "GET", urlsplit(bridge.url).netloc, LIST, written=written)


async def test_wrong_tokens_are_met_with_429_and_a_right_one_is_let_in(bridge: Bridge) -> None:
    answers = [await status(bridge, token(f"wrong-{number}")) for number in range(101)]
    assert answers == [401] * 100 + [429]
    headers = [("host", "h"), ("content-type", "application/json")]
    wrong = await ask_raw(bridge.url, "POST", "/heartbeat/", headers, b'{"token": "wrong"}')
    assert wrong.status == 429
    assert wrong.headers["content-type"] == "application/problem+json"
    assert await status(bridge, token("token-of-shop")) == 200
    assert await status(bridge, token("wrong"), local=ELSEWHERE) == 401
    # Who says nothing at all says nothing wrong.
    assert await status(bridge, [("host", "h")]) == 401


async def test_wrong_signatures_shut_their_key_out_from_there(
    bridge: Bridge, config: Config
) -> None:
    secret = config.apps["shop"].secrets[0].reveal()
    for _ in range(100):
        assert await status(bridge, signed(bridge, WRONG)) == 401
    assert await status(bridge, signed(bridge, WRONG)) == 429
    right = signed(bridge, secret)
    assert await status(bridge, right) == 429
    assert await status(bridge, right, local=ELSEWHERE) == 200
    assert await status(bridge, signed(bridge, secret, "limited")) == 200
    assert await status(bridge, token("token-of-shop")) == 200


async def test_an_app_asks_no_more_often_than_it_may(bank: Client, shop: Client) -> None:
    await bank.get(LIST)
    answer = await bank.http.get(LIST)
    assert answer.status_code == 429
    assert answer.json()["title"] == "Too Many Requests"
    assert 900 <= int(answer.headers["retry-after"]) <= 1000
    for _ in range(5):
        await shop.get(LIST)


async def test_a_replay_takes_nothing_of_an_apps_rate(bridge: Bridge, config: Config) -> None:
    secret = config.apps["bank"].secrets[0].reveal()
    headers = signed(bridge, secret, "bank")
    assert await status(bridge, headers) == 200
    assert await status(bridge, headers) == 401
