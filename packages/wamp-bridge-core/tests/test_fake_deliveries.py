"""A `FakeBridge` sends an app what a bridge would, and the app is entered by its front door."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from wamp_bridge.core import (
    ApplicationError,
    AsyncWampBridgeBase,
    CallResult,
    ConfigurationError,
    EventDetails,
    InvalidArgument,
    InvocationDetails,
    Outcome,
    Request,
    Unavailable,
    WampBridgeBase,
)
from wamp_bridge.core.testing import FakeBridge

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = {"WAMP_BRIDGE_PREFIX": "com.shop"}


@pytest.fixture
def app() -> WampBridgeBase:
    return WampBridgeBase(SETTINGS)


@pytest.fixture
def bridge(app: WampBridgeBase) -> Iterator[FakeBridge]:
    with FakeBridge() as bridge:
        bridge.connect(app)
        yield bridge


def wsgi_app(app: WampBridgeBase, mounted: str = "/wamp/") -> Any:
    """An app of PEP 3333, with nothing around the dispatcher."""

    def serve(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        path = environ["PATH_INFO"].encode("latin-1").decode()
        assert path.startswith(mounted)
        headers = {
            name.removeprefix("HTTP_").replace("_", "-"): value
            for name, value in environ.items()
            if name.startswith(("HTTP_", "CONTENT_"))
        }
        body = environ["wsgi.input"].read()
        request = Request(environ["REQUEST_METHOD"], path.removeprefix(mounted), headers, body)
        answer = app.handle(request)
        start_response(f"{answer.status} Status", list(answer.headers.items()))
        return [answer.body]

    return serve


def test_a_procedure_is_called_by_its_name(app: WampBridgeBase, bridge: FakeBridge) -> None:
    @app.rpc()
    def price(fruit: str, *, count: int = 1) -> float:
        if fruit != "apple":
            raise ApplicationError("com.shop.unknown", fruit)
        return 0.5 * count

    assert bridge.invoke("price", ["apple"]) == 0.5
    assert bridge.invoke("com.shop.price", {"fruit": "apple", "count": 2}) == 1.0
    assert bridge.invoke(".com.shop.price", ["apple"], full=True) == CallResult([0.5])
    with pytest.raises(ApplicationError, match=r"com\.shop\.unknown: plum"):
        bridge.invoke("price", ["plum"])
    with pytest.raises(InvalidArgument):
        bridge.invoke("price")


def test_a_name_that_is_not_served_fails_and_says_what_is(
    app: WampBridgeBase, bridge: FakeBridge
) -> None:
    with pytest.raises(AssertionError, match="It has none at all"):
        bridge.invoke("price")
    app.rpc("price")(len)
    app.rpc("com.other.sell")(len)
    app.rpc("com.another.sell")(len)
    with pytest.raises(AssertionError) as caught:
        bridge.invoke("sell")
    assert str(caught.value).splitlines() == [
        "The app serves no procedure 'sell'.",
        "There are:",
        "  com.another.sell",
        "  com.other.sell",
        "  com.shop.price",
    ]
    with pytest.raises(AssertionError, match="follows no topic"):
        bridge.deliver_event("com.shop.price")


def test_a_handler_that_fails_for_what_was_not_expected_says_so(app: WampBridgeBase) -> None:
    app.rpc("order")(lambda: app.call("price", ["apple"]))
    bridge = FakeBridge()
    bridge.connect(app)
    with pytest.raises(ApplicationError) as caught, bridge:
        bridge.invoke("order")
    (note,) = caught.value.__notes__
    assert note.startswith("com.shop.price('apple') was called, which was not expected.")


def test_the_caller_can_be_told(app: WampBridgeBase, bridge: FakeBridge) -> None:
    @app.rpc()
    def who(details: InvocationDetails) -> str | None:
        return details.caller_authid

    assert bridge.invoke("who") is None
    assert bridge.invoke("who", details={"caller_authid": "joe"}) == "joe"
    with pytest.raises(TypeError, match=r"caller_autid.*caller_authid"):
        bridge.invoke("who", details={"caller_autid": "joe"})
    with pytest.raises(TypeError, match="publisher_authid"):
        bridge.deliver_event("com.shop.who", details={"caller_authid": "joe"})


def test_patterns_are_found_as_a_router_finds_them(app: WampBridgeBase, bridge: FakeBridge) -> None:
    app.rpc("com.shop", match="prefix")(lambda: "short")
    app.rpc("com.shop.deep", match="prefix")(lambda: "long")
    app.rpc("com.shop.deep.exact")(lambda: "exact")
    app.rpc("org..any", match="wildcard")(lambda: "wildcard")
    names = ["com.shop.deep.exact", "com.shop.deep.x", "com.shop.x", "org.x.any"]
    assert [bridge.invoke(name) for name in names] == ["exact", "long", "short", "wildcard"]
    with pytest.raises(AssertionError):
        bridge.invoke("org.x.y.any")


def test_an_event_reaches_each_subscription_that_matches(
    app: WampBridgeBase, bridge: FakeBridge
) -> None:
    heard: list[tuple[str, Any, int]] = []

    def receiver(name: str) -> Any:
        def receive(text: str, details: EventDetails) -> None:
            heard.append((name, text, details.publication))

        return receive

    app.sub("com.news", match="prefix")(receiver("prefix"))
    app.sub("com.news.sport")(receiver("exact"))
    bridge.deliver_event("com.news.sport", ["goal"])
    bridge.deliver_event("sport", {"text": "again"})
    assert heard == [
        ("exact", "goal", 1),
        ("prefix", "goal", 1),
        ("exact", "again", 2),
        ("prefix", "again", 2),
    ]


def test_an_event_can_come_twice(app: WampBridgeBase, bridge: FakeBridge) -> None:
    seen = []

    @app.sub()
    def sold(details: EventDetails) -> None:
        seen.append((details.delivery_id, details.publisher_authid))

    for _ in range(2):
        bridge.deliver_event("sold", delivery_id="d1", details={"publisher_authid": "joe"})
    assert seen == [("d1", "joe")] * 2


def test_an_event_whose_handler_fails_would_come_again(
    app: WampBridgeBase, bridge: FakeBridge
) -> None:
    app.sub("sold")(lambda: 1 / 0)
    with pytest.raises(ApplicationError, match="the log of its app"):
        bridge.deliver_event("sold")


def test_outcomes_go_to_the_callbacks_of_their_calls(
    app: WampBridgeBase, bridge: FakeBridge
) -> None:
    outcomes: list[Outcome] = []
    app.callback("done")(outcomes.append)
    bridge.expect_call("com.slow.count", returns=3)
    bridge.expect_call("com.slow.fail", raises=Unavailable)
    first = app.call("com.slow.count", [1], callback="done")
    second = app.call("com.slow.fail", callback="done")
    assert (first.status, outcomes) == ("pending", [])
    bridge.deliver_outcomes()
    assert [outcome.call for outcome in outcomes] == [first.id, second.id]
    assert outcomes[0].value() == 3
    assert isinstance(outcomes[1].error, Unavailable)
    bridge.deliver_outcomes()
    assert len(outcomes) == 2
    bridge.assert_called("com.slow.count", [1])
    with pytest.raises(ConfigurationError, match="nobody"):
        app.call("com.slow.count", callback="nobody")


def test_a_handler_can_ask_the_bridge(app: WampBridgeBase, bridge: FakeBridge) -> None:
    @app.rpc()
    def order(fruit: str) -> Any:
        app.publish("ordered", [fruit])
        return app.call("com.stock.take", [fruit])

    bridge.expect_call("com.stock.take", ["apple"], returns=7)
    assert bridge.invoke("order", ["apple"]) == 7
    bridge.assert_published("ordered", ["apple"])


@pytest.mark.parametrize("at", ["/wamp/", "/deep/down/"])
def test_a_wsgi_app_is_entered_as_its_server_does(app: WampBridgeBase, at: str) -> None:
    app.rpc("größe")(lambda: "answer")
    with FakeBridge() as bridge:
        bridge.connect(wsgi_app(app, at), at)
        assert bridge.invoke("größe") == "answer"


async def test_on_a_loop_everything_can_be_awaited() -> None:
    app = AsyncWampBridgeBase(SETTINGS)
    event = asyncio.Event()  # of this loop
    outcomes: list[Outcome] = []
    app.callback("done")(outcomes.append)

    @app.rpc()
    async def wait() -> str:
        await event.wait()
        return "over"

    @app.sub()
    async def begin() -> None:
        event.set()

    with FakeBridge() as bridge:
        bridge.connect(app)
        waiting = asyncio.create_task(bridge.ainvoke("wait"))
        await bridge.adeliver_event("begin")
        assert await waiting == "over"
        bridge.expect_call("slow", returns=1)
        await app.call("slow", callback="done")
        await bridge.adeliver_outcomes()
        assert outcomes[0].value() == 1
        assert sorted((await bridge.amanifest())["procedures"]) == ["com.shop.wait"]


async def test_a_wsgi_app_can_be_awaited(app: WampBridgeBase) -> None:
    app.rpc("price")(lambda: 1)
    with FakeBridge() as bridge:
        bridge.connect(wsgi_app(app))
        assert await bridge.ainvoke("price") == 1
        assert bridge.invoke("price") == 1


def test_without_an_app_there_is_nothing_to_reach() -> None:
    with FakeBridge() as bridge, pytest.raises(AssertionError, match="connect"):
        bridge.invoke("price")


def test_a_dispatcher_is_mounted_at_what_ends_in_a_slash(app: WampBridgeBase) -> None:
    with pytest.raises(ValueError, match="slash"):
        FakeBridge().connect(app, "/wamp")


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, b'{"detail": "Not Found"}'), (302, b""), (200, b"<html>"), (200, b"[]")],
    ids=["unknown", "redirect", "page", "list"],
)
def test_where_no_dispatcher_is_the_failure_says_so(status: int, body: bytes) -> None:
    def serve(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response(f"{status} Status", [])
        return [body]

    with FakeBridge() as bridge:
        bridge.connect(serve, "/elsewhere/")
        with pytest.raises(AssertionError, match=f"at http://testserver/elsewhere/.*{status}"):
            bridge.invoke("price")


def test_an_app_that_is_set_up_wrongly_answers_so(app: WampBridgeBase, bridge: FakeBridge) -> None:
    app.rpc("price")(len)
    app.rpc("com.shop.price")(len)
    with pytest.raises(ApplicationError, match="not set up rightly"):
        bridge.invoke("price")
