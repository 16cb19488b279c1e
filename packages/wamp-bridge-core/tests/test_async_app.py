"""`AsyncWampBridgeBase`, and what an adapter puts around handlers."""

from __future__ import annotations

import asyncio
import functools
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from support.plain_server import PlainServer, Reply, plain_server
from wamp_bridge.core import (
    AsyncWampBridgeBase,
    BlockedLoop,
    Bridge,
    BridgeApp,
    BridgeError,
    ConfigurationError,
    Endpoint,
    InvocationEnvelope,
    Outcome,
    Response,
    Settings,
    WampBridgeBase,
    error_of_status,
    generate_secret,
)
from wamp_bridge.core.testing import SignedBridge, read_answer, signed_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = generate_secret()


@pytest.fixture
def server() -> Iterator[PlainServer]:
    with plain_server(lambda _: Reply(200, {"result": 3, "args": [3], "kwargs": {}})) as server:
        yield server


@pytest.fixture
def wamp(server: PlainServer) -> AsyncWampBridgeBase:
    return AsyncWampBridgeBase(
        {
            "WAMP_BRIDGE_URL": server.url,
            "WAMP_BRIDGE_TOKEN": "t",
            "WAMP_BRIDGE_CALLBACK_URL": "http://127.0.0.1:9/wamp/",
            "WAMP_BRIDGE_PREFIX": "com.shop",
        }
    )


async def test_what_is_asked_is_awaited(wamp: AsyncWampBridgeBase, server: PlainServer) -> None:
    assert await wamp.call("f", ["x"]) == 3
    assert (await wamp.call("f", full=True)).args == [3]
    server.answering = lambda _: Reply(200, {"publication": 1})
    assert await wamp.publish("t", {"a": 1}) == 1
    source = {"id": "s", "url": "u", "state": "live", "reason": None}
    server.answering = lambda _: Reply(200, {"source": source})
    assert (await wamp.announce(wait=True)).state == "live"
    await wamp.withdraw()
    assert server.paths == [
        "/call/com.shop.f/",
        "/call/com.shop.f/",
        "/publish/com.shop.t/",
        "/announce/",
        "/withdraw/",
    ]
    assert len({asked.client for asked in server.asked}) == 1
    await wamp.aclose()


async def test_closing_gives_the_connections_of_both_kinds_back(
    wamp: AsyncWampBridgeBase, server: PlainServer
) -> None:
    for _ in range(2):
        assert await wamp.call("f") == await asyncio.to_thread(wamp.bridge.call, "f") == 3
        await wamp.aclose()
    assert len({asked.client for asked in server.asked}) == 4


async def test_nothing_waits_in_the_thread_of_a_loop(
    wamp: AsyncWampBridgeBase, server: PlainServer
) -> None:
    for ask in (wamp.bridge.call, wamp.bridge.publish):
        with pytest.raises(BlockedLoop, match=r"write `await call\(\.\.\.\)`"):
            ask("f")
    with pytest.raises(BlockedLoop):
        wamp.bridge.announce()
    assert not server.asked


async def test_a_handler_that_would_hold_the_loop_up_is_told_of_in_the_log(
    wamp: AsyncWampBridgeBase, server: PlainServer, caplog: pytest.LogCaptureFixture
) -> None:
    wamp.configure(
        {"WAMP_BRIDGE_URL": server.url, "WAMP_BRIDGE_TOKEN": "t"}, {"WAMP_BRIDGE_SECRET": SECRET}
    )

    @wamp.rpc()
    async def f() -> None:
        wamp.bridge.publish("t")

    envelope = InvocationEnvelope(Endpoint("f"), "f", [], {}, {})
    answer = await wamp.handle_async(signed_request(envelope, secrets=[SECRET], path="rpc/f/"))
    with pytest.raises(BridgeError, match="the handler failed"):
        read_answer(answer)
    assert "write `await call(...)`" in caplog.text


async def test_a_loop_that_serves_one_request_alone_may_be_held_up(server: PlainServer) -> None:
    settings = {"WAMP_BRIDGE_URL": server.url, "WAMP_BRIDGE_TOKEN": "t"}
    with closing(WampBridgeBase(settings)) as wamp:
        assert wamp.call("f") == 3
    with Bridge(Settings(url=server.url, token="t")) as bridge:
        assert bridge.call("f") == 3


async def test_a_callback_must_be_one_of_the_app(
    wamp: AsyncWampBridgeBase, server: PlainServer
) -> None:
    server.answering = lambda _: Reply(202, {"id": "c1", "status": "pending"})

    @wamp.callback()
    def done(_outcome: Outcome) -> None: ...

    assert (await wamp.call("f", callback="done")).id == "c1"
    with pytest.raises(ConfigurationError, match="'nobody'"):
        await wamp.call("f", callback="nobody")
    await wamp.aclose()


class Around(BridgeApp):
    """An adapter of a framework that does something around functions."""

    def adapted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            return ["around", function(*args, **kwargs)]

        return run


def test_an_adapter_puts_its_framework_around_handlers() -> None:
    wamp = Around({"WAMP_BRIDGE_SECRET": SECRET})

    @wamp.rpc("com.shop.f")
    def named(number: int) -> int:
        return number

    assert named(1) == 1
    assert SignedBridge(wamp.handle, [SECRET]).invoke("com.shop.f", [1]) == ["around", 1]
    (handler,) = wamp.registry.table().procedures.values()
    assert "named" in handler.place


@pytest.mark.parametrize("status", [400, 401, 403, 422, 429, 503, 504])
def test_the_error_of_a_status_is_what_the_bridge_takes_it_for(status: int) -> None:
    error = error_of_status(status, "because")
    assert error is not None
    with pytest.raises(type(error)) as caught:
        read_answer(Response(status))
    assert (error.uri, error.args) == (caught.value.uri, ("because",))


@pytest.mark.parametrize("status", [302, 404, 410, 500])
def test_other_statuses_are_failures(status: int) -> None:
    assert error_of_status(status) is None
