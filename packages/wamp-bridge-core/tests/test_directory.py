"""What there is at the router, as a client asks a bridge for it."""

from __future__ import annotations

from typing import Any

import pytest

from support.plain_server import Asked, Reply, plain_server
from wamp_bridge.core import (
    AsyncBridge,
    Bridge,
    Forbidden,
    InvalidURI,
    NotOffered,
    PastEvent,
    Procedure,
    ServerError,
    Settings,
    Topic,
)
from wamp_bridge.core.testing import FakeBridge


def pages(asked: Asked) -> Reply:
    """Two pages of each."""
    second = "cursor=next" in asked.path
    number = 2 if second else 1
    held = {"id": number, "uri": f"com.{number}", "match": "exact", "created_at": 1.5}
    procedure = {**held, "invoke": "single", "callees": 3}
    cursor = None if second else "next"
    if asked.path.startswith("/procedures/"):
        return Reply(200, {"procedures": [procedure], "cursor": cursor})
    return Reply(200, {"topics": [{**held, "subscribers": None}], "cursor": cursor})


def test_all_pages_are_read() -> None:
    with plain_server(pages) as server, Bridge(Settings(url=server.url, token="t")) as bridge:
        assert bridge.procedures() == [
            Procedure(number, f"com.{number}", "exact", "single", 3, 1.5) for number in (1, 2)
        ]
        assert bridge.topics() == [
            Topic(number, f"com.{number}", "exact", None, 1.5) for number in (1, 2)
        ]


async def test_they_are_awaited() -> None:
    with plain_server(pages) as server:
        async with AsyncBridge(Settings(url=server.url, token="t")) as bridge:
            assert [each.id for each in await bridge.procedures()] == [1, 2]
            assert [each.id for each in await bridge.topics()] == [1, 2]


def test_past_events_are_told_whole() -> None:
    event = {
        "publication": 7,
        "topic": "com.shop.sold",
        "published_at": 1.5,
        "args": ["\0AQ=="],
        "kwargs": {"a": None},
        "details": {"publisher": 9, "publisher_authid": "ann", "publisher_authrole": "user"},
    }
    with plain_server(lambda _: Reply(200, {"events": [event]})) as server:
        settings = Settings(url=server.url, token="t", prefix="com.shop.")
        with Bridge(settings) as bridge:
            told = bridge.history("sold", limit=3, since=1.5, match="prefix")
            assert told == [
                PastEvent(7, "com.shop.sold", 1.5, [b"\x01"], {"a": None}, 9, "ann", "user")
            ]
            bridge.history("sold")
            with pytest.raises(InvalidURI):
                bridge.history("no uri")
        paths = [asked.path for asked in server.asked]
    assert paths == [
        "/topics/com.shop.sold/history/?limit=3&since=1.5&match=prefix",
        "/topics/com.shop.sold/history/",
    ]


@pytest.mark.parametrize(("status", "error"), [(501, NotOffered), (403, Forbidden)])
def test_what_the_router_does_not_tell(status: int, error: type[Exception]) -> None:
    problem = {"status": status, "title": "no", "detail": "the router says no"}
    with (
        plain_server(lambda _: Reply(status, problem)) as server,
        Bridge(Settings(url=server.url, token="t")) as bridge,
        pytest.raises(error, match="the router says no"),
    ):
        bridge.procedures()


@pytest.mark.parametrize("document", [{}, {"procedures": 1}, {"procedures": [1]}])
def test_an_answer_that_is_none_of_a_bridge(document: dict[str, Any]) -> None:
    with (
        plain_server(lambda _: Reply(200, document)) as server,
        Bridge(Settings(url=server.url, token="t")) as bridge,
        pytest.raises(ServerError, match="none of a bridge"),
    ):
        bridge.procedures()


def test_a_fake_bridge_remembers_what_was_published() -> None:
    with FakeBridge(), Bridge() as bridge:
        bridge.publish("com.shop.sold", [1])
        bridge.publish("com.shop.other", [2])
        bridge.publish("com.shop.sold", [3])
        assert [event.args for event in bridge.history("com.shop.sold")] == [[3], [1]]
        assert bridge.procedures() == []
        assert bridge.topics() == []
