"""Topics followed by server-sent events: in order, over breaks, as far as is allowed."""

from __future__ import annotations

import asyncio
import base64
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from aiohttp import web

from support.clients import Client, plain_http
from support.clocks import FakeClock
from support.event_streams import following
from support.servers import Posted, callback_server
from support.waiting import eventually
from wamp_bridge.core import AsyncBridge, Settings
from wamp_bridge_server.bridge import Bridge
from wamp_bridge_server.config import Config, Permissions, StoreConfig, StreamConfig
from wamp_bridge_server.limits import Limits

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()


async def publish(app: Client, topic: str, *args: Any) -> None:
    await app.post(f"/publish/{topic}/", {"args": args})


async def test_a_topic_is_followed(shop: Client, bank: Client, namespace: str) -> None:
    topic = f"{namespace}.sold"
    async with following(shop.http, f"/events/{topic}/") as stream:
        ready = await stream.next()
        assert ready is not None
        assert ready.event == "ready"
        assert ready.data == {"topic": topic, "match": "exact", "state": "live", "reason": None}
        assert stream.retry
        headers = stream.response.headers
        assert headers["cache-control"] == "no-store"
        assert headers["wamp-bridge-protocol"] == "1"
        assert headers["request-id"]
        told = await bank.post(f"/publish/{topic}/", {"args": ["tea"], "kwargs": {"n": 3}})
        came = await stream.next()
        assert came is not None
        assert came.event == "message"
        assert came.id > ready.id
        assert came.data.pop("details") is not None
        assert came.data == {
            "topic": topic,
            "publication": told["publication"],
            "args": ["tea"],
            "kwargs": {"n": 3},
        }


async def test_streams_and_endpoints_share_one_subscription(
    shop: Client, bank: Client, namespace: str
) -> None:
    topic = f"{namespace}.sold"
    async with (
        callback_server() as server,
        following(shop.http, f"/events/{topic}/") as one,
        following(shop.http, f"/events/{topic}/") as two,
    ):
        await shop.post("/subscribe/", {"endpoints": {topic: server.url}})
        await one.ready()
        await two.ready()
        await publish(bank, topic, 1)
        assert await one.args(1) == await two.args(1) == [[1]]
        await eventually(lambda: server.of_type("event"))
        await shop.post("/unsubscribe/", {"endpoints": [topic]})
        await publish(bank, topic, 2)
        assert await one.args(1) == await two.args(1) == [[2]]
    assert len(server.of_type("event")) == 1


@pytest.mark.parametrize(("match", "pattern"), [("prefix", "{}.a"), ("wildcard", "{}..b")])
async def test_a_pattern_is_followed(
    shop: Client, bank: Client, namespace: str, match: str, pattern: str
) -> None:
    path = f"/events/{pattern.format(namespace)}/?match={match}"
    async with following(shop.http, path) as stream:
        await stream.ready()
        await publish(bank, f"{namespace}.x.c")
        await publish(bank, f"{namespace}.a.b", 1)
        came = await stream.next()
        assert came is not None
        assert came.data["topic"] == f"{namespace}.a.b"


