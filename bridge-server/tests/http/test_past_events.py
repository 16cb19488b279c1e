"""The history of topics, at a router that keeps it and lets nobody see its registrations."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from support.listening import Listening
from support.peers import joined
from support.router import CrossbarRouter, running_router
from wamp_bridge.core import AsyncBridge, Forbidden, NotFound, Settings
from wamp_bridge.core import Bridge as Waiting
from wamp_bridge_server.backends.memory import MemoryBackend
from wamp_bridge_server.errors import NotOffered
from wamp_bridge_server.services import meta

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from support.clients import Client
    from wamp_bridge_server.bridge import Bridge

KEPT = [{"uri": "com.kept"}, {"uri": "com.pre", "match": "prefix"}]
ANYTHING = {"call": True, "register": True, "publish": True, "subscribe": True}
ALLOWED = [
    {
        "uri": uri,
        "match": "prefix",
        "allow": ANYTHING,
        "disclose": {"caller": True, "publisher": True},
    }
    for uri in ("com.", "wamp.subscription.")
]


@pytest.fixture(scope="module")
def router() -> Iterator[CrossbarRouter]:
    store = {"type": "memory", "event-history": KEPT}
    with running_router(store=store, roles={"anonymous": ALLOWED}) as running:
        yield running


@pytest.fixture
def router_url(router: CrossbarRouter) -> str:
    return router.url


@pytest.fixture
async def publications(router: CrossbarRouter) -> AsyncIterator[list[int]]:
    async with joined(router.url) as peer:
        await peer.subscribe("com.kept")  # Crossbar keeps what somebody got
        await peer.subscribe("com.pre", match="prefix")
        yield [
            await peer.publish(topic, number, kwargs={"by": "autobahn"})
            for number, topic in enumerate(["com.kept", "com.kept", "com.pre.x", "com.pre.y"])
        ]


async def test_past_events_are_read_newest_first(shop: Client, publications: list[int]) -> None:
    events = (await shop.get("/topics/com.kept/history/?limit=2"))["events"]
    assert [event["publication"] for event in events] == publications[1::-1]
    assert events[0]["args"] == [1]
    assert events[0]["kwargs"] == {"by": "autobahn"}
    assert events[0]["details"]["publisher_authrole"] == "anonymous"
    since, until = events[1]["published_at"], events[0]["published_at"]
    path = f"/topics/com.kept/history/?since={since!r}&until={until!r}"
    assert [event["args"] for event in (await shop.get(path))["events"]] == [[0]]
    # What a pattern keeps is its topics' history.
    [one] = (await shop.get("/topics/com.pre.x/history/?limit=1"))["events"]
    assert (one["topic"], one["publication"]) == ("com.pre.x", publications[2])
    pattern = (await shop.get("/topics/com.pre/history/?match=prefix&limit=2"))["events"]
    assert [event["topic"] for event in pattern] == ["com.pre.y", "com.pre.x"]
    # A topic without history is told from one with none.
    problem = await shop.get("/topics/com.other/history/", status=404)
    assert "keeps no history" in problem["detail"]
    assert await shop.get("/topics/com.pre.never/history/") == {"events": []}
    # What the router must allow is said.
    problem = await shop.get("/procedures/", status=403)
    assert "wamp.registration.list" in problem["detail"]
    assert "must allow that to its role" in problem["detail"]


async def test_the_clients_tell_of_all_of_it(bridge: Bridge, publications: list[int]) -> None:
    settings = Settings(url=bridge.url, token="token-of-shop")
    async with AsyncBridge(settings) as shop:
        await shop.publish("com.kept", ["again"])
        newest, before, *_ = await shop.history("com.kept", limit=2)
        assert newest.args == ["again"]
        assert (before.publication, before.kwargs) == (publications[1], {"by": "autobahn"})
        assert before.publisher_authrole == "anonymous"
        topics = {(topic.uri, topic.match) for topic in await shop.topics()}
        assert topics >= {("com.kept", "exact"), ("com.pre", "prefix")}
        with pytest.raises(Forbidden, match="must allow that"):
            await shop.procedures()
    with Waiting(settings) as waiting:
        told = await asyncio.to_thread(waiting.history, "com.kept", limit=1)
        assert [event.args for event in told] == [["again"]]
        with pytest.raises(NotFound):
            await asyncio.to_thread(waiting.history, "com.other")


async def test_what_keeps_no_history_at_all_says_so() -> None:
    session = MemoryBackend()
    await session.start(Listening())
    with pytest.raises(NotOffered):
        await meta.ask(session.session("shop"), "wamp.subscription.get_events", 1, limit=1)
    await session.close()
