"""URLs that let a browser follow one topic for a while; and which pages may read streams."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from support.clocks import FakeClock
from support.event_streams import following
from wamp_bridge_server.bridge import Bridge
from wamp_bridge_server.config import Config, Permissions, Secret, StreamConfig, Token, hash_token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from support.clients import Client

PAGE = "https://shop.example"


@pytest.fixture
def router_url() -> str:
    return "memory:"


@pytest.fixture
def config(config: Config) -> Config:
    shop = msgspec.structs.replace(
        config.apps["shop"], cors=(PAGE,), streams=StreamConfig(url_lifetime=600)
    )
    return msgspec.structs.replace(config, apps={**config.apps, "shop": shop})


async def signed(app: Client, topic: str = "com.a", **members: object) -> str:
    """A URL that was signed, without the bridge's own."""
    url: str = (await app.post(f"/events/{topic}/url/", members))["url"]
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


async def test_a_browser_follows_without_a_token(
    shop: Client, bank: Client, anonymous: httpx.AsyncClient
) -> None:
    told = await shop.post("/events/com.a/url/")
    assert told["url"].startswith(str(shop.http.base_url).rstrip("/"))
    assert 290 < told["expires_at"] - time.time() <= 300
    query = dict(parse_qsl(urlsplit(told["url"]).query))
    assert set(query) == {"app", "expires", "match", "signature"}
    async with following(anonymous, told["url"]) as stream:
        await stream.ready()
        await bank.post("/publish/com.a/", {"args": [1]})
        assert await stream.args(1) == [[1]]
    async with following(anonymous, f"{told['url']}&last_event_id={stream.last_id}") as stream:
        await stream.ready()
        await bank.post("/publish/com.a/", {"args": [2]})
        assert await stream.args(1) == [[2]]


async def test_another_topic_app_match_time_or_origin_is_refused(
    shop: Client, anonymous: httpx.AsyncClient
) -> None:
    url = await signed(shop, "com.a", match="prefix", origin=PAGE)
    origin = {"Origin": PAGE}
    async with following(anonymous, url, headers=origin) as stream:
        await stream.ready()
    others = [
        url.replace("com.a", "com.b"),
        url.replace("app=shop", "app=bank"),
        url.replace("app=shop", "app=nobody"),
        url.replace("match=prefix", "match=exact"),
        url.replace("match=prefix", "match=some"),
        url.replace("expires=", "expires=9"),
        url.replace("expires=", "expires=x"),
        url.replace("signature=wbu_", "signature=wbu_A"),
        f"{url}&signature=wbu_other",
        url.replace("origin=https%3A%2F%2Fshop.example", "origin=https%3A%2F%2Fevil.example"),
        url.replace("&origin=https%3A%2F%2Fshop.example", ""),
    ]
    assert len(set(others)) == len(others)
    for other in others:
        assert (await anonymous.get(other, headers=origin)).status_code == 401, other
    evil = {"Origin": "https://evil.example"}
    assert (await anonymous.get(url, headers=evil)).status_code == 401
    assert (await anonymous.get(url)).status_code == 401


async def test_a_signature_lets_its_bearer_do_nothing_else(
    shop: Client, anonymous: httpx.AsyncClient
) -> None:
    query = (await signed(shop)).partition("?")[2]
    for method, path in (
        ("POST", "/publish/com.a/"),
        ("POST", "/events/com.a/url/"),
        ("GET", "/subscriptions/"),
    ):
        answered = await anonymous.request(method, f"{path}?{query}", json={})
        assert answered.status_code == 401, path


async def test_what_is_wrong_with_a_wish_is_told(shop: Client, bank: Client) -> None:
    for lifetime in (0, 601, 1e9):
        await shop.post("/events/com.a/url/", {"lifetime": lifetime}, status=422)
    await shop.post("/events/com.a/url/", {"lifetime": 600})
    for origin in ("*", "shop.example", "https://shop.example/page"):
        await shop.post("/events/com.a/url/", {"origin": origin}, status=422)
    await shop.post("/events/com.a/url/", {"for": 1}, status=400)
    await shop.post("/events/com..a/url/", status=422)
    await bank.post("/events/wamp.a/url/", status=403)


