"""Factories, several apps in a process, and where an app's settings come from."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest
import respx
from flask import Flask

from wamp_bridge.adapters import flask as adapter
from wamp_bridge.adapters.flask import WampBridge
from wamp_bridge.core import BridgeError, ConfigurationError, Forbidden, generate_secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from wamp_bridge.core.testing import SignedBridge


def test_the_names_of_the_module_belong_to_one_bridge() -> None:
    owners = {
        getattr(adapter, name).__self__ for name in ("call", "callback", "publish", "rpc", "sub")
    }
    (owner,) = owners
    assert isinstance(owner, WampBridge)
    assert owner.dispatcher is adapter.dispatcher


def test_two_bridges_know_nothing_of_one_another(
    make_app: Callable[..., Flask], bridge_of: Callable[..., SignedBridge]
) -> None:
    first, second = WampBridge(), WampBridge()

    @first.rpc("com.shop.which")
    def first_which() -> str:
        return "first"

    @second.rpc("com.shop.which")
    def second_which() -> str:
        return "second"

    apps = make_app(first), make_app(second)
    answers = [bridge_of(app).invoke("com.shop.which") for app in apps]
    assert answers == ["first", "second"]


def test_apps_of_one_factory_serve_the_same_handlers_with_settings_of_their_own(
    make_app: Callable[..., Flask], wamp: WampBridge, bridge_of: Callable[..., SignedBridge]
) -> None:
    wamp.rpc()(settled)
    secrets = generate_secret(), generate_secret()
    prefixes = ("com.first", "com.second")
    apps = [
        make_app(wamp, secret=secret, prefix=prefix)
        for secret, prefix in zip(secrets, prefixes, strict=True)
    ]
    for app, secret, prefix in zip(apps, secrets, prefixes, strict=True):
        assert bridge_of(app, secret).invoke(f"{prefix}.settled") == "settled"
    with pytest.raises(Forbidden):
        bridge_of(apps[0], secrets[1]).manifest()


@respx.mock
def test_calls_and_publications_go_to_the_bridge_of_the_current_app(
    make_app: Callable[..., Flask], wamp: WampBridge
) -> None:
    apps = [make_app(wamp, url=f"http://bridge{number}.test/") for number in (1, 2)]
    for number in (1, 2):
        respx.post(f"http://bridge{number}.test/call/com.shop.f/").respond(
            json={"result": number, "args": [number], "kwargs": {}}
        )
        respx.post(f"http://bridge{number}.test/publish/com.shop.t/").respond(
            json={"publication": number}
        )
    for number, app in enumerate(apps, 1):
        with app.app_context():
            assert wamp.call("f", ["x"]) == number
            assert wamp.publish("t") == number


def test_outside_every_app_it_must_be_plain_which_one_is_meant(
    make_app: Callable[..., Flask], wamp: WampBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAMP_BRIDGE_URL", "http://of-the-environment.test/")
    assert wamp.settings.url == "http://of-the-environment.test/"
    make_app(wamp, url="http://of-the-app.test/")
    assert wamp.settings.url == "http://of-the-app.test/"
    second = make_app(wamp)
    with pytest.raises(ConfigurationError, match="context"):
        wamp.call("f")
    with second.app_context():
        assert wamp.settings.url == "http://bridge.test/"
    with Flask("another").app_context(), pytest.raises(ConfigurationError):
        wamp.publish("t")


def test_a_thread_without_a_context_uses_the_only_app(app: Flask, wamp: WampBridge) -> None:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(wamp.settings.token))
    thread.start()
    thread.join()
    assert found == [app.config["WAMP_BRIDGE_TOKEN"]]


def test_the_config_of_the_app_comes_before_the_environment(
    app: Flask, wamp: WampBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAMP_BRIDGE_TOKEN", "of-the-environment")
    monkeypatch.setenv("WAMP_BRIDGE_TIMEOUT", "3")
    with app.app_context():
        assert (wamp.settings.token, wamp.settings.timeout) == ("token", 3.0)


def test_config_that_is_set_after_mounting_counts(wamp: WampBridge) -> None:
    app = Flask("late")
    app.register_blueprint(wamp.dispatcher, url_prefix="/wamp")
    app.config["WAMP_BRIDGE_PREFIX"] = "com.late"
    with app.app_context():
        assert wamp.settings.prefix == "com.late."


def test_set_up_by_the_constructor_or_by_init_app_or_by_mounting_is_the_same() -> None:
    by_constructor = Flask("constructor")
    WampBridge(by_constructor)
    by_init_app = Flask("init_app")
    bridge = WampBridge()
    bridge.init_app(by_init_app)
    bridge.init_app(by_init_app)
    by_init_app.register_blueprint(bridge.dispatcher)
    for app in (by_constructor, by_init_app):
        assert "wamp_bridge" in app.extensions


def test_an_app_has_one_bridge(app: Flask) -> None:
    with pytest.raises(ConfigurationError, match="another WampBridge"):
        WampBridge(app)


@respx.mock
def test_a_callback_is_given_by_its_name(app: Flask, wamp: WampBridge) -> None:
    route = respx.post("http://bridge.test/call/com.slow/").respond(
        202, json={"id": "c", "status": "pending"}
    )
    wamp.callback()(settled)
    with app.app_context():
        assert wamp.call("com.slow", callback="settled").id == "c"
        asked = json.loads(route.calls.last.request.content)
        assert asked["callback"] == "http://shop.test/wamp/callback/settled/"
        with pytest.raises(BridgeError, match="unsettled"):
            wamp.call("com.slow", callback="unsettled")


def settled(*_outcome: object) -> str:
    return "settled"
