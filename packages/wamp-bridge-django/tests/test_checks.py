"""What `manage.py check` says of settings that can't work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core import checks
from django.http import HttpResponse
from django.test.utils import setup_test_environment, teardown_test_environment
from django.urls import path, set_script_prefix

from wamp_bridge.adapters.django import WampBridge, _checks

if TYPE_CHECKING:
    import types
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def _of_this_project(wamp: WampBridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_checks, "default", wamp)
    wamp.rpc("price")(lambda: 12)


def said() -> dict[str, str]:
    """What the checks say, by id, with the hints."""
    return {
        str(message.id).removeprefix("wamp_bridge."): f"{message.msg} {message.hint or ''}"
        for message in checks.run_checks()
        if str(message.id).startswith("wamp_bridge.")
    }


def test_a_project_that_is_set_up_rightly_is_told_nothing() -> None:
    assert said() == {}


@pytest.mark.parametrize(
    ("setting", "value", "id_"),
    [
        ("url", None, "W001"),
        ("url", "ftp://bridge.test/", "E001"),
        ("url", "", "W001"),
        ("token", None, "W002"),
        ("secret", None, "W003"),
        ("secret", "whsec_short", "E001"),
        ("callback_url", None, "W004"),
        ("callback_url", "http://shop.test/wamp", "E001"),
        ("callback_url", "http://shop.test/elsewhere/", "W005"),
        ("callback_url", "http://shop.test/wamp/rpc/", "W005"),
        ("callback_url", "http://other.test/wamp/", "W006"),
        ("callback_url", "http://[::1]:8000/wamp/", "W006"),
        ("prefix", "not a uri", "E001"),
        ("timeout", "long", "E001"),
    ],
)
def test_what_is_wrong_is_named(
    setting: str, value: str | None, id_: str, configure: Callable[..., None]
) -> None:
    configure(**{setting: value})
    (text,) = said().values()
    assert list(said()) == [id_]
    assert f"WAMP_BRIDGE_{setting.upper()}" in text


def test_the_last_slash_is_asked_for(configure: Callable[..., None]) -> None:
    configure(callback_url="http://shop.test/wamp")
    assert "must end in a slash" in said()["E001"]


def test_the_place_of_the_dispatcher_is_told(
    configure: Callable[..., None], wamp: WampBridge, mount: Callable[..., None]
) -> None:
    mount(wamp, "api/wamp/")
    assert "The dispatcher is at /api/wamp/." in said()["W005"]
    configure(callback_url="http://shop.test/api/wamp/")
    assert said() == {}


def test_a_dispatcher_that_is_mounted_without_a_slash_is_told(
    wamp: WampBridge, mount: Callable[..., None]
) -> None:
    mount(wamp, "wamp")
    assert 'with its slash: path("wamp/", dispatcher)' in said()["W005"]


def test_a_dispatcher_that_is_not_mounted_is_told(configure: Callable[..., None]) -> None:
    urls: types.ModuleType = type(pytest)("urls")
    vars(urls)["urlpatterns"] = [path("wamp/", lambda _request: HttpResponse())]
    configure(ROOT_URLCONF=urls)
    assert 'path("wamp/", dispatcher)' in said()["W005"]


def test_a_project_below_a_prefix_of_the_server_is_right(configure: Callable[..., None]) -> None:
    set_script_prefix("/site/")
    try:
        configure(callback_url="http://shop.test/site/wamp/")
        assert said() == {}
    finally:
        set_script_prefix("/")


def test_in_debug_this_machine_is_allowed(configure: Callable[..., None]) -> None:
    configure(callback_url="http://127.0.0.1:8000/wamp/")
    assert "ALLOWED_HOSTS" in said()["W006"]
    configure(ALLOWED_HOSTS=[], DEBUG=True)
    assert said() == {}


def test_the_hosts_of_tests_are_no_matter(configure: Callable[..., None]) -> None:
    configure(callback_url="http://127.0.0.1:8000/wamp/")
    setup_test_environment()
    try:
        assert said() == {}
    finally:
        teardown_test_environment()
    assert list(said()) == ["W006"]


def test_a_redirect_to_https_is_told_unless_the_dispatcher_is_exempt(
    configure: Callable[..., None],
) -> None:
    configure(SECURE_SSL_REDIRECT=True)
    assert "SECURE_SSL_REDIRECT" in said()["W007"]
    configure(SECURE_REDIRECT_EXEMPT=["^wamp/"])
    assert said() == {}
    configure(SECURE_REDIRECT_EXEMPT=[], callback_url="https://shop.test/wamp/")
    assert said() == {}


def test_a_project_that_only_calls_needs_no_callback_url(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_checks, "default", WampBridge())
    configure(callback_url=None, secret=None)
    assert said() == {}


def test_a_name_that_two_handlers_claim_is_told(wamp: WampBridge) -> None:
    wamp.rpc("com.shop.price")(lambda: 13)
    assert "declared twice" in said()["E001"]


def test_handlers_that_nobody_can_call_are_told(
    wamp: WampBridge, configure: Callable[..., None]
) -> None:
    wamp.rpc("sell", login_required=True)(lambda: None)
    wamp.rpc("buy", permission="shop.buy")(lambda: None)
    assert "WAMP_BRIDGE_USER_ROLE" in said()["W008"]
    assert "buy, sell" in said()["W008"]
    configure(user_role="user")
    assert said() == {}


@pytest.mark.parametrize("setting", ["get_user", "authorize"])
def test_a_function_that_can_not_be_imported_is_told(
    setting: str, configure: Callable[..., None]
) -> None:
    configure(**{setting: "shop.nowhere"})
    assert f"WAMP_BRIDGE_{setting.upper()}" in said()["E002"]
    configure(**{setting: "builtins.max"})
    assert said() == {}


def test_a_project_without_urls_is_checked_all_the_same(configure: Callable[..., None]) -> None:
    configure(ROOT_URLCONF=None, callback_url=None)
    assert list(said()) == ["W004"]