class TestItCountsNoMore:
    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    async def bridge(self, config: Config, clock: FakeClock) -> AsyncIterator[Bridge]:
        made = Bridge(config, clock)
        await made.start()
        yield made
        await made.stop()

    async def test_when_its_time_is_over(
        self, shop: Client, anonymous: httpx.AsyncClient, clock: FakeClock
    ) -> None:
        url = await signed(shop, lifetime=60)
        async with following(anonymous, url) as stream:
            await stream.ready()
            clock.pass_by(61)
            assert (await anonymous.get(url)).status_code == 401
            # One that is open stays.
            await shop.post("/publish/com.a/", {"args": [1]})
            assert await stream.args(1) == [[1]]

    @pytest.mark.parametrize(
        "change",
        [
            {"tokens": (Token(hash_token("token-of-another")),)},
            {"secrets": (Secret("whsec_" + "B" * 43 + "="),)},
        ],
    )
    async def test_when_the_app_has_other_credentials(
        self,
        shop: Client,
        anonymous: httpx.AsyncClient,
        bridge: Bridge,
        config: Config,
        change: dict[str, object],
    ) -> None:
        url = await signed(shop)
        changed = msgspec.structs.replace(config.apps["shop"], **change)
        apps = {**config.apps, "shop": changed}
        await bridge.reload(msgspec.structs.replace(config, apps=apps))
        assert (await anonymous.get(url)).status_code == 401

    async def test_when_a_token_expires(
        self, shop: Client, anonymous: httpx.AsyncClient, bridge: Bridge, clock: FakeClock
    ) -> None:
        now = clock.time()
        config = bridge._config
        tokens = (
            *config.apps["shop"].tokens,
            Token(hash_token("token-of-another"), expires=now + 30),
        )
        changed = msgspec.structs.replace(config.apps["shop"], tokens=tokens)
        apps = {**config.apps, "shop": changed}
        await bridge.reload(msgspec.structs.replace(config, apps=apps))
        url = await signed(shop)
        clock.pass_by(31)
        assert (await anonymous.get(url)).status_code == 401

    async def test_when_the_app_may_not_follow_the_topic_any_more(
        self, shop: Client, anonymous: httpx.AsyncClient, bridge: Bridge, config: Config
    ) -> None:
        url = await signed(shop)
        allow = Permissions(subscribe=("com.b",))
        changed = msgspec.structs.replace(config.apps["shop"], allow=allow)
        apps = {**config.apps, "shop": changed}
        await bridge.reload(msgspec.structs.replace(config, apps=apps))
        assert (await anonymous.get(url)).status_code == 403


async def test_wrong_signatures_are_counted(shop: Client, anonymous: httpx.AsyncClient) -> None:
    url = await signed(shop)
    wrong = url.replace("signature=wbu_", "signature=wbu_A")
    statuses = {(await anonymous.get(wrong)).status_code for _ in range(101)}
    assert statuses == {401, 429}


class TestPagesOfOtherOrigins:
    async def test_may_read_what_the_app_lets_them(
        self, shop: Client, anonymous: httpx.AsyncClient
    ) -> None:
        url = await signed(shop)
        async with following(anonymous, url, headers={"Origin": PAGE}) as stream:
            await stream.ready()
            headers = stream.response.headers
            assert headers["access-control-allow-origin"] == PAGE
            assert headers["vary"] == "Origin"
            assert "access-control-allow-credentials" not in headers
        for origin in ("https://evil.example", "null", f"{PAGE}.evil.example"):
            async with following(anonymous, url, headers={"Origin": origin}) as stream:
                assert "access-control-allow-origin" not in stream.response.headers
                assert stream.response.headers["vary"] == "Origin"

    async def test_and_why_they_were_refused(
        self, shop: Client, anonymous: httpx.AsyncClient
    ) -> None:
        wrong = (await signed(shop)).replace("signature=wbu_", "signature=wbu_A")
        answered = await anonymous.get(wrong, headers={"Origin": PAGE})
        assert answered.status_code == 401
        assert answered.headers["access-control-allow-origin"] == PAGE
        assert "www-authenticate" in answered.headers
        # The app that is named lets this origin in, another doesn't.
        url = wrong.replace("app=shop", "app=bank")
        answered = await anonymous.get(url, headers={"Origin": PAGE})
        assert "access-control-allow-origin" not in answered.headers

    async def test_ask_before(self, anonymous: httpx.AsyncClient) -> None:
        asked = {
            "Origin": PAGE,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization,last-event-id",
        }
        answered = await anonymous.options("/events/com.a/", headers=asked)
        assert answered.status_code == 204
        assert answered.headers["access-control-allow-origin"] == PAGE
        allowed = answered.headers["access-control-allow-headers"].lower()
        assert {"authorization", "last-event-id"} <= set(allowed.split(", "))
        answered = await anonymous.options(
            "/events/com.a/", headers={**asked, "Origin": "https://evil.example"}
        )
        assert answered.status_code == 204
        assert "access-control-allow-origin" not in answered.headers
        assert "access-control-allow-headers" not in answered.headers
