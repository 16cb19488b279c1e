"""Topics followed by many, and while something else happens: nothing is left behind or unsaid."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from support.clients import Client, plain_http
from support.clocks import FakeClock
from support.event_streams import following
from support.waiting import eventually
from wamp_bridge_server.bridge import Bridge
from wamp_bridge_server.config import Permissions, StreamConfig, Token, hash_token
from wamp_bridge_server.http.following import FollowedTopic
from wamp_bridge_server.services import logs as module
from wamp_bridge_server.services.logs import Log, Logs

if TYPE_CHECKING:
    from wamp_bridge_server.config import AppConfig, Config
    from wamp_bridge_server.store import EventRecord

TOPICS = [f"com.{letter}" for letter in "abcd"]


def with_shop(config: Config, **changes: Any) -> Config:
    shop: AppConfig = msgspec.structs.replace(config.apps["shop"], **changes)
    return msgspec.structs.replace(config, apps={**config.apps, "shop": shop})


@pytest.mark.parametrize("router_url", ["memory:"])
class TestAtOnce:
    @pytest.fixture
    def config(self, config: Config) -> Config:
        return with_shop(config, streams=StreamConfig(at_once=1, topics=len(TOPICS)))

    async def test_one_stream_too_many_is_no_topic_too_many(self, shop: Client) -> None:
        async with AsyncExitStack() as open_ones:

            async def follow(topic: str) -> int:
                request = shop.http.build_request("GET", f"/events/{topic}/")
                response = await shop.http.send(request, stream=True)
                open_ones.push_async_callback(response.aclose)
                return response.status_code

            statuses = await asyncio.gather(*(follow(topic) for topic in TOPICS))
            assert sorted(statuses) == [200, 503, 503, 503]
        for topic in TOPICS:

            async def is_followed(topic: str = topic) -> bool:
                async with shop.http.stream("GET", f"/events/{topic}/") as response:
                    return response.status_code == 200

            await eventually(is_followed)


@pytest.mark.parametrize("router_url", ["memory:"])
async def test_who_is_cut_off_behind_ready_knows_of_the_gap(
    shop: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bytes] = []
    send = FollowedTopic._send

    async def noted(topic: FollowedTopic, text: bytes) -> None:
        written.append(text)
        await send(topic, text)

    monkeypatch.setattr(FollowedTopic, "_send", noted)
    async with following(shop.http, "/events/com.a/", "log_of-another-9") as stream:
        await stream.ready()
        gap = await stream.next()
        assert gap is not None
        assert gap.event == "gap"
    assert len(written) == 1


@pytest.mark.parametrize("router_url", ["memory:"])
async def test_who_leaves_while_the_store_is_read_has_no_connection_to_it_cut(
    shop: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, read = asyncio.Event(), asyncio.Event()
    outcomes: list[str] = []

    async def slowly(_logs: Logs, _log: Log, _seq: int) -> list[EventRecord]:
        reading.set()
        try:
            await read.wait()
        except asyncio.CancelledError:
            outcomes.append("cancelled")
            raise
        outcomes.append("read")
        return []

    monkeypatch.setattr(Logs, "behind", slowly)
    async with following(shop.http, "/events/com.a/") as stream:
        await stream.ready()
        await reading.wait()

    async def left() -> bool:
        return bool((await shop.get("/health/ready"))["streams"] == 0)

    await eventually(left)
    read.set()
    await eventually(lambda: outcomes == ["read"])


@pytest.mark.parametrize("router_url", ["memory:"])
async def test_what_is_in_memory_of_all_topics_is_bounded(
    shop: Client, bank: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TAILS_BYTES", 20_000)
    read: list[str] = []
    behind = Logs.behind

    async def noted(logs: Logs, log: Log, seq: int) -> list[EventRecord]:
        assert sum(each.weight for each in logs.by_id.values()) < 30_000
        if log.in_memory(seq) is None:
            read.append(log.record.uri)
        return await behind(logs, log, seq)

    monkeypatch.setattr(Logs, "behind", noted)
    places = {}
    for topic in TOPICS:
        async with following(shop.http, f"/events/{topic}/") as stream:
            await stream.ready()
            places[topic] = stream.last_id
            events = [{"args": [number, "x" * 1000]} for number in range(5)]
            await bank.post(f"/publish/{topic}/", {"events": events})
            await stream.args(5)
    for topic in TOPICS:
        async with following(shop.http, f"/events/{topic}/", places[topic]) as stream:
            await stream.ready()
            assert [args[0] for args in await stream.args(5)] == [*range(5)]
    assert TOPICS[0] in read
    assert TOPICS[-1] not in read


@pytest.mark.parametrize("router_url", ["memory:"])
async def test_what_may_not_be_followed_any_more_is_not_begun(
    shop: Client, bridge: Bridge, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Logs.open
    reloading: list[asyncio.Task[list[str]]] = []

    async def is_forbidden() -> bool:
        return (await shop.http.head("/events/com.a/")).status_code == 403

    async def open_slowly(logs: Logs, *args: Any) -> Log:
        made = await opened(logs, *args)
        allowed = with_shop(config, allow=Permissions(subscribe=("com.b",)))
        reloading.append(asyncio.create_task(bridge.reload(allowed)))
        await eventually(is_forbidden)
        return made

    with monkeypatch.context() as patch:
        patch.setattr(Logs, "open", open_slowly)
        await shop.get("/events/com.a/", status=503)
    await asyncio.gather(*reloading)

    async def is_forgotten() -> bool:
        return not (await shop.get("/topics/"))["topics"]

    await eventually(is_forgotten)
    await shop.get("/events/com.a/", status=403)
    async with following(shop.http, "/events/com.b/") as stream:
        await stream.ready()


@pytest.mark.parametrize("router_url", ["memory:"])
async def test_a_stream_ends_with_a_token_that_may_have_opened_it(config: Config) -> None:
    clock = FakeClock()
    passing = Token(hash_token("passing"), clock.time() + 3600)
    bridge = Bridge(with_shop(config, tokens=(*config.apps["shop"].tokens, passing)), clock)
    await bridge.start()
    try:
        headers = {"Authorization": "Bearer token-of-shop"}
        async with plain_http(bridge.url, headers=headers) as http:
            others = {"Authorization": "Bearer token-of-bank"}
            async with (
                following(http, "/events/com.a/") as stream,
                following(http, "/events/com.a/", headers=others) as other,
            ):
                await stream.ready()
                await other.ready()
                clock.pass_by(3500)
                await Client(http).post("/publish/com.a/", {"args": [1]})
                assert await stream.args(1) == [[1]]
                clock.pass_by(200)
                assert await stream.next() is None
                await Client(http).post("/publish/com.a/", {"args": [2]})
                assert await other.args(2) == [[1], [2]]
            async with following(http, "/events/com.a/", stream.last_id) as again:
                await again.ready()
                assert await again.args(1) == [[2]]
    finally:
        await bridge.stop()
