"""Topics followed by clients: what is sent and read, over breaks, and what is no stream."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from wamp_bridge.core import (
    AsyncBridge,
    Bridge,
    BridgeUnreachable,
    EventsLost,
    Forbidden,
    InvalidURI,
    ServerError,
    Settings,
    SignedURL,
)
from wamp_bridge.core.testing import FakeBridge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Came = httpx.Response | Exception

SETTINGS = Settings(url="http://bridge.test/", token="token-of-shop", prefix="com.shop")


class Chunks(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that comes in pieces, and may be cut off."""

    def __init__(self, *pieces: bytes, cut: bool = False) -> None:
        self._pieces, self._cut = pieces, cut

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        if self._cut:
            raise httpx.ReadError("cut off")

    async def __aiter__(self) -> Any:
        for piece in self:
            yield piece


def stream(*pieces: bytes, cut: bool = False) -> httpx.Response:
    headers = {"content-type": "text/event-stream; charset=utf-8"}
    return httpx.Response(200, headers=headers, stream=Chunks(*pieces, cut=cut))


def event(number: int, name: str = "") -> bytes:
    details = {"publisher": 5, "publisher_authid": "a", "publisher_app": "bank"}
    data: dict[str, Any] = {"topic": "com.shop.sold", "publication": number, "args": [number]}
    data |= {"kwargs": {}, "details": details}
    named = f"event: {name}\n" if name else ""
    return f"{named}id: log-{number}\ndata: {json.dumps(data)}\n\n".encode()


class Asked:
    """Answers one thing after another, and keeps the requests."""

    def __init__(self, *answers: Came) -> None:
        self.requests: list[httpx.Request] = []
        self._answers = iter(answers)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        came = next(self._answers)
        if isinstance(came, Exception):
            raise came
        return came

    @property
    def places(self) -> list[str | None]:
        return [request.headers.get("last-event-id") for request in self.requests]


async def sync_events(asked: Asked, number: int, **options: Any) -> list[Any]:
    with Bridge(SETTINGS, transport=httpx.MockTransport(asked)) as bridge:
        events = bridge.events("sold", **options)
        return list(itertools.islice(events, number))


async def async_events(asked: Asked, number: int, **options: Any) -> list[Any]:
    found = []
    async with AsyncBridge(SETTINGS, transport=httpx.MockTransport(asked)) as bridge:
        async for each in bridge.events("sold", **options):
            found.append(each)
            if len(found) == number:
                break
    return found


@pytest.fixture(params=[sync_events, async_events])
def follow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("wamp_bridge.core._following._FIRST_PAUSE_SECONDS", 0.001)
    return request.param


READY = b"retry: 1\nevent: ready\nid: log-0\ndata: {}\n\n"


async def test_events_come_as_they_are_sent(follow: Callable[..., Any]) -> None:
    text = b"\n" + READY + b":\n\n" + event(1) + event(2).replace(b"\n", b"\r\n") + event(3)
    asked = Asked(stream(*(text[at : at + 7] for at in range(0, len(text), 7))))
    found = await follow(asked, 3)
    assert [(each.args, each.publication, each.id) for each in found] == [
        ([number], number, f"log-{number}") for number in (1, 2, 3)
    ]
    assert found[0].topic == "com.shop.sold"
    disclosed = (found[0].publisher, found[0].publisher_authid, found[0].publisher_app)
    assert disclosed == (5, "a", "bank")
    request = asked.requests[0]
    assert request.url.raw_path == b"/events/com.shop.sold/?match=exact"
    assert request.headers["accept"] == "text/event-stream"
    assert request.headers["authorization"] == "Bearer token-of-shop"


async def test_it_goes_on_where_it_was_cut_off(follow: Callable[..., Any]) -> None:
    asked = Asked(
        stream(READY),  # nothing came, but the place is known
        stream(event(1), event(2)[:-1], cut=True),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("silence"),
        httpx.Response(503, headers={"retry-after": "0.001"}),
        stream(event(2), event(3)),
    )
    found = await follow(asked, 3, match="prefix")
    assert [each.publication for each in found] == [1, 2, 3]
    assert asked.places == [None, "log-0", *["log-1"] * 4]


async def test_it_begins_behind_a_place(follow: Callable[..., Any]) -> None:
    asked = Asked(stream(event(8)))
    await follow(asked, 1, last_event_id="log-7")
    assert asked.places == ["log-7"]


