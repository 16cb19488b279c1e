"""A topic is followed over a kill of the bridge, with a publisher that never stops."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from support.event_streams import following
from support.peers import joined
from support.router import CrossbarRouter, running_router
from support.served import ServedBridge
from wamp_bridge.core import AsyncBridge, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.peers import Peer

TOPIC = "com.news.sold"
HISTORY = {
    "type": "memory",
    "event-history": [{"uri": TOPIC, "match": "exact", "limit": 10_000}],
}


@pytest.fixture(scope="module")
def router() -> Iterator[CrossbarRouter]:
    with running_router(store=HISTORY) as running:
        yield running


async def test_nothing_is_lost_or_doubled_when_the_bridge_is_killed(
    tmp_path: Path, router: CrossbarRouter
) -> None:
    bridge = ServedBridge(tmp_path, router.url)
    with bridge:
        bridge.wait_until_ready()
        async with joined(router.url) as peer, bridge.client() as http:
            await peer.subscribe(TOPIC, lambda *_: None)  # Crossbar keeps what somebody got
            async with following(http, f"/events/{TOPIC}/") as stream:
                await stream.ready()
                begin = stream.last_id
            settings = Settings(url=bridge.url, token="token-of-shop")
            async with AsyncBridge(settings) as sdk:
                publishing = asyncio.create_task(publish_on_and_on(peer))
                events = sdk.events(TOPIC, last_event_id=begin)
                got = []
                async for event in events:
                    got.append(event.args[0])
                    if len(got) == 50:
                        bridge.kill()
                        await asyncio.sleep(0)  # the publisher goes on; the next is from before
                        restarting = asyncio.create_task(asyncio.to_thread(bridge.start))
                    if len(got) > 50 and restarting.done() and not publishing.done():
                        publishing.cancel()
                        await asyncio.gather(publishing, return_exceptions=True)
                        await peer.publish(TOPIC, "last")
                    if event.args == ["last"]:
                        break
            await restarting
            count = len(got) - 1
            assert got == [*range(count), "last"]
            # One who comes with what they knew before the kill gets the same.
            async with following(http, f"/events/{TOPIC}/", begin) as stream:
                await stream.ready()
                again = [args[0] for args in await stream.args(count + 1)]
            assert again == got


async def publish_on_and_on(peer: Peer) -> None:
    number = 0
    while True:
        await peer.publish(TOPIC, number)
        number += 1
        await asyncio.sleep(0.005)
