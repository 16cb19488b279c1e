"""`AsyncBridge`: the same exchanges, on a loop."""

from __future__ import annotations

import asyncio
import inspect
import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.plain_server import Asked, PlainServer, Reply, plain_server
from support.processes import free_port
from support.waiting import eventually
from wamp_bridge.core import (
    ApplicationError,
    AsyncBridge,
    Bridge,
    BridgeUnreachable,
    CallResult,
    CallTimeout,
    ConfigurationError,
    PendingCall,
    Settings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[PlainServer]:
    with plain_server(lambda _: Reply(200, {"result": 1, "args": [1], "kwargs": {}})) as server:
        yield server


def at(url: str) -> AsyncBridge:
    return AsyncBridge(Settings(url=url, token="t", callback_url="http://h/wamp/"))


async def test_everything_is_asked_as_the_other_client_asks_it(server: PlainServer) -> None:
    entry = {"id": "1", "uri": "f", "url": "u", "match": "exact", "state": "live"}
    replies = {
        "/call/f/": {"result": 1, "args": [1], "kwargs": {}},
        "/call/g/": {"id": "c", "status": "pending"},
        "/calls/c/": {"id": "c", "status": "pending"},
        "/calls/d/": {"id": "d", "status": "pending"},
        "/publish/t/": {"publication": 7},
        "/register/": {"registrations": [entry]},
        "/unregister/": {"unregistered": ["f"], "unknown": []},
        "/subscribe/": {"subscriptions": [entry]},
        "/unsubscribe/": {"unsubscribed": ["f"], "unknown": []},
        "/announce/": {"source": entry},
        "/withdraw/": {},
        "/heartbeat/": {"renewed": 1},
        "/registrations/?limit=1000": {"registrations": [entry], "cursor": None},
        "/subscriptions/?limit=1000": {"subscriptions": [entry], "cursor": None},
        "/sources/?limit=1000": {"sources": [entry], "cursor": None},
        "/dead-letters/?limit=1000": {"dead_letters": [entry], "cursor": None},
        "/dead-letters/?limit=1": {"dead_letters": [], "cursor": None, "total": 3},
        "/dead-letters/m1/replay/": {"replayed": 1},
        "/dead-letters/m1/": {},
    }
    server.answering = lambda asked: Reply(200, replies[asked.path])
    asks: dict[str, tuple[Any, ...]] = {
        "call": ("f", [1], {"self": 2}),
        "start_call": ("g", [1]),
        "read_call": ("c",),
        "cancel_call": ("d",),
        "publish": ("t", {"topic": 1}),
        "register": ({"f": "u"},),
        "unregister": (["f"],),
        "subscribe": ({"f": "u"},),
        "unsubscribe": (["f"],),
        "announce": (),
        "withdraw": (),
        "heartbeat": (),
        "registrations": (),
        "subscriptions": (),
        "sources": (),
        "dead_letters": (),
        "count_dead_letters": (),
        "replay_dead_letters": ("m1",),
        "delete_dead_letters": ("m1",),
    }
    sync = Bridge(Settings(url=server.url, token="t", callback_url="http://h/wamp/"))
    async with at(server.url) as bridge:
        for name, args in asks.items():
            expected = await asyncio.to_thread(getattr(sync, name), *args)
            assert await getattr(bridge, name)(*args) == expected, name
    sync.close()
    pairs = zip(server.asked[::2], server.asked[1::2], strict=True)
    for one, other in pairs:
        assert (one.method, one.path, one.body) == (other.method, other.path, other.body)
    assert set(server.paths) == set(replies)


def test_both_clients_have_the_same_methods() -> None:
    def methods(kind: type) -> dict[str, inspect.Signature]:
        return {
            name: inspect.signature(function)
            for name, function in vars(kind).items()
            if not name.startswith("_") and name not in ("close", "aclose")
        }

    assert methods(Bridge) == methods(AsyncBridge)


async def test_results_of_every_kind(server: PlainServer) -> None:
    async with at(server.url) as bridge:
        assert await bridge.call("f") == 1
        assert await bridge.call("f", full=True) == CallResult([1], {})
        server.answering = lambda _: Reply(202, {"id": "c", "status": "pending"})
        assert await bridge.call("f", callback="done") == PendingCall("c")
        server.answering = lambda _: Reply(500, {"error": "com.x", "args": [1], "kwargs": {}})
        with pytest.raises(ApplicationError):
            await bridge.call("f")


async def test_calls_run_at_once(server: PlainServer) -> None:
    together = threading.Barrier(5)

    def meet(_asked: Asked) -> Reply:
        together.wait(10)
        return Reply(200, {"result": 1})

    server.answering = meet
    async with at(server.url) as bridge:
        assert await asyncio.gather(*(bridge.call("f") for _ in range(5))) == [1] * 5


async def test_what_is_safe_is_tried_again(server: PlainServer) -> None:
    replies = [None, Reply(503, {}, {"retry-after": "0"}), Reply(200, {"renewed": 1})]
    server.answering = lambda _: replies.pop(0)
    async with at(server.url) as bridge:
        assert await bridge.heartbeat() == 1
        server.answering = lambda _: None
        with pytest.raises(BridgeUnreachable):
            await bridge.call("f")
    assert len(server.asked) == 4


async def test_a_bridge_that_is_away_is_unreachable() -> None:
    async with at(f"http://127.0.0.1:{free_port()}/") as bridge:
        with pytest.raises(BridgeUnreachable):
            await bridge.call("f")


async def test_a_cancelled_task_gives_its_connection_up(server: PlainServer) -> None:
    release = threading.Event()

    def hang(_asked: Asked) -> Reply:
        release.wait(20)
        return Reply(200, {"result": 1})

    server.answering = hang
    async with at(server.url) as bridge:
        task = asyncio.create_task(bridge.call("f"))
        await eventually(lambda: server.asked)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(CallTimeout):
            await bridge.publish("t", timeout=0.1)
        release.set()
        server.answering = lambda _: Reply(200, {"result": 2})
        assert await bridge.call("f") == 2


def test_each_loop_has_connections_of_its_own(server: PlainServer) -> None:
    bridge = at(server.url)

    async def ask() -> Any:
        async with bridge:
            await bridge.call("f")
            return await bridge.call("f")

    assert [asyncio.run(ask()) for _ in range(3)] == [1, 1, 1]
    assert len({asked.client for asked in server.asked}) == 3


async def test_loops_of_two_threads_share_a_bridge(server: PlainServer) -> None:
    bridge = at(server.url)

    async def ask() -> Any:
        result = await bridge.call("f")
        await bridge.aclose()
        return result

    other = asyncio.to_thread(asyncio.run, ask())
    assert set(await asyncio.gather(ask(), other)) == {1}


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(ConfigurationError, match="WAMP_BRIDGE_TOKEN"):
        AsyncBridge(Settings(url="http://h/"))
