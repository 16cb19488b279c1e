"""Who calls is a user of Django, where the settings say so, and handlers can ask for one."""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext

from wamp_bridge.adapters.django.auth import acurrent_user, current_user
from wamp_bridge.core import ConfigurationError, Forbidden, InvocationDetails

if TYPE_CHECKING:
    from collections.abc import Callable

    from wamp_bridge.adapters.django import WampBridge
    from wamp_bridge.core.testing import SignedBridge

ANN = {"caller_authid": "ann", "caller_authrole": "user"}
BOB = {"caller_authid": "bob", "caller_authrole": "user"}


@pytest.fixture(autouse=True)
def ann(configure: Callable[..., None]) -> User:
    """Ann, who may sell, and Bob, who may not; users join the router as `user`."""
    configure(user_role="user")
    User.objects.create_user("bob", password="b")
    ann = User.objects.create_user("ann", password="a")
    kind = ContentType.objects.get_for_model(User)
    for name in ("sell", "buy"):
        may, _ = Permission.objects.get_or_create(
            codename=name, content_type=kind, defaults={"name": name}
        )
        ann.user_permissions.add(may)
    return ann


@pytest.fixture
def shop(wamp: WampBridge, bridge: SignedBridge) -> SignedBridge:
    @wamp.rpc()
    def who() -> str:
        return str(current_user())

    @wamp.rpc()
    async def awho() -> str:
        return str(await acurrent_user())

    @wamp.rpc(login_required=True)
    def mine() -> str:
        return str(current_user())

    @wamp.rpc(login_required=True)
    async def amine(product: str, details: InvocationDetails) -> list[str | None]:
        return [product, str(current_user()), details.caller_authid]

    @wamp.rpc(permission="auth.sell")
    def sell(product: str) -> str:
        return product

    @wamp.rpc(permission=["auth.sell", "auth.change_user"])
    def sell_all() -> None: ...

    @wamp.rpc(permission="auth.sell")
    async def asell(product: str) -> str:
        return product

    return bridge


@pytest.mark.parametrize("procedure", ["com.shop.who", "com.shop.awho"])
@pytest.mark.parametrize(
    ("details", "user"),
    [
        (ANN, "ann"),
        (BOB, "bob"),
        ({}, "AnonymousUser"),
        ({"caller_authid": "ann"}, "AnonymousUser"),
        ({"caller_authid": "ann", "caller_authrole": "anonymous"}, "AnonymousUser"),
        ({"caller_authid": "eve", "caller_authrole": "user"}, "AnonymousUser"),
        ({"caller_authrole": "user"}, "AnonymousUser"),
        ({"caller_authid": "", "caller_authrole": "user"}, "AnonymousUser"),
    ],
)
def test_a_caller_in_the_role_of_users_is_the_user_of_that_name(
    procedure: str, details: dict[str, Any], user: str, shop: SignedBridge
) -> None:
    assert shop.invoke(procedure, details=details) == user


def test_a_publisher_is_a_user_too(wamp: WampBridge, shop: SignedBridge) -> None:
    heard: list[str] = []
    wamp.sub("com.shop.sold")(lambda: heard.append(str(current_user())))
    shop.publish("com.shop.sold", details={"publisher_authid": "ann", "publisher_authrole": "user"})
    shop.publish("com.shop.sold")
    assert heard == ["ann", "AnonymousUser"]


def test_in_a_callback_and_outside_of_handlers_nobody_calls(
    wamp: WampBridge, shop: SignedBridge
) -> None:
    heard: list[object] = []
    wamp.callback("done")(lambda _outcome: heard.append(current_user()))
    shop.succeed("done")
    assert heard == [AnonymousUser()]
    assert current_user() == AnonymousUser()


