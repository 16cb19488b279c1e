"""Where a project's settings come from, and what is made of them."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING

import pytest
import respx
from asgiref.sync import sync_to_async
from django.conf import settings
from django.test.utils import setup_test_environment, teardown_test_environment

from wamp_bridge.adapters import django as adapter
from wamp_bridge.adapters.django import WampBridge
from wamp_bridge.adapters.django._settings import DjangoSettings
from wamp_bridge.core import BlockedLoop, BridgeError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable


def test_the_names_of_the_module_belong_to_one_bridge() -> None:
    names = ("acall", "apublish", "call", "callback", "publish", "rpc", "sub")
    (owner,) = {getattr(adapter, name).__self__ for name in names}
    assert isinstance(owner, WampBridge)
    assert owner.dispatcher is adapter.dispatcher


def test_django_s_settings_come_before_the_environment(
    wamp: WampBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAMP_BRIDGE_TOKEN", "of-the-environment")
    monkeypatch.setenv("WAMP_BRIDGE_TIMEOUT", "3")
    assert (wamp.settings.token, wamp.settings.timeout) == ("token", 3.0)


def test_settings_that_a_test_overrides_are_in_force_at_once(
    wamp: WampBridge, configure: Callable[..., None]
) -> None:
    assert wamp.settings.url == "http://bridge.test/"
    configure(url="http://another.test")
    assert wamp.settings.url == "http://another.test/"
    configure(url="nonsense")
    with pytest.raises(ConfigurationError, match="WAMP_BRIDGE_URL"):
        _ = wamp.settings


def test_settings_are_a_mapping_of_those_that_are_ours(configure: Callable[..., None]) -> None:
    configure(timeout=4)
    ours = DjangoSettings()
    assert len(ours) == len(list(ours)) == 6
    assert ours["WAMP_BRIDGE_TIMEOUT"] == settings.WAMP_BRIDGE_TIMEOUT == 4
    assert "WAMP_BRIDGE_NONE" not in ours


def test_nothing_is_announced_from_within_a_test_runner(
    wamp: WampBridge, configure: Callable[..., None]
) -> None:
    assert wamp.settings.announce
    setup_test_environment()
    try:
        configure(announce=True)
        assert not wamp.settings.announce
    finally:
        teardown_test_environment()


@respx.mock
def test_calls_and_publications_go_to_the_bridge(wamp: WampBridge) -> None:
    respx.post("http://bridge.test/call/com.shop.f/").respond(
        json={"result": 3, "args": [3], "kwargs": {}}
    )
    respx.post("http://bridge.test/publish/com.shop.t/").respond(json={"publication": 7})
    assert wamp.call("f", ["x"]) == 3
    assert wamp.publish("t") == 7


@respx.mock
async def test_code_on_a_loop_has_calls_and_publications_that_are_awaited(
    wamp: WampBridge,
) -> None:
    called = respx.post("http://bridge.test/call/com.shop.f/").respond(
        json={"result": 3, "args": [3], "kwargs": {}}
    )
    respx.post("http://bridge.test/publish/com.shop.t/").respond(json={"publication": 7})
    assert await wamp.acall("f", ["x"], timeout=2) == 3
    assert json.loads(called.calls.last.request.content)["timeout"] == 2
    assert (await wamp.acall("f", full=True)).args == [3]
    assert await wamp.apublish("t", {"a": 1}) == 7
    await wamp.async_bridge.aclose()


@respx.mock
async def test_a_callback_is_given_by_its_name(wamp: WampBridge) -> None:
    route = respx.post("http://bridge.test/call/com.slow/").respond(
        202, json={"id": "c", "status": "pending"}
    )
    wamp.callback("settled")(lambda _outcome: None)
    assert (await asyncio.to_thread(lambda: wamp.call("com.slow", callback="settled"))).id == "c"
    assert (await wamp.acall("com.slow", callback="settled")).id == "c"
    await wamp.async_bridge.aclose()
    for call in route.calls:
        asked = json.loads(call.request.content)
        assert asked["callback"] == "http://shop.test/wamp/callback/settled/"
    with pytest.raises(BridgeError, match="unsettled"):
        await asyncio.to_thread(lambda: wamp.call("com.slow", callback="unsettled"))
    with pytest.raises(BridgeError, match="unsettled"):
        await wamp.acall("com.slow", callback="unsettled")


@respx.mock
async def test_code_on_a_loop_does_not_wait_in_its_thread(
    wamp: WampBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ask in (wamp.call, wamp.publish, partial(wamp.publish, on_commit=True)):
        with pytest.raises(BlockedLoop, match=r"`await apublish\(\.\.\.\)`"):
            ask("t")
    respx.post("http://bridge.test/publish/com.shop.t/").respond(json={"publication": 7})
    assert await sync_to_async(wamp.publish)("t") == 7
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    assert wamp.publish("t") == 7