async def test_lost_events_are_told(follow: Callable[..., Any]) -> None:
    asked = Asked(stream(b'event: gap\nid: log-9\ndata: {"last_event_id": "x"}\n\n'))
    with pytest.raises(EventsLost) as lost:
        await follow(asked, 1)
    assert lost.value.last_event_id == "log-9"


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([(403, b"{}")], Forbidden),
        ([(200, event(1)), (403, b"{}")], Forbidden),
        ([(201, b"{}")], ServerError),
        ([(0, b"")] * 3, BridgeUnreachable),
    ],
)
async def test_what_is_no_stream_is_an_error(
    follow: Callable[..., Any], answers: list[tuple[int, bytes]], error: type[Exception]
) -> None:
    def came(status: int, body: bytes) -> Came:
        if not status:
            return httpx.ConnectError("refused")
        return stream(body) if status == 200 else httpx.Response(status, content=body)

    with pytest.raises(error):
        await follow(Asked(*(came(*answer) for answer in answers)), 2)


def test_what_is_no_topic_is_told_at_once() -> None:
    with Bridge(SETTINGS) as bridge, pytest.raises(InvalidURI):
        bridge.events(".com..sold")


async def test_a_url_is_signed() -> None:
    text = "http://bridge.test/events/x/?signature=wbu_"
    told = {"url": text, "expires_at": 1800000000}
    asked = Asked(*[httpx.Response(200, json=told) for _ in range(2)])
    transport = httpx.MockTransport(asked)
    with Bridge(SETTINGS, transport=transport) as bridge:
        url = bridge.events_url("sold", match="prefix", lifetime=60, origin="https://shop.test")
    async with AsyncBridge(SETTINGS, transport=transport) as async_bridge:
        assert await async_bridge.events_url("sold") == url
    assert url == SignedURL(text, 1800000000.0)
    assert str(url) == text
    assert "wbu_" not in repr(url)
    first, second = (json.loads(request.content) for request in asked.requests)
    assert first == {"match": "prefix", "lifetime": 60, "origin": "https://shop.test"}
    assert second == {"match": "exact"}
    assert asked.requests[0].url.path == "/events/com.shop.sold/url/"


SEVERAL = {
    "events": [
        {"publication": 7},
        {"type": "about:blank", "status": 403, "detail": "no", "title": "Forbidden"},
        {"publication": None},
    ]
}


async def test_several_events_are_published_and_each_is_told_of() -> None:
    asked = Asked(*[httpx.Response(200, json=SEVERAL) for _ in range(2)])
    transport = httpx.MockTransport(asked)
    with Bridge(SETTINGS, transport=transport) as bridge:
        told = bridge.publish_many("sold", [[1], {"n": 2}, ()], options={"retain": True})
    async with AsyncBridge(SETTINGS, transport=transport) as async_bridge:
        again = await async_bridge.publish_many("sold", ([n] for n in range(3)))
    assert [each.id for each in told] == [each.id for each in again] == [7, None, None]
    assert told[0].value() == 7
    assert isinstance(told[1].error, Forbidden)
    assert told[1].error.detail == "no"
    with pytest.raises(Forbidden):
        told[1].value()
    assert json.loads(asked.requests[0].content) == {
        "events": [
            {"args": [1], "kwargs": {}},
            {"args": [], "kwargs": {"n": 2}},
            {"args": [], "kwargs": {}},
        ],
        "options": {"retain": True},
    }


class TestAgainstAFake:
    def test_several_are_published(self) -> None:
        with FakeBridge() as fake, Bridge(SETTINGS) as bridge:
            fake.expect_publish("sold", [2], raises=Forbidden)
            told = bridge.publish_many("sold", [[1], [2], {"n": 3}])
            assert [each.id for each in told] == [1, None, 2]
            assert isinstance(told[1].error, Forbidden)
            fake.assert_published("sold", times=2)

    def test_what_was_published_comes(self) -> None:
        with FakeBridge(), Bridge(SETTINGS) as bridge:
            bridge.publish("sold", [1])
            bridge.publish("com.other", [2])
            bridge.publish("sold", [3])
            first, second = bridge.events("sold")
            assert (first.args, second.args) == ([1], [3])
            assert [each.args for each in bridge.events("sold", last_event_id=first.id)] == [[3]]
            assert len(list(bridge.events(".com", match="prefix"))) == 3
            assert len(list(bridge.events(".com..sold", match="wildcard"))) == 2
            assert bridge.events_url("sold").url.endswith("/events/com.shop.sold/")

    async def test_on_a_loop(self) -> None:
        with FakeBridge():
            async with AsyncBridge(SETTINGS) as bridge:
                await bridge.publish("sold", [1])
                assert [each.args async for each in bridge.events("sold")] == [[1]]
