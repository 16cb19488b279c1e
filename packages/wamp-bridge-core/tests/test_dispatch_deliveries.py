from __future__ import annotations

from typing import Any

import pytest

from support.sample_app import DISPATCHER, SECRET, SETTINGS, dispatch_async, seen
from support.vectors import vectors
from wamp_bridge.core import (
    ApplicationError,
    BridgeError,
    Dispatcher,
    Endpoint,
    EventDetails,
    Outcome,
    ProgressEnvelope,
    Registry,
    ResultEnvelope,
    Settings,
    Unavailable,
)
from wamp_bridge.core.testing import SignedBridge


@pytest.fixture(autouse=True)
def fresh() -> None:
    seen.clear()


@pytest.fixture(params=[DISPATCHER.dispatch, dispatch_async], ids=["sync", "async"])
def bridge(request: pytest.FixtureRequest) -> SignedBridge:
    return SignedBridge(request.param, [SECRET])


def test_an_event_reaches_its_handler(bridge: SignedBridge) -> None:
    details = {"publisher": 7, "publisher_authid": "joe", "publisher_authrole": "user"}
    response = bridge.publish(
        "com.shop.sold", ["book"], {"topic": 1, "self": 2}, details=details, publication=2**53
    )
    assert (response.status, response.body) == (204, b"")
    ((args, kwargs, told),) = seen
    assert (args, kwargs) == (("book",), {"topic": 1, "self": 2})
    assert told == EventDetails(
        topic="com.shop.sold",
        endpoint=Endpoint("com.shop.sold", "exact"),
        publication=2**53,
        delivery_id=told.delivery_id,
        request_id=told.delivery_id,
        publisher=7,
        publisher_authid="joe",
        publisher_authrole="user",
    )


def test_a_wildcard_topic_is_known_by_its_pattern(bridge: SignedBridge) -> None:
    assert bridge.publish("com.x.any", endpoint="com..any", match="wildcard").status == 204


def test_an_event_that_fails_is_asked_for_again(
    bridge: SignedBridge, caplog: pytest.LogCaptureFixture
) -> None:
    assert bridge.publish("com.shop.fails").status == 500
    assert "hunter2" not in bridge.publish("com.shop.fails").body.decode()
    assert "hunter2" in caplog.text
    assert bridge.publish("com.shop.fails", [1]).status == 400
    assert bridge.publish("com.shop.unknown").status == 404


def test_a_retry_after_is_passed_on() -> None:
    own = Registry()

    @own.sub("t")
    def busy() -> None:
        error = Unavailable()
        error.retry_after = 2.5
        raise error

    response = SignedBridge(Dispatcher(own, SETTINGS).dispatch, [SECRET]).publish("t")
    assert (response.status, response.headers["retry-after"]) == (503, "3")


def test_a_result_reaches_its_callback(bridge: SignedBridge) -> None:
    assert bridge.succeed("done", [12], call="c1", procedure="com.shop.price").status == 204
    (outcome,) = seen
    assert (outcome.call, outcome.procedure) == ("c1", "com.shop.price")
    assert outcome.succeeded
    assert outcome.value() == 12
    assert outcome.delivery_id


def test_an_error_reaches_its_callback(bridge: SignedBridge) -> None:
    assert bridge.fail("done", ApplicationError("com.shop.sold_out", "book", left=0)).status == 204
    (outcome,) = seen
    assert not outcome.succeeded
    with pytest.raises(ApplicationError) as caught:
        outcome.value()
    assert (caught.value.uri, caught.value.args, caught.value.kwargs) == (
        "com.shop.sold_out",
        ("book",),
        {"left": 0},
    )


def test_progress_reaches_only_those_who_asked_for_it(bridge: SignedBridge) -> None:
    envelope = ProgressEnvelope("c1", "com.shop.price", 4, [0.5])
    assert bridge.deliver(envelope, "callback/done/").status == 204
    assert not seen
    assert bridge.deliver(envelope, "callback/watching/").status == 204
    (step,) = seen
    assert (step.sequence, step.result.value) == (4, 0.5)


def test_the_signed_body_says_which_callback_before_the_path_does(bridge: SignedBridge) -> None:
    url = "http://127.0.0.1:5000/wamp/callback/done/"
    to_done = ResultEnvelope("c1", "p", [1], callback=url)
    assert bridge.deliver(to_done, "callback/watching/").status == 204
    assert isinstance(seen[0], Outcome)
    for elsewhere in ("http://h/wamp/callback/nobody/", "http://h/other/", "http://[", "no url"):
        astray = ResultEnvelope("c1", "p", [1], callback=elsewhere)
        assert bridge.deliver(astray, "callback/done/").status == 404
    assert len(seen) == 1


@pytest.mark.parametrize("path", ["callback/nobody/", "", "rpc/com.shop.echo/"])
def test_an_outcome_for_no_callback_is_not_found(bridge: SignedBridge, path: str) -> None:
    assert bridge.deliver(ResultEnvelope("c1", "p"), path).status == 404


def test_the_manifest_says_what_is_served_and_where() -> None:
    expected = vectors("envelopes")["manifest_answer"]
    own = Registry()

    def f(*_args: Any) -> None: ...

    own.rpc("price", invoke="roundrobin", concurrency=4, timeout=2.5)(f)
    own.rpc("..", match="wildcard")(f)
    own.sub("sold", ordered=True)(f)
    own.sub(".com.shop", match="prefix", fanout=True, concurrency=2)(f)
    own.callback("done")(f)
    dispatcher = Dispatcher(own, Settings(secrets=(SECRET,), prefix="com.shop"))
    assert SignedBridge(dispatcher.dispatch, [SECRET]).manifest() == expected


def test_the_manifest_says_how_events_are_delivered() -> None:
    own = Registry()
    own.sub("t", schedule=(0, 2.5), timeout=5, dead_letters=60)(lambda: None)
    topics = SignedBridge(
        Dispatcher(own, Settings(secrets=(SECRET,))).dispatch, [SECRET]
    ).manifest()["topics"]
    assert {"schedule": [0, 2.5], "timeout": 5, "dead_letters": 60}.items() <= topics["t"].items()


def test_a_manifest_that_can_not_be_is_an_error_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    own = Registry()
    own.rpc("f")(lambda: None)
    own.rpc("com.f")(lambda: None)
    dispatcher = Dispatcher(own, Settings(secrets=(SECRET,), prefix="com"))
    with pytest.raises(BridgeError):
        SignedBridge(dispatcher.dispatch, [SECRET]).manifest()
    assert "declared twice" in caplog.text
