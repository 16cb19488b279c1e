"""A `FakeBridge` takes what an app asks, and tells readably what it was asked."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any
from unittest.mock import ANY

import pytest

from wamp_bridge.core import (
    ApplicationError,
    AsyncBridge,
    AsyncWampBridgeBase,
    Bridge,
    BridgeError,
    BridgeUnreachable,
    CallResult,
    CallTimeout,
    ConfigurationError,
    Forbidden,
    InvalidURI,
    InvalidValue,
    NoSuchProcedure,
    NotFound,
    Removed,
    Settings,
    Unavailable,
    Unprocessable,
    WampBridgeBase,
)
from wamp_bridge.core._requests import Outgoing
from wamp_bridge.core.testing import Called, FakeBridge, Published, UnexpectedRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = {"WAMP_BRIDGE_PREFIX": "com.shop"}


@pytest.fixture
def bridge() -> Iterator[FakeBridge]:
    with FakeBridge() as bridge:
        yield bridge


@pytest.fixture
def app() -> WampBridgeBase:
    return WampBridgeBase(PREFIX)


def test_an_expected_call_is_answered(bridge: FakeBridge, app: WampBridgeBase) -> None:
    bridge.expect_call("price", returns=3)
    bridge.expect_call("price", ["apple"], {"count": 2}, returns=(1, b"\0"))
    bridge.expect_call("com.other.several", returns=CallResult([1, 2], {"a": 3}))
    assert app.call("price", ["pear"]) == 3
    assert app.call("price", ["apple"], {"count": 2}) == [1, b"\0"]
    assert app.call("com.other.several", full=True) == CallResult([1, 2], {"a": 3})
    assert [str(one) for one in bridge.called] == [
        "com.shop.price('pear')",
        "com.shop.price('apple', count=2)",
        "com.other.several()",
    ]
    assert bridge.called[0] == Called("com.shop.price", ["pear"], {}, {}, 10.0)


def test_the_arguments_choose_the_expectation(bridge: FakeBridge, app: WampBridgeBase) -> None:
    bridge.expect_call("price", ["apple"], returns=1)
    bridge.expect_call("price", {"fruit": "pear"}, returns=2)
    bridge.expect_call("price", [ANY, "x"], returns=3)
    assert app.call("price", [4, "x"]) == 3
    assert app.call("price", {"fruit": "pear"}) == 2
    assert app.call("price", ["apple"]) == 1


def test_expectations_are_met_in_their_order(bridge: FakeBridge, app: WampBridgeBase) -> None:
    bridge.expect_call("next", returns=1)
    bridge.expect_call("next", returns=2, times=2)
    bridge.expect_call("next", returns=3, times=None)
    assert [app.call("next") for _ in range(5)] == [1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    "error",
    [
        ApplicationError("com.shop.sold_out", "apple", left=0),
        NoSuchProcedure("gone"),
        Forbidden(),
        Unavailable(),
        CallTimeout(),
        BridgeUnreachable(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_call_ends_with_the_error_that_a_bridge_would_tell(
    bridge: FakeBridge, app: WampBridgeBase, error: BridgeError
) -> None:
    bridge.expect_call("sell", raises=error)
    with pytest.raises(type(error)) as caught:
        app.call("sell")
    came = caught.value
    assert (type(came), came.uri, came.status) == (type(error), error.uri, error.status)
    assert (came.args, came.kwargs) == (error.args, error.kwargs)


def test_an_error_may_be_named_by_its_class(bridge: FakeBridge, app: WampBridgeBase) -> None:
    bridge.expect_call("sell", raises=Unavailable)
    with pytest.raises(Unavailable):
        app.call("sell")


@pytest.mark.parametrize("raises", [ValueError("x"), ConfigurationError("x"), KeyError])
def test_what_no_call_raises_can_not_be_expected(bridge: FakeBridge, raises: Any) -> None:
    with pytest.raises(TypeError, match="raises"):
        bridge.expect_call("sell", raises=raises)


def test_a_result_must_be_one_that_a_procedure_could_return(bridge: FakeBridge) -> None:
    with pytest.raises(InvalidValue):
        bridge.expect_call("sell", returns={1: 2})


def test_a_call_that_is_not_expected_fails_and_says_what_was(app: WampBridgeBase) -> None:
    bridge = FakeBridge()
    bridge.expect_call("price", ["apple"], returns=1)
    with pytest.raises(UnexpectedRequest) as caught, bridge:  # noqa: PT012 - one call is expected
        app.call("price", ["apple"])
        app.call("price", ["plum"])
    assert str(caught.value) == (
        "com.shop.price('plum') was called, which was not expected.\n"
        "Expected were:\n"
        "  price('apple'), once (so far once)"
    )


def test_a_call_that_is_not_expected_fails_the_test_though_the_app_swallows_it(
    app: WampBridgeBase,
) -> None:
    def careless() -> None:
        try:
            app.call("price")
        except Exception:  # noqa: BLE001 - what careless apps do
            return

    with pytest.raises(UnexpectedRequest, match="No calls were expected"), FakeBridge():
        careless()


def test_what_was_expected_and_did_not_come_fails_the_test(app: WampBridgeBase) -> None:
    bridge = FakeBridge()
    bridge.expect_call("price", ["apple"], times=2)
    bridge.expect_call("never", times=None)
    bridge.expect_publish("sold", {"fruit": "apple"})
    with pytest.raises(UnexpectedRequest) as caught, bridge:
        app.call("price", ["apple"])
    assert str(caught.value) == (
        "Expected to be called:\n"
        "  price('apple'), twice (so far once)\n"
        "There were:\n"
        "  com.shop.price('apple')\n"
        "Expected to be published:\n"
        "  sold(fruit='apple'), once (so far never)\n"
        "There was none."
    )


def test_another_failure_is_not_hidden_by_what_did_not_come() -> None:
    bridge = FakeBridge()
    bridge.expect_call("price")
    with pytest.raises(ZeroDivisionError), bridge:
        _ = 1 / 0


def test_published_events_are_taken_and_remembered(bridge: FakeBridge, app: WampBridgeBase) -> None:
    assert app.publish("sold", ["apple", (1, 2)]) == 1
    assert app.publish("com.news", {"text": "x"}, options={"retain": True}) == 2
    assert app.publish("quick", options={"acknowledge": False}) is None
    assert bridge.published[:2] == [
        Published("com.shop.sold", ["apple", [1, 2]], {}),
        Published("com.news", [], {"text": "x"}, {"retain": True}),
    ]
    bridge.assert_published("sold")
    bridge.assert_published("com.shop.sold", ["apple", (1, 2)], times=1)
    bridge.assert_published("com.news", kwargs={"text": ANY})
    bridge.assert_published("returned", times=0)


def test_an_assertion_that_fails_says_what_there_was(
    bridge: FakeBridge, app: WampBridgeBase
) -> None:
    with pytest.raises(AssertionError) as caught:
        bridge.assert_published("sold", ["apple"])
    assert str(caught.value) == (
        "sold('apple') should have been published at least once, but never.\nThere was none."
    )
    app.publish("sold", ["pear"], {"count": 2})
    bridge.expect_call("price", times=2)
    app.call("price")
    app.call("price")
    with pytest.raises(AssertionError) as caught:
        bridge.assert_published("sold", ["apple"])
    assert str(caught.value).splitlines()[1:] == [
        "There were:",
        "  com.shop.sold('pear', count=2)",
    ]
    with pytest.raises(AssertionError) as caught:
        bridge.assert_called("price", times=1)
    assert str(caught.value) == (
        "price(...) should have been called once, but twice.\n"
        "There were:\n"
        "  com.shop.price()\n"
        "  com.shop.price()"
    )


def test_publishing_can_fail(bridge: FakeBridge, app: WampBridgeBase) -> None:
    bridge.expect_publish("sold", raises=Unavailable)
    with pytest.raises(Unavailable):
        app.publish("sold")
    assert bridge.published == []
    assert app.publish("sold") == 1


def test_the_bridge_can_be_down(bridge: FakeBridge, app: WampBridgeBase) -> None:
    with bridge.down():
        with pytest.raises(BridgeUnreachable):
            app.publish("sold")
        with pytest.raises(BridgeUnreachable):
            app.call("price")
    assert app.publish("sold") == 1


def test_a_bad_name_is_refused_as_the_bridge_does(bridge: FakeBridge, app: WampBridgeBase) -> None:
    for bad in ("com..shop", "com.a b"):
        with pytest.raises(BridgeError) as caught:
            app.publish(bad)
        assert (caught.value.status, caught.value.uri) == (422, InvalidURI.uri)
    assert bridge.published == []


def test_an_app_can_announce_itself_and_ask_what_there_is(
    bridge: FakeBridge, app: WampBridgeBase
) -> None:
    assert app.announce(wait=True).state == "live"
    app.withdraw()
    assert app.bridge.registrations() == []
    assert bridge.called == []


@pytest.mark.usefixtures("bridge")
def test_what_is_registered_by_name_is_remembered(app: WampBridgeBase) -> None:
    asked = app.bridge
    (first,) = asked.register({"price": "http://x.test/"}, lease=60)
    assert (first.uri, first.url, first.state) == ("com.shop.price", "http://x.test/", "live")
    assert 0 < (first.lease_expires_at or 0) - time.time() <= 60
    (again,) = asked.register({"price": {"url": "http://y.test/", "timeout": 2.5}})
    assert (again.id, again.url, again.options) == (first.id, "http://y.test/", {"timeout": 2.5})
    assert asked.registrations() == [again]
    for url in ("http://x.test/", "http://y.test/"):
        asked.subscribe({"com.news": {"url": url, "match": "prefix"}}, lease=5)
    assert [each.url for each in asked.subscriptions()] == ["http://x.test/", "http://y.test/"]
    assert (asked.heartbeat(), asked.heartbeat(["com.other"])) == (2, 0)
    assert asked.unsubscribe({"com.news": "http://x.test/"}).removed == ("com.news",)
    assert asked.unsubscribe(["com.news"], match="exact").unknown == ("com.news",)
    assert [each.url for each in asked.subscriptions()] == ["http://y.test/"]
    assert asked.unregister(["price", "other"]) == Removed(("com.shop.price",), ("com.shop.other",))
    with pytest.raises(Unprocessable):
        asked.register({"good": "http://x.test/", "com..bad": "http://x.test/"})
    assert asked.registrations() == []


def test_what_a_fake_can_not_do_fails(app: WampBridgeBase) -> None:
    request = Outgoing("DELETE", "registrations/r1/", None, 1.0, repeatable=False)
    with pytest.raises(UnexpectedRequest, match="registrations/r1/"), FakeBridge() as bridge:
        bridge.answer(app.settings, request)


def test_keys_are_remembered(bridge: FakeBridge, app: WampBridgeBase) -> None:
    bridge.expect_call("price")
    app.call("price", idempotency_key='a "b" \\')
    app.publish("sold", idempotency_key="order-1")
    assert bridge.called[0].idempotency_key == 'a "b" \\'
    assert bridge.published[0].idempotency_key == "order-1"


def test_a_call_that_is_not_waited_for_has_ended_when_it_is_read(
    bridge: FakeBridge, app: WampBridgeBase
) -> None:
    bridge.expect_call("price", returns=3)
    bridge.expect_call("price", raises=ApplicationError("com.sold_out", 1))
    good, bad = (app.bridge.start_call("price") for _ in range(2))
    assert app.bridge.read_call(good).value() == 3
    with pytest.raises(ApplicationError, match="sold_out"):
        app.bridge.cancel_call(bad).value()
    with pytest.raises(NotFound):
        app.bridge.read_call("call_99")


async def test_asynchronous_code_is_answered(bridge: FakeBridge) -> None:
    app = AsyncWampBridgeBase(PREFIX)
    bridge.expect_call("price", ["apple"], returns=3)
    assert await app.call("price", ["apple"]) == 3
    assert await app.publish("sold") == 1
    bridge.expect_call("price", raises=Unavailable)
    with pytest.raises(Unavailable):
        await WampBridgeBase(PREFIX).acall("price")
    async with AsyncBridge() as plain:
        assert await plain.publish("com.news") == 2


def test_clients_without_an_app_are_answered(bridge: FakeBridge) -> None:
    earlier = Bridge(Settings(url="http://127.0.0.1:1/", token="t", prefix="com.x"))
    earlier.publish("news")
    with Bridge() as plain:
        plain.publish("com.news")
    assert [event.topic for event in bridge.published] == ["com.x.news", "com.news"]


def test_every_thread_is_answered(bridge: FakeBridge, app: WampBridgeBase) -> None:
    threads = [threading.Thread(target=app.publish, args=("sold", [n])) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(event.args[0] for event in bridge.published) == list(range(20))


def test_an_app_is_itself_again_afterwards(app: WampBridgeBase) -> None:
    settings = app.settings
    dispatcher = app.core_dispatcher
    with FakeBridge() as outer:
        assert app.settings.announce is False
        assert outer.secret in app.settings.secrets
        with FakeBridge() as inner:
            app.publish("sold")
            assert app.core_dispatcher is not dispatcher
        assert len(inner.published) == 1
        app.publish("sold")
    assert len(outer.published) == 1
    assert app.settings == settings
    with pytest.raises(ConfigurationError, match="WAMP_BRIDGE_URL"):
        app.publish("sold")


def test_an_app_s_own_settings_stay_in_force(bridge: FakeBridge) -> None:
    assert bridge.published == []
    own = {"WAMP_BRIDGE_CALLBACK_URL": "http://shop.test/hooks/", "WAMP_BRIDGE_TIMEOUT": 3}
    settings = WampBridgeBase(own, PREFIX).settings
    assert (settings.callback_url, settings.timeout) == ("http://shop.test/hooks/", 3.0)
    assert settings.prefix == "com.shop."
    with pytest.raises(ConfigurationError, match="WAMP_BRIDGE_TIMEOUT"):
        WampBridgeBase({"WAMP_BRIDGE_TIMEOUT": 0}).publish("sold")