class TestWhoComesBack:
    async def test_goes_on_where_they_were(
        self, shop: Client, bank: Client, namespace: str
    ) -> None:
        topic = f"{namespace}.sold"
        path = f"/events/{topic}/"
        async with following(shop.http, path) as stream:
            await stream.ready()
            start = stream.last_id
            await publish(bank, topic, 1)
            assert await stream.args(1) == [[1]]
            last = stream.last_id
        for number in range(2, 5):
            await publish(bank, topic, number)
        async with following(shop.http, path, last) as stream:
            await stream.ready()
            assert await stream.args(3) == [[2], [3], [4]]
        # As polyfills have it that can't set headers; the header is the newer one.
        async with following(shop.http, f"{path}?last_event_id={start}") as stream:
            await stream.ready()
            assert await stream.args(4) == [[1], [2], [3], [4]]
        async with following(shop.http, f"{path}?last_event_id={start}", last) as stream:
            await stream.ready()
            assert await stream.args(1) == [[2]]

    async def test_is_told_where_events_were_lost(
        self, shop: Client, bank: Client, namespace: str
    ) -> None:
        topic = f"{namespace}.sold"
        async with following(shop.http, f"/events/{topic}/", "log_of-another-9") as stream:
            await stream.ready()
            gap = await stream.next()
            assert gap is not None
            assert (gap.event, gap.data) == ("gap", {"last_event_id": "log_of-another-9"})
            await publish(bank, topic, 1)
            assert await stream.args(1) == [[1]]

    async def test_reads_far_behind_from_the_store(
        self, shop: Client, bank: Client, namespace: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("wamp_bridge_server.services.logs.TAIL_NUMBER", 3)
        monkeypatch.setattr("wamp_bridge_server.services.logs.PAGE_NUMBER", 4)
        topic = f"{namespace}.sold"
        path = f"/events/{topic}/"
        async with following(shop.http, path) as stream:
            await stream.ready()
            start = stream.last_id
            for number in range(20):
                await publish(bank, topic, number)
            assert await stream.args(20) == [[number] for number in range(20)]
        async with following(shop.http, path, start) as stream:
            await stream.ready()
            assert await stream.args(20) == [[number] for number in range(20)]


async def test_silence_is_filled_with_comments(
    shop: Client, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wamp_bridge_server.http.following.KEEPALIVE_SECONDS", 0.02)
    async with following(shop.http, f"/events/{namespace}.a/") as stream:
        await stream.ready()
        reading = asyncio.ensure_future(stream.next())
        await eventually(lambda: stream.comments >= 2)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


@pytest.mark.parametrize("router_url", ["memory:"])
class TestRefused:
    async def test_what_the_app_may_not_follow(self, limited: Client) -> None:
        for path in ("/events/wamp.session.on_join/", "/events/wam/?match=prefix"):
            await limited.get(path, status=403)

    async def test_strangers(self, anonymous: httpx.AsyncClient) -> None:
        assert (await anonymous.get("/events/com.a/")).status_code == 401

    @pytest.mark.parametrize("path", ["/events/com..a/", "/events/com.a/?match=some"])
    async def test_what_is_no_topic(self, shop: Client, path: str) -> None:
        await shop.get(path, status=422)

    async def test_a_head_opens_no_stream(self, shop: Client) -> None:
        head = await shop.http.head("/events/com.a/")
        assert head.status_code == 200
        assert head.headers["content-type"].startswith("text/event-stream")
        assert (await shop.http.head("/events/wamp.a/")).status_code == 403
        assert (await shop.get("/health/ready"))["streams"] == 0


@pytest.mark.parametrize("router_url", ["memory:"])
class TestLimits:
    @pytest.fixture
    def config(self, config: Config) -> Config:
        streams = StreamConfig(at_once=2, topics=2, most=5, linger=3600)
        shop = msgspec.structs.replace(config.apps["shop"], streams=streams)
        return msgspec.structs.replace(config, apps={**config.apps, "shop": shop})

    async def test_so_many_streams_are_open(self, shop: Client, bank: Client) -> None:
        async with following(shop.http, "/events/com.a/") as stream:
            await stream.ready()
            async with following(shop.http, "/events/com.a/"):
                problem = await shop.get("/events/com.a/", status=503)
                assert problem["detail"] == "This app has 2 streams open already."
                async with following(bank.http, "/events/com.a/"):
                    pass

        async def left() -> bool:
            return bool((await shop.get("/health/ready"))["streams"] == 0)

        await eventually(left)

    async def test_so_many_topics_are_followed(self, shop: Client) -> None:
        for topic in ("com.a", "com.b", "com.a"):
            async with following(shop.http, f"/events/{topic}/") as stream:
                await stream.ready()
        problem = await shop.get("/events/com.c/", status=503)
        assert problem["detail"] == "This app follows 2 topics already."

    async def test_so_many_events_are_kept(
        self, shop: Client, bank: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("wamp_bridge_server.services.logs.TAIL_NUMBER", 0)
        monkeypatch.setattr("wamp_bridge_server.services.cleaning.ROUND_SECONDS", 0.05)
        async with following(shop.http, "/events/com.quiet/") as stream:
            await stream.ready()
            await publish(bank, "com.quiet", 0)
            await stream.args(1)
            quiet = stream.last_id
        async with following(shop.http, "/events/com.a/") as stream:
            await stream.ready()
            start = stream.last_id
            for number in range(8):
                await publish(bank, "com.a", number)
            await stream.args(8)

        async def trimmed() -> bool:
            async with following(shop.http, "/events/com.a/", start) as stream:
                await stream.ready()
                came = await stream.next()
                assert came is not None
                if came.event != "gap":
                    return False
                assert came.data == {"last_event_id": start}
                assert await stream.args(5) == [[3], [4], [5], [6], [7]]
                return True

        await eventually(trimmed)
        # That others have much to say is no loss to one who has read all.
        async with following(shop.http, "/events/com.quiet/", quiet) as stream:
            await stream.ready()
            await publish(bank, "com.quiet", 1)
            assert await stream.args(1) == [[1]]


@pytest.mark.parametrize("router_url", ["memory:"])
async def test_open_streams_take_no_places_of_requests(config: Config) -> None:
    made = Bridge(config, limits=Limits(requests=2))
    await made.start()
    try:
        headers = {"Authorization": "Bearer token-of-shop"}
        async with (
            plain_http(made.url, headers=headers) as http,
            following(http, "/events/com.a/") as one,
            following(http, "/events/com.a/") as two,
            following(http, "/events/com.a/") as three,
        ):
            for stream in (one, two, three):
                await stream.ready()
            await publish(Client(http), "com.a", 1)
            assert await three.args(1) == [[1]]
    finally:
        await made.stop()


@pytest.mark.parametrize("router_url", ["memory:"])
async def test_streams_end_at_once_when_the_bridge_goes_down(shop: Client, bridge: Bridge) -> None:
    async with following(shop.http, "/events/com.a/") as stream:
        await stream.ready()
        loop = asyncio.get_running_loop()
        began = loop.time()
        await bridge.stop()
        assert await stream.next() is None
        assert loop.time() - began < 10  # the grace is 25


@pytest.mark.parametrize("router_url", ["memory:"])
async def test_a_changed_app_has_to_ask_anew(
    shop: Client, bank: Client, bridge: Bridge, config: Config
) -> None:
    async with (
        following(shop.http, "/events/com.a/") as stream,
        following(bank.http, "/events/com.a/") as other,
    ):
        await stream.ready()
        await other.ready()
        allow = Permissions(subscribe=("com.b",))
        shops = msgspec.structs.replace(config.apps["shop"], allow=allow)
        apps = {**config.apps, "shop": shops}
        await bridge.reload(msgspec.structs.replace(config, apps=apps))
        assert await stream.next() is None
        await publish(bank, "com.a", 1)
        assert await other.args(1) == [[1]]
    await shop.get("/events/com.a/", status=403)
    await bridge.reload(config)
    async with following(shop.http, "/events/com.a/", stream.last_id) as again:
        await again.ready()
        gap = await again.next()
        assert gap is not None
        assert gap.event == "gap"


@pytest.mark.parametrize("router_url", ["memory:"])
async def test_who_does_not_read_is_cut_off(
    shop: Client, bank: Client, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wamp_bridge_server.http.following.SLOW_SECONDS", 0.1)
    head = "GET /events/com.a/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-of-shop\r\n\r\n"
    address = urlsplit(bridge.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=1024)
    writer.write(head.encode())
    assert b"event: ready" in await reader.readuntil(b"event: ready")

    async def cut_off() -> bool:
        await publish(bank, "com.a", "x" * 500_000)
        return bool((await shop.get("/health/ready"))["streams"] == 0)

    await eventually(cut_off)
    writer.transport.abort()


@pytest.mark.parametrize("router_url", ["memory:"])
async def test_a_browser_that_comes_when_the_bridge_goes_down_is_not_told_to_stay_away(
    shop: Client, bridge: Bridge
) -> None:
    answering = asyncio.Event()

    async def slowly(_posted: Posted) -> web.Response:
        await answering.wait()
        return web.json_response(1)

    async with callback_server(slowly) as server:
        await shop.post("/register/", {"endpoints": {"com.slow": server.url}})
        calling = asyncio.create_task(shop.post("/call/com.slow/"))
        await eventually(lambda: server.of_type("invocation"))
        stopping = asyncio.create_task(bridge.stop())

        async def going_down() -> bool:
            health = await shop.http.get("/health/ready")
            return bool(health.json()["phase"] == "stopping")

        await eventually(going_down)
        assert (await shop.http.get("/events/com.a/")).status_code == 503
        with pytest.raises(httpx.RemoteProtocolError):  # after which EventSource comes again
            await shop.http.get("/events/com.a/", headers={"Accept": "text/event-stream"})
        answering.set()
        assert (await calling)["result"] == 1
        await stopping


@pytest.mark.parametrize("router_url", ["memory:"])
async def test_a_topic_is_followed_for_a_while_after_its_last_stream(
    config: Config, tmp_path: Path
) -> None:
    """And for as long again when the bridge comes back."""
    clock = FakeClock()
    bank = msgspec.structs.replace(config.apps["bank"], streams=StreamConfig(topics=1))
    config = msgspec.structs.replace(
        config,
        store=StoreConfig(url=f"sqlite:///{tmp_path / 'bridge.db'}"),
        apps={**config.apps, "bank": bank},
    )
    last = ""
    for number in range(2):
        bridge = Bridge(config, clock)
        await bridge.start()
        try:
            headers = {"Authorization": "Bearer token-of-bank"}
            async with plain_http(bridge.url, headers=headers) as http:
                async with following(http, "/events/com.a/", last) as stream:
                    await stream.ready()
                    await publish(Client(http), "com.a", number)
                    assert await stream.args(1) == [[number]]
                    last = stream.last_id
                clock.pass_by(200)
                assert (await http.get("/events/com.b/")).status_code == 503
                if number:
                    await clock.until(partial(has_room, http, "/events/com.b/"), step=20)
        finally:
            await bridge.stop()
        clock.pass_by(1000)  # while there is no bridge, nobody can come back


async def has_room(http: httpx.AsyncClient, path: str) -> bool:
    """Whether another topic may be followed."""
    async with http.stream("GET", path) as response:
        return response.status_code == 200


@pytest.mark.parametrize("router_url", ["memory:"])
async def test_an_app_that_signs_follows_with_its_client(bridge: Bridge, bank: Client) -> None:
    settings = Settings(url=bridge.url, app="shop", secrets=(SECRET,))
    async with AsyncBridge(settings) as client:
        events = client.events("com.a", match="prefix")
        first = asyncio.ensure_future(anext(events))

        async def told() -> bool:
            await publish(bank, "com.a.b", 1)
            return first.done()

        await eventually(told)
        event = first.result()
        assert (event.topic, event.args) == ("com.a.b", [1])
        url = await client.events_url("com.a", match="prefix")
    async with plain_http("") as http, following(http, str(url)) as stream:
        await stream.ready()
        await publish(bank, "com.a.c", 2)
        came = await stream.args(1)
        while came == [[1]]:  # one of those from before that was on its way
            came = await stream.args(1)
        assert came == [[2]]
