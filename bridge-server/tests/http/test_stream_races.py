"""Topics followed while something else happens: what is refused then leaves nothing behind."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from support.event_streams import following
from support.waiting import eventually
from wamp_bridge_server.config import Permissions, StreamConfig
from wamp_bridge_server.services.logs import Log, Logs

if TYPE_CHECKING:
    from support.clients import Client
    from wamp_bridge_server.bridge import Bridge
    from wamp_bridge_server.config import AppConfig, Config

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
async def test_what_may_not_be_followed_any_more_is_not_begun(
    shop: Client, bridge: Bridge, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Logs.open
    reloading: list[asyncio.Task[None]] = []

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
