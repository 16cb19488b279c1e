from __future__ import annotations

from typing import Any

import pytest

from wamp_bridge.core import ConfigurationError, Settings, generate_secret

SECRET = generate_secret()
OTHER = generate_secret()


def test_the_first_source_that_has_a_setting_decides() -> None:
    settings = Settings.load(
        {"WAMP_BRIDGE_URL": "http://first/", "WAMP_BRIDGE_TOKEN": None, "OTHER": 1},
        {"WAMP_BRIDGE_URL": "http://second/", "WAMP_BRIDGE_TOKEN": "", "WAMP_BRIDGE_APP": "shop"},
        {"WAMP_BRIDGE_TOKEN": "t"},
    )
    assert settings == Settings(url="http://first/", token="t", app="shop")


def test_without_any_setting_there_are_defaults() -> None:
    settings = Settings.load({})
    assert (settings.url, settings.token, settings.secrets) == (None, None, ())
    assert (settings.timeout, settings.prefix) == (10.0, "")
    assert (settings.announce, settings.verify) == (True, True)


def test_settings_may_be_written_as_in_an_ini_file() -> None:
    settings = Settings.load(
        {"wamp_bridge.callback_url": "http://h/wamp/", "wamp_bridge.secret": SECRET}
    )
    assert settings == Settings(callback_url="http://h/wamp/", secrets=(SECRET,))


@pytest.mark.parametrize(
    ("name", "text", "attribute", "value"),
    [
        ("TIMEOUT", "2.5", "timeout", 2.5),
        ("TIMEOUT", 3, "timeout", 3.0),
        ("ANNOUNCE", "off", "announce", False),
        ("ANNOUNCE", "True", "announce", True),
        ("ANNOUNCE", 1, "announce", True),
        ("VERIFY", False, "verify", False),
        ("VERIFY", "0", "verify", False),
        ("SECRET", f"{SECRET}, {OTHER}", "secrets", (SECRET, OTHER)),
        ("SECRET", f" {SECRET} {OTHER} ", "secrets", (SECRET, OTHER)),
        ("SECRET", [SECRET, OTHER], "secrets", (SECRET, OTHER)),
        ("PREFIX", "com.shop", "prefix", "com.shop."),
        ("PREFIX", "com.shop.", "prefix", "com.shop."),
        ("URL", "http://localhost:8181", "url", "http://localhost:8181/"),
        ("URL", " https://h/bridge ", "url", "https://h/bridge/"),
        ("URL", "http://[::1]:8181/", "url", "http://[::1]:8181/"),
        ("APP", "shop", "app", "shop"),
    ],
)
def test_settings_are_read(name: str, text: Any, attribute: str, value: Any) -> None:
    assert getattr(Settings.load({f"WAMP_BRIDGE_{name}": text}), attribute) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("URL", "localhost:8181"),
        ("URL", "ftp://h/"),
        ("URL", "http://"),
        ("URL", "http://h:0/"),
        ("URL", "http://h:99999/"),
        ("URL", "http://h/?a=1"),
        ("URL", "http://h/#a"),
        ("URL", "http://h/a b"),
        ("URL", 8181),
        ("URL", "http://h/" + "x" * 2048),
        ("URL", "http://[::1"),
        ("CALLBACK_URL", "http://h/wamp"),
        ("CALLBACK_URL", "/wamp/"),
        ("TIMEOUT", "soon"),
        ("TIMEOUT", 0),
        ("TIMEOUT", -1),
        ("TIMEOUT", "nan"),
        ("TIMEOUT", "inf"),
        ("ANNOUNCE", "maybe"),
        ("VERIFY", "2"),
        ("SECRET", "hunter2"),
        ("SECRET", ["hunter2"]),
        ("SECRET", 1),
        ("SECRET", [1]),
        ("TOKEN", "a\nb"),
        ("TOKEN", "caf\u00e9"),
        ("TOKEN", 1),
        ("PREFIX", "com shop"),
        ("PREFIX", "com..shop"),
        ("APP", 1),
    ],
)
def test_what_can_not_work_is_refused_by_the_name_of_the_setting(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"^WAMP_BRIDGE_{name}\\b") as caught:
        Settings.load({f"WAMP_BRIDGE_{name}": value})
    if name in ("SECRET", "TOKEN"):
        assert "hunter2" not in str(caught.value)


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError, match="WAMP_BRIDGE_URL") as caught:
        Settings.load({"WAMP_BRIDGE_URL": "http://joe:hunter2@h/"})
    assert "hunter2" not in str(caught.value)


def test_tokens_and_secrets_are_in_no_repr() -> None:
    shown = repr(Settings(token="hunter2", secrets=(SECRET,), app="shop"))
    assert "shop" in shown
    assert "hunter2" not in shown
    assert SECRET[6:] not in shown


def test_names_are_resolved_with_the_prefix() -> None:
    settings = Settings(prefix="com.shop")
    assert settings.resolve("price") == "com.shop.price"
    assert settings.resolve(".price") == "price"
