"""`WampBridgeBase` as an adapter would use it, and `Mount` under it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from support.plain_server import PlainServer, Reply, plain_server
from wamp_bridge.core import (
    ConfigurationError,
    Mount,
    Outcome,
    Request,
    WampBridgeBase,
    generate_secret,
)
from wamp_bridge.core.testing import SignedBridge, read_answer, signed_request

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = generate_secret()


@pytest.fixture
def server() -> Iterator[PlainServer]:
    with plain_server(lambda _: Reply(200, {"result": 3, "args": [3], "kwargs": {}})) as server:
        yield server


def settings(server: PlainServer, **more: object) -> dict[str, object]:
    return {
        "WAMP_BRIDGE_URL": server.url,
        "WAMP_BRIDGE_TOKEN": "t",
        "WAMP_BRIDGE_SECRET": SECRET,
        "WAMP_BRIDGE_CALLBACK_URL": "http://127.0.0.1:9/wamp/",
        "WAMP_BRIDGE_PREFIX": "com.shop",
        "WAMP_BRIDGE_ANNOUNCE": False,
    } | more


@pytest.fixture
def wamp(server: PlainServer) -> Iterator[WampBridgeBase]:
    wamp = WampBridgeBase(settings(server))
    yield wamp
    wamp.close()


def test_the_article_s_own_lines_work(wamp: WampBridgeBase, server: PlainServer) -> None:
    publish, call, rpc, sub = wamp.publish, wamp.call, wamp.rpc, wamp.sub
    seen = []

    @rpc()
    def nom_fonction_1(val1: int, val2: int) -> int:
        return val1 + val2

    @sub()
    def nom_topic_1(val1: int, val2: int) -> None:
        seen.append((val1, val2))

    server.answering = lambda _: Reply(200, {"publication": 1})
    publish("sujet", ["arg1"])
    server.answering = lambda _: Reply(200, {"result": "resultat"})
    assert call("function", ["arg1"]) == "resultat"
    assert server.paths == ["/publish/com.shop.sujet/", "/call/com.shop.function/"]

    bridge = SignedBridge(wamp.handle, [SECRET])
    assert bridge.invoke("com.shop.nom_fonction_1", [1, 2]) == 3
    assert bridge.publish("com.shop.nom_topic_1", [1, 2]).status == 204
    assert seen == [(1, 2)]


async def test_it_is_served_on_a_loop_as_well(wamp: WampBridgeBase) -> None:
    wamp.rpc("f")(lambda: 5)
    assert list(wamp.registry.table("com.shop.").procedures) == ["com.shop.f"]
    body = (
        b'{"type":"invocation","endpoint":{"uri":"com.shop.f","match":"exact"},'
        b'"procedure":"com.shop.f"}'
    )
    response = await wamp.handle_async(signed_request(body, secrets=[SECRET]))
    assert read_answer(response).value == 5
    assert await wamp.async_bridge.call("f") == 3
    await wamp.async_bridge.aclose()


def test_a_callback_must_be_one_of_the_app(wamp: WampBridgeBase, server: PlainServer) -> None:
    server.answering = lambda _: Reply(202, {"id": "c1", "status": "pending"})

    @wamp.callback()
    def done(_outcome: Outcome) -> None: ...

    assert wamp.call("f", callback="done").id == "c1"
    assert server.asked[0].document["callback"] == "http://127.0.0.1:9/wamp/callback/done/"
    wamp.call("f", callback="http://elsewhere/")
    with pytest.raises(ConfigurationError, match="'nobody'"):
        wamp.call("f", callback="nobody")
    assert len(server.asked) == 2


def test_a_full_result_is_asked_for(wamp: WampBridgeBase) -> None:
    assert wamp.call("f", full=True).args == [3]
    assert wamp.call("f", full=False) == 3


def test_announcing_and_withdrawing_by_hand(wamp: WampBridgeBase, server: PlainServer) -> None:
    source = {"id": "s", "url": "u", "state": "live", "reason": None}
    server.answering = lambda _: Reply(200, {"source": source})
    assert wamp.announce(wait=True).state == "live"
    wamp.withdraw()
    assert server.paths == ["/announce/", "/withdraw/"]


def test_settings_are_read_late_and_anew_when_configured(server: PlainServer) -> None:
    config: dict[str, object] = {}
    wamp = WampBridgeBase(config)
    config.update(settings(server))
    assert wamp.settings.prefix == "com.shop."
    wamp.call("f")
    first = wamp.bridge
    config["WAMP_BRIDGE_PREFIX"] = "com.other"
    assert wamp.settings.prefix == "com.shop."
    wamp.configure(config)
    assert wamp.settings.prefix == "com.other."
    wamp.call("f")
    assert wamp.bridge is not first
    assert server.paths == ["/call/com.shop.f/", "/call/com.other.f/"]
    assert wamp.core_dispatcher is wamp.core_dispatcher
    wamp.close()


def test_without_sources_the_environment_has_the_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WAMP_BRIDGE_PREFIX", "com.env")
    assert WampBridgeBase().settings.prefix == "com.env."


def test_a_bad_setting_is_told_when_it_is_needed() -> None:
    wamp = WampBridgeBase({"WAMP_BRIDGE_TIMEOUT": "soon"})
    wamp.rpc("f")(lambda: None)
    for need in (lambda: wamp.settings, lambda: wamp.call("f"), lambda: wamp.handle(request)):
        with pytest.raises(ConfigurationError, match="WAMP_BRIDGE_TIMEOUT"):
            need()


request = Request("POST", "", {})


def test_two_apps_know_nothing_of_one_another(server: PlainServer) -> None:
    one, other = WampBridgeBase(settings(server)), WampBridgeBase(settings(server))
    one.rpc("f")(lambda: 1)
    other.rpc("f")(lambda: 2)
    for wamp, result in ((one, 1), (other, 2)):
        assert SignedBridge(wamp.handle, [SECRET]).invoke("com.shop.f") == result


class Several(WampBridgeBase):
    """An adapter of a framework that can run several apps in a process."""

    current: Mount | None = None

    def current_mount(self) -> Mount | None:
        return self.current


def test_several_apps_serve_the_same_handlers(server: PlainServer) -> None:
    wamp = Several(os.environ)
    wamp.rpc("f")(lambda: 1)
    first = wamp.add_mount(settings(server))
    assert wamp.mount is first
    second = wamp.add_mount(settings(server, WAMP_BRIDGE_PREFIX="com.second"))
    with pytest.raises(ConfigurationError, match="2 apps"):
        wamp.call("f")
    for mount, path in ((first, "/call/com.shop.f/"), (second, "/call/com.second.f/")):
        wamp.current = mount
        wamp.call("f")
        assert server.paths[-1] == path
        manifest = SignedBridge(wamp.handle, [SECRET]).manifest()
        assert list(manifest["procedures"]) == [path.split("/")[2]]
        wamp.close()


async def test_asynchronous_code_of_a_synchronous_framework_asks_the_same(
    wamp: WampBridgeBase, server: PlainServer
) -> None:
    wamp.callback("done")(lambda _outcome: None)
    assert await wamp.acall("f", [1], timeout=2) == 3
    assert (await wamp.acall("f", full=True)).args == [3]
    server.answering = lambda _: Reply(202, {"id": "c", "status": "pending"})
    assert (await wamp.acall("f", callback="done")).id == "c"
    server.answering = lambda _: Reply(200, {"publication": 7})
    assert await wamp.apublish("t", {"a": 1}, options={"retain": True}) == 7
    assert [asked.path for asked in server.asked] == [
        *["/call/com.shop.f/"] * 3,
        "/publish/com.shop.t/",
    ]
    assert server.asked[2].document["callback"] == "http://127.0.0.1:9/wamp/callback/done/"
    with pytest.raises(ConfigurationError, match="nobody"):
        await wamp.acall("f", callback="nobody")
    await wamp.aclose()
