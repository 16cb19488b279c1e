"""Code as users write it, which is only type-checked: what calls return."""

from __future__ import annotations

from typing import Any, assert_type

from wamp_bridge.core import (
    AsyncBridge,
    AsyncWampBridgeBase,
    Bridge,
    BridgeError,
    CallResult,
    PendingCall,
    Registration,
    Removed,
    Settings,
    Source,
    Subscription,
    WampBridgeBase,
)

wamp = WampBridgeBase()
async_wamp = AsyncWampBridgeBase()
settings = Settings(url="http://localhost:8181/", token="t")  # noqa: S106 - made up


def view() -> None:
    wamp.publish("sujet", ["arg1"])
    assert_type(wamp.call("function", ["arg1"]), Any)
    assert_type(wamp.call("function", {"name": 1}, timeout=2), Any)
    assert_type(wamp.call("function", ("arg1",), {"self": 1}, full=True), CallResult)
    assert_type(wamp.call("function", callback="done"), PendingCall)
    assert_type(wamp.publish("sujet", options={"exclude_me": True}), int | None)
    assert_type(wamp.bridge, Bridge)
    assert_type(wamp.async_bridge, AsyncBridge)
    wamp.call("function", "arg1", "arg2")  # type: ignore[call-overload] # kwargs is a mapping
    wamp.call("function", callback=3)  # type: ignore[call-overload] # a URL or a name


def with_a_client() -> None:
    with Bridge(settings) as bridge:
        assert_type(bridge.register({"f": "http://h/f"}, lease=5), list[Registration])
        bridge.register({"f": {"url": "http://h/f", "match": "prefix"}})
        assert_type(bridge.subscribe({"t": "http://h/t"}), list[Subscription])
        assert_type(bridge.unregister(["f"], match="prefix"), Removed)
        assert_type(bridge.announce(wait=True), Source)
        assert_type(bridge.heartbeat(), int)
        bridge.unsubscribe(["t"], match="regex")  # type: ignore[arg-type] # one of three
        try:
            bridge.call("f")
        except BridgeError as error:
            assert_type(error.status, int)
            assert_type(error.uri, str)
            assert_type(error.kwargs, dict[str, Any])
            assert_type(error.retry_after, float | None)


async def on_a_loop() -> None:
    async with AsyncBridge(settings) as bridge:
        assert_type(await bridge.call("f", full=True), CallResult)
        assert_type(await bridge.call("f", callback="done"), PendingCall)
        assert_type(await bridge.publish("t"), int | None)
        assert_type(await bridge.sources(), list[Source])


async def in_a_path_function() -> None:
    assert_type(await async_wamp.call("function", ["arg1"]), Any)
    assert_type(await async_wamp.call("function", full=True), CallResult)
    assert_type(await async_wamp.call("function", callback="done"), PendingCall)
    assert_type(await async_wamp.publish("sujet"), int | None)
    assert_type(await async_wamp.announce(), Source)
