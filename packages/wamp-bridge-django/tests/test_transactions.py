"""Handlers and the database: transactions as views have them, and connections that are closed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import respx
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group, User
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections, transaction
from django.test import RequestFactory

from wamp_bridge.core import (
    ApplicationError,
    BridgeError,
    ConfigurationError,
    InvalidURI,
    InvalidValue,
    Request,
    Response,
)
from wamp_bridge.core.testing import SignedBridge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wamp_bridge.adapters.django import WampBridge


@pytest.fixture
def atomic_requests() -> Iterator[Callable[..., None]]:
    def switch(*, on: bool, databases: tuple[str, ...] = ("default", "other")) -> None:
        for alias in databases:
            connections.settings[alias]["ATOMIC_REQUESTS"] = on

    yield switch
    switch(on=False)


def names(alias: str = "default") -> list[str]:
    return sorted(Group.objects.using(alias).values_list("name", flat=True))


def declare(wamp: WampBridge) -> None:
    """Handlers that write, and then fail if they are told to."""

    @wamp.rpc()
    def write(name: str, *, fail: bool = False) -> list[bool]:
        for alias in connections:
            Group.objects.using(alias).create(name=name)
        if fail:
            raise ApplicationError("com.shop.error.failed")
        return [connections[alias].in_atomic_block for alias in connections]

    @wamp.rpc()
    async def awrite(name: str, *, fail: bool = False) -> list[bool]:
        for alias in connections:
            await Group.objects.using(alias).acreate(name=name)
        if fail:
            raise ApplicationError("com.shop.error.failed")
        return await sync_to_async(
            lambda: [connections[alias].in_atomic_block for alias in connections]
        )()

    @wamp.sub()
    def told(name: str) -> None:
        write(name, fail=True)

    @wamp.rpc()
    @transaction.non_atomic_requests(using="other")
    def only_default() -> list[bool]:
        return [connections[alias].in_atomic_block for alias in connections]


@pytest.mark.parametrize("procedure", ["com.shop.write", "com.shop.awrite"])
def test_without_atomic_requests_each_query_stands_for_itself(
    procedure: str, wamp: WampBridge, bridge: SignedBridge
) -> None:
    declare(wamp)
    assert bridge.invoke(procedure, ["a"]) == [False, False]
    with pytest.raises(ApplicationError):
        bridge.invoke(procedure, ["b"], {"fail": True})
    assert names() == names("other") == ["a", "b"]


@pytest.mark.parametrize("procedure", ["com.shop.write", "com.shop.awrite"])
def test_with_atomic_requests_what_raises_is_rolled_back(
    procedure: str,
    wamp: WampBridge,
    bridge: SignedBridge,
    atomic_requests: Callable[..., None],
) -> None:
    declare(wamp)
    atomic_requests(on=True)
    assert bridge.invoke(procedure, ["a"]) == [True, True]
    with pytest.raises(ApplicationError) as caught:
        bridge.invoke(procedure, ["b"], {"fail": True})
    assert caught.value.uri == "com.shop.error.failed"
    assert names() == names("other") == ["a"]
    assert bridge.publish("com.shop.told", ["c"]).status == 500
    assert names() == ["a"]


def test_only_the_databases_that_are_atomic_are(
    wamp: WampBridge, bridge: SignedBridge, atomic_requests: Callable[..., None]
) -> None:
    declare(wamp)
    atomic_requests(on=True, databases=("other",))
    assert bridge.invoke("com.shop.write", ["a"]) == [False, True]
    atomic_requests(on=True)
    assert bridge.invoke("com.shop.only_default") == [True, False]


NON_ATOMIC = transaction.non_atomic_requests(using="other")


@pytest.mark.parametrize("login_required", [False, True])
@pytest.mark.parametrize("is_above", [False, True])
def test_a_handler_is_left_out_of_transactions_above_rpc_as_below(
    login_required: bool,
    is_above: bool,
    wamp: WampBridge,
    bridge: SignedBridge,
    atomic_requests: Callable[..., None],
    configure: Callable[..., None],
) -> None:
    configure(get_user=lambda *_who: User(username="ann"))

    def within() -> list[bool]:
        return [connections[alias].in_atomic_block for alias in connections]

    async def awithin() -> list[bool]:
        return await sync_to_async(within)()

    for function in (within, awithin):
        declare = wamp.rpc(login_required=login_required)
        decorate = (NON_ATOMIC, declare) if is_above else (declare, NON_ATOMIC)
        decorate[0](decorate[1](function))
    atomic_requests(on=True)
    assert bridge.invoke("com.shop.within") == [True, False]
    assert bridge.invoke("com.shop.awithin") == [True, False]


def test_connections_are_closed_after_a_delivery(wamp: WampBridge, secret: str) -> None:
    @wamp.rpc()
    def count() -> int:
        assert connections["default"].connection is None
        found = Group.objects.count()
        assert connections["default"].connection is not None
        return found

    def send(asked: Request) -> Response:
        environ = RequestFactory().post(
            f"/wamp/{asked.path}",
            asked.body,
            content_type="application/json",
            headers={name: asked.headers[name] for name in asked.headers if "webhook" in name},
        )
        # as a server does it, and no test client, which keeps connections
        answer: Any = WSGIHandler()(environ.environ, lambda *_status: lambda _: None)
        body = b"".join(answer)
        answer.close()
        return Response(answer.status_code, dict(answer.headers), body)

    connections.close_all()
    for _ in range(2):
        assert SignedBridge(send, [secret]).invoke("com.shop.count") == 0
        assert connections["default"].connection is None


# Publishing when a transaction commits


@pytest.fixture
def published() -> Iterator[Callable[[], list[Any]]]:
    """Return what asks what has been published."""
    with respx.mock:
        route = respx.post("http://bridge.test/publish/com.shop.sold/").respond(
            json={"publication": 7}
        )
        yield lambda: [json.loads(call.request.content)["args"] for call in route.calls]


def test_an_event_is_sent_when_the_transaction_commits(
    wamp: WampBridge, published: Callable[[], list[Any]]
) -> None:
    what = ["tea"]
    with transaction.atomic():
        assert wamp.publish("sold", what, on_commit=True) is None
        what.append("changed since")
        assert published() == []
    assert published() == [["tea"]]


def test_an_event_of_a_transaction_that_is_rolled_back_is_never_sent(
    wamp: WampBridge, published: Callable[[], list[Any]]
) -> None:
    with transaction.atomic():
        wamp.publish("sold", ["tea"], on_commit=True)
        transaction.set_rollback(True)
    assert published() == []


def test_the_transaction_may_be_that_of_another_database(
    wamp: WampBridge, published: Callable[[], list[Any]]
) -> None:
    with transaction.atomic(using="other"):
        wamp.publish("sold", ["tea"], on_commit=True, using="other")
        assert published() == []
        wamp.publish("sold", ["at once"], on_commit=True)
        assert published() == [["at once"]]
    assert published() == [["at once"], ["tea"]]


def test_a_handler_that_fails_has_published_nothing(
    wamp: WampBridge,
    bridge: SignedBridge,
    atomic_requests: Callable[..., None],
    published: Callable[[], list[Any]],
) -> None:
    @wamp.rpc()
    def sell(*, fail: bool) -> None:
        wamp.publish("sold", ["tea"], on_commit=True)
        if fail:
            raise ApplicationError("com.shop.error.failed")

    atomic_requests(on=True)
    with pytest.raises(ApplicationError):
        bridge.invoke("com.shop.sell", kwargs={"fail": True})
    assert published() == []
    bridge.invoke("com.shop.sell", kwargs={"fail": False})
    assert published() == [["tea"]]


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"topic": "so ld"}, InvalidURI),
        ({"args": [object()]}, InvalidValue),
        ({"args": "tea"}, TypeError),
        ({"args": {"product": "tea"}, "kwargs": {"number": 1}}, TypeError),
        ({"options": {"exclude": object()}}, InvalidValue),
        ({"timeout": -1}, ValueError),
        ({"idempotency_key": ""}, ValueError),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else value.__name__,
)
def test_what_can_not_be_published_is_refused_before_the_transaction_ends(
    wamp: WampBridge, event: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error), transaction.atomic():
        wamp.publish(**{"topic": "sold", **event}, on_commit=True)


def test_a_bridge_that_is_away_when_the_transaction_commits_is_logged_and_undoes_nothing(
    wamp: WampBridge, configure: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    configure(timeout=0.01)
    with respx.mock:
        respx.post("http://bridge.test/publish/com.shop.sold/").mock(
            side_effect=httpx.ConnectError("refused")
        )
        with transaction.atomic():
            Group.objects.create(name="a")
            wamp.publish("sold", on_commit=True)
        with pytest.raises(BridgeError):
            wamp.publish("sold")
    assert names() == ["a"]
    assert "the bridge could not be reached" in caplog.text


@pytest.mark.parametrize(
    ("missing", "message"), [("url", "WAMP_BRIDGE_URL"), ("token", "WAMP_BRIDGE_(TOKEN|APP)")]
)
def test_without_a_bridge_nothing_waits_for_the_transaction(
    wamp: WampBridge, configure: Callable[..., None], missing: str, message: str
) -> None:
    configure(**{missing: None})
    with pytest.raises(ConfigurationError, match=message), transaction.atomic():
        wamp.publish("sold", on_commit=True)
