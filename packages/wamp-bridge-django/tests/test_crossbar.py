"""Django as the router's authenticator and authorizer, asked as Crossbar asks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed

from wamp_bridge.adapters.django import _adapter
from wamp_bridge.adapters.django.auth import authenticate, authorize, ticket_for
from wamp_bridge.core import ApplicationError, BridgeError, Forbidden

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

    from wamp_bridge.adapters.django import WampBridge
    from wamp_bridge.core.testing import SignedBridge

ROUTER = {"caller_authid": "routerworker-serviceagent", "caller_authrole": "trusted"}
ACCEPTED = {"role": "user", "authid": "ann"}


@pytest.fixture(autouse=True)
def ann(configure: Callable[..., None]) -> User:
    configure(user_role="user")
    User.objects.create_user("bob", password="b")
    return User.objects.create_user("ann", password="wonderland")


@pytest.fixture
def asked(
    wamp: WampBridge, bridge: SignedBridge, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Return what asks as Crossbar does."""
    monkeypatch.setattr(_adapter, "default", wamp)
    wamp.rpc("com.auth.authenticate")(authenticate)
    wamp.rpc("com.auth.authorize")(authorize)

    def ask(what: str, *args: Any, details: Any = ROUTER) -> Any:
        return bridge.invoke(f"com.auth.{what}", args, details=details)

    return ask


def login(asked: Callable[..., Any], authid: object, ticket: object, **more: Any) -> Any:
    transport = {"channel_type": "tcp", "peer": "tcp4:192.0.2.7:60760"}
    details = {"session": 1, "transport": transport, "authmethod": "ticket", "ticket": ticket}
    return asked("authenticate", "realm1", authid, details, **more)


def test_a_password_is_good(asked: Callable[..., Any]) -> None:
    assert login(asked, "ann", "wonderland") == ACCEPTED


def test_a_ticket_for_a_page_is_good(asked: Callable[..., Any], ann: User) -> None:
    assert login(asked, "ann", ticket_for(ann)) == ACCEPTED


@pytest.mark.parametrize(
    ("authid", "ticket"),
    [
        ("ann", "Wonderland"),
        ("ann", ""),
        ("ann", None),
        ("ann", 3),
        ("", "wonderland"),
        (None, "wonderland"),
        ("bob", "wonderland"),
        ("eve", "wonderland"),
        ("ann", "wamp-ticket:"),
        ("ann", "wamp-ticket:x:y:z"),
        ("eve", "wamp-ticket:x:y:z"),
    ],
)
def test_what_is_wrong_is_refused_without_saying_why(
    authid: object, ticket: object, asked: Callable[..., Any]
) -> None:
    with pytest.raises(ApplicationError) as caught:
        login(asked, authid, ticket)
    assert caught.value.uri == "wamp.error.authentication_failed"
    assert caught.value.args == ("no user with this ticket",)


def test_a_ticket_is_for_one_user(asked: Callable[..., Any], ann: User) -> None:
    with pytest.raises(ApplicationError):
        login(asked, "bob", ticket_for(ann))


def test_a_ticket_is_good_for_a_while(
    asked: Callable[..., Any],
    ann: User,
    configure: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticket = ticket_for(ann)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 59)
    assert login(asked, "ann", ticket) == ACCEPTED
    monkeypatch.setattr(time, "time", lambda: now + 62)
    with pytest.raises(ApplicationError):
        login(asked, "ann", ticket)
    configure(ticket_age=100)
    assert login(asked, "ann", ticket) == ACCEPTED


def test_a_ticket_is_good_until_the_password_changes(asked: Callable[..., Any], ann: User) -> None:
    ticket = ticket_for(ann)
    ann.set_password("looking-glass")
    ann.save()
    with pytest.raises(ApplicationError):
        login(asked, "ann", ticket)


def test_a_user_who_is_deactivated_can_not_log_in(asked: Callable[..., Any], ann: User) -> None:
    ticket = ticket_for(ann)
    User.objects.filter(pk=ann.pk).update(is_active=False)
    for wrong in (ticket, "wonderland"):
        with pytest.raises(ApplicationError):
            login(asked, "ann", wrong)


def test_django_hears_of_a_login_that_failed(asked: Callable[..., Any]) -> None:
    heard: list[Any] = []

    def hear(*, credentials: dict[str, str], request: HttpRequest, **_signal: Any) -> None:
        heard.extend([credentials["username"], request.META["REMOTE_ADDR"]])

    user_login_failed.connect(hear)
    with pytest.raises(ApplicationError):
        login(asked, "ann", "no")
    assert heard == ["ann", "192.0.2.7"]


@pytest.mark.parametrize(
    "details", [{}, {"caller_authid": "ann", "caller_authrole": "user"}, {"caller_authrole": ""}]
)
def test_only_the_router_may_ask(details: dict[str, str], asked: Callable[..., Any]) -> None:
    with pytest.raises(Forbidden):
        login(asked, "ann", "wonderland", details=details)
    with pytest.raises(Forbidden):
        asked("authorize", {"authid": "ann"}, "com.shop.f", "call", {}, details=details)


def test_without_a_role_for_users_nobody_logs_in(
    asked: Callable[..., Any],
    configure: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    configure(user_role=None)
    with pytest.raises(BridgeError):
        login(asked, "ann", "wonderland")
    assert "WAMP_BRIDGE_USER_ROLE" in caplog.text


# Authorizing


def session(authid: str = "ann", authrole: str = "user") -> dict[str, Any]:
    return {"session": 1, "authid": authid, "authrole": authrole, "transport": None}


def allowed(asked: Callable[..., Any], uri: str, action: str, **of: str) -> bool:
    answer = asked("authorize", session(**of), uri, action, {})
    assert answer == {"allow": answer["allow"], "disclose": True, "cache": False}
    allow: bool = answer["allow"]
    return allow


def test_a_user_may_call_what_is_declared_as_far_as_permissions_go(
    asked: Callable[..., Any], ann: User, wamp: WampBridge
) -> None:
    wamp.rpc("price")(lambda: 12)
    wamp.rpc("mine", login_required=True)(lambda: 12)
    wamp.rpc("sell", permission="shop.sell")(lambda: None)
    assert allowed(asked, "com.shop.price", "call")
    assert allowed(asked, "com.shop.mine", "call")
    assert not allowed(asked, "com.shop.sell", "call")
    User.objects.filter(pk=ann.pk).update(is_superuser=True)
    assert allowed(asked, "com.shop.sell", "call")
    for action in ("register", "publish", "subscribe"):
        assert not allowed(asked, "com.shop.price", action)
    assert not allowed(asked, "com.shop.other", "call")
    assert not allowed(asked, "com.shop.price", "call", authid="eve")
    assert not allowed(asked, "com.shop.price", "call", authrole="anonymous")


def test_a_function_of_one_s_own_can_decide(
    asked: Callable[..., Any], configure: Callable[..., None]
) -> None:
    def may(user: User, action: str, uri: str) -> bool:
        return (user.username, action, uri) == ("ann", "subscribe", "com.shop.sold")

    configure(authorize=may)
    assert allowed(asked, "com.shop.sold", "subscribe")
    assert not allowed(asked, "com.shop.sold", "publish")
    assert not allowed(asked, "com.shop.sold", "subscribe", authid="bob")
    assert not allowed(asked, "com.shop.sold", "subscribe", authid="eve")