def test_a_login_can_be_required(shop: SignedBridge) -> None:
    assert shop.invoke("com.shop.mine", details=ANN) == "ann"
    assert shop.invoke("com.shop.amine", ["tea"], details=BOB) == ["tea", "bob", "bob"]
    for details in ({}, {**ANN, "caller_authrole": "anonymous"}):
        with pytest.raises(Forbidden) as caught:
            shop.invoke("com.shop.mine", details=details)
        assert caught.value.uri == "wamp.error.not_authorized"
        with pytest.raises(Forbidden):
            shop.invoke("com.shop.amine", ["tea"], details=details)


@pytest.mark.parametrize("procedure", ["com.shop.sell", "com.shop.asell"])
def test_a_permission_can_be_required(procedure: str, shop: SignedBridge, ann: User) -> None:
    assert shop.invoke(procedure, ["tea"], details=ANN) == "tea"
    for details in ({}, BOB):
        with pytest.raises(Forbidden) as caught:
            shop.invoke(procedure, ["tea"], details=details)
        assert caught.value.uri == "wamp.error.not_authorized"
    ann.user_permissions.clear()
    with pytest.raises(Forbidden):
        shop.invoke(procedure, ["tea"], details=ANN)


def test_of_several_permissions_all_are_required(shop: SignedBridge, ann: User) -> None:
    with pytest.raises(Forbidden):
        shop.invoke("com.shop.sell_all", details=ANN)
    User.objects.filter(pk=ann.pk).update(is_superuser=True)
    assert shop.invoke("com.shop.sell_all", details=ANN) is None


def test_a_user_who_is_deactivated_is_none(shop: SignedBridge, ann: User) -> None:
    User.objects.filter(pk=ann.pk).update(is_active=False)
    assert shop.invoke("com.shop.who", details=ANN) == "AnonymousUser"
    with pytest.raises(Forbidden):
        shop.invoke("com.shop.mine", details=ANN)


def test_without_the_setting_nobody_is_a_user(
    shop: SignedBridge, configure: Callable[..., None]
) -> None:
    for role in (None, ""):
        configure(user_role=role)
        for details in (ANN, {"caller_authid": "ann", "caller_authrole": ""}):
            with pytest.raises(Forbidden):
                shop.invoke("com.shop.mine", details=details)


def test_a_function_of_one_s_own_can_say_who_it_is(
    shop: SignedBridge, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("who_is_who")
    vars(module)["get_user"] = lambda authid, authrole: (
        User.objects.get(username="bob") if (authid, authrole) == ("7", "device") else None
    )
    monkeypatch.setitem(sys.modules, "who_is_who", module)
    configure(get_user="who_is_who.get_user")
    device = {"caller_authid": "7", "caller_authrole": "device"}
    assert shop.invoke("com.shop.mine", details=device) == "bob"
    assert shop.invoke("com.shop.who", details=ANN) == "AnonymousUser"
    configure(get_user=vars(module)["get_user"])
    assert shop.invoke("com.shop.mine", details=device) == "bob"


def test_a_function_that_can_not_be_imported_lets_nobody_in(
    shop: SignedBridge, configure: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    configure(get_user="nowhere.get_user")
    with pytest.raises(Exception, match="log of its app"):
        shop.invoke("com.shop.mine", details=ANN)
    assert "WAMP_BRIDGE_GET_USER" in caplog.text
    with pytest.raises(ConfigurationError):
        current_user()


def test_the_user_is_looked_up_once_and_only_when_asked_for(
    wamp: WampBridge, bridge: SignedBridge
) -> None:
    @wamp.rpc()
    def twice(*, ask: bool) -> int:
        with CaptureQueriesContext(connection) as queries:
            if ask:
                assert current_user() is current_user()
        return len(queries)

    assert bridge.invoke("com.shop.twice", kwargs={"ask": True}, details=ANN) == 1
    assert bridge.invoke("com.shop.twice", kwargs={"ask": False}, details=ANN) == 0
    assert bridge.invoke("com.shop.twice", kwargs={"ask": True}, details=ANN) == 1
