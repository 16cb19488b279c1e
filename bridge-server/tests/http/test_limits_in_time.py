"""Too many wrong credentials, and too many requests, at a real bridge."""

from __future__ import annotations

from ipaddress import ip_network
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


class TestBehindProxies:
    """Where a proxy names who asked it."""

    @pytest.fixture
    def config(self, config: Config) -> Config:
        proxies = (ip_network("127.0.0.1"), ip_network("10.0.0.0/8"))
        return msgspec.structs.replace(config, trusted_proxies=proxies)

    async def test_the_client_that_a_trusted_proxy_names_is_who_fails(self, bridge: Bridge) -> None:
        async def asked(*named: str, local: str | None = None) -> int:
            lines = [("x-forwarded-for", line) for line in named]
            return await status(bridge, [*token("wrong"), *lines], local=local)

        for number in range(100):
            assert await asked(f"198.51.100.{number}, 192.0.2.1") == 401
        # What stands before the last stranger, that one may have chosen.
        known: list[tuple[str, ...]] = [
            ("192.0.2.1",),
            ("192.0.2.9", "192.0.2.1"),
            ("192.0.2.1, 10.1.2.3",),
            ("192.0.2.9,::ffff:192.0.2.1 ,10.1.2.3",),
        ]
        for named in known:
            assert await asked(*named) == 429, named
        for other in ((), ("192.0.2.2",), ("192.0.2.1, 192.0.2.2",), ("192.0.2.1, nonsense",)):
            assert await asked(*other) == 401, other
        # Who is no proxy is believed nothing.
        assert await asked("192.0.2.1", local=ELSEWHERE) == 401
