"""Calls as streams: what their events mean, and what both clients make of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from wamp_bridge.core import (
    ApplicationError,
    AsyncBridge,
    Bridge,
    BridgeUnreachable,
    CallResult,
    NoSuchProcedure,
    Settings,
    WampBridgeBase,
)
from wamp_bridge.core._event_streams import Message, Reader
from wamp_bridge.core.testing import FakeBridge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SETTINGS = Settings(url="http://bridge.test/", token="t")


def event(name: str, data: Any, ends: str = "\n") -> bytes:
    return f"id: 1{ends}event: {name}{ends}data: {json.dumps(data)}{ends}{ends}".encode()


def progress(*args: Any) -> bytes:
    return event("progress", {"args": args, "kwargs": {}})


def result(*args: Any) -> bytes:
    return event("result", {"result": args[0], "args": args, "kwargs": {}})


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_events_are_read_in_any_pieces(size: int, ends: str) -> None:
    text = b": a comment\n\nretry: 20\n" + event("progress", {"args": ["é"]}, ends)
    text += b'id: 7\nevent:result\ndata:{"args":\ndata: [1]}\n\n' + event("unfinished", {})[:-1]
    reader = Reader()
    pieces = (text[at : at + size] for at in range(0, len(text), size))
    assert [each for piece in pieces for each in reader.feed(piece)] == [
        Message("progress", json.dumps({"args": ["é"]}).encode()),
        Message("result", b'{"args":\n[1]}'),
    ]
    assert (reader.last_id, reader.retry) == ("7", 0.02)


class Streamed(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body in parts that knows how far it was read, and whether it was let go."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = parts
        self.given = 0
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        for part in self.parts:
            self.given += 1
            yield part

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


def answering(body: Streamed, status: int = 200) -> Any:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        kind = "text/event-stream" if status == 200 else "application/problem+json"
        return httpx.Response(status, headers={"content-type": kind}, stream=body)

    transport: Any = httpx.MockTransport(answer)
    transport.seen = seen
    return transport


def test_steps_come_one_by_one_and_the_result_at_the_end() -> None:
    unknown = event("news", {})
    body = Streamed(progress(1), unknown, progress(2) + progress([3]), result("done"))
    transport = answering(body)
    with Bridge(SETTINGS, transport=transport) as bridge:
        steps = bridge.stream("com.f", [1], timeout=3, options={"cancel_mode": "kill"})
        assert not transport.seen
        assert next(steps) == 1
        assert body.given == 1
        with pytest.raises(RuntimeError):
            assert steps.result
        assert list(steps) == [2, [3]]
        assert list(steps) == []
        assert steps.result == "done"
    assert body.closed
    (request,) = transport.seen
    assert request.headers["accept"] == "text/event-stream"
    asked = json.loads(request.content)
    assert (asked["args"], asked["timeout"]) == ([1], 3)
    assert asked["options"] == {"cancel_mode": "kill"}


async def test_steps_come_one_by_one_on_a_loop() -> None:
    body = Streamed(progress(1), progress(2), result("done"))
    async with AsyncBridge(SETTINGS, transport=answering(body)) as bridge:
        steps = bridge.stream("com.f", full=True)
        assert [step async for step in steps] == [CallResult([1]), CallResult([2])]
        assert steps.result == CallResult(["done"])
    assert body.closed


def test_who_takes_no_more_lets_go_of_the_connection() -> None:
    body = Streamed(progress(1), progress(2), result("done"))
    with Bridge(SETTINGS, transport=answering(body)) as bridge:
        with bridge.stream("com.f") as steps:
            assert next(steps) == 1
        assert (body.given, body.closed) == (1, True)
        assert list(steps) == []


async def test_who_takes_no_more_on_a_loop_lets_go_of_the_connection() -> None:
    body = Streamed(progress(1), progress(2), result("done"))
    async with AsyncBridge(SETTINGS, transport=answering(body)) as bridge:
        async with bridge.stream("com.f") as steps:
            assert await anext(steps) == 1
        assert (body.given, body.closed) == (1, True)


async def test_an_end_without_an_outcome_is_an_error() -> None:
    with Bridge(SETTINGS, transport=answering(Streamed(progress(1)))) as bridge:
        steps = bridge.stream("com.f")
        assert next(steps) == 1
        with pytest.raises(BridgeUnreachable, match="before the call's end"):
            next(steps)
    async with AsyncBridge(SETTINGS, transport=answering(Streamed())) as on_loop:
        with pytest.raises(BridgeUnreachable, match="before the call's end"):
            await anext(on_loop.stream("com.f"))


def test_a_bridge_without_streams_answers_with_the_result() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"args": [3]}))
    with Bridge(SETTINGS, transport=transport) as bridge:
        steps = bridge.stream("com.f")
        assert list(steps) == []
        assert steps.result == 3


ERROR = {"title": "x", "status": 404, "error": "wamp.error.no_such_procedure", "args": ["f"]}


async def test_errors_are_those_of_a_call() -> None:
    streamed = Streamed(progress(1), event("error", ERROR))
    with Bridge(SETTINGS, transport=answering(streamed)) as bridge:
        steps = bridge.stream("com.f")
        assert next(steps) == 1
        with pytest.raises(NoSuchProcedure):
            next(steps)
    refused = Streamed(json.dumps(ERROR).encode())
    async with AsyncBridge(SETTINGS, transport=answering(refused, 404)) as on_loop:
        with pytest.raises(NoSuchProcedure):
            await anext(on_loop.stream("com.f"))


async def test_a_bridge_that_is_not_there() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    transport = httpx.MockTransport(refuse)
    with Bridge(SETTINGS, transport=transport) as bridge, pytest.raises(BridgeUnreachable):
        next(bridge.stream("com.f"))
    async with AsyncBridge(SETTINGS, transport=transport) as on_loop:
        with pytest.raises(BridgeUnreachable):
            await anext(on_loop.stream("com.f"))


async def test_a_fake_bridge_has_steps() -> None:
    app = WampBridgeBase({"WAMP_BRIDGE_PREFIX": "com.shop"})
    with FakeBridge() as fake:
        fake.expect_call("com.shop.f", [1], steps=[1, CallResult([2, 3])], returns="done", times=3)
        steps = app.stream("f", [1])
        assert list(steps) == [1, [2, 3]]
        assert steps.result == "done"
        on_loop = app.astream("f", [1])
        assert [step async for step in on_loop] == [1, [2, 3]]
        assert on_loop.result == "done"
        assert app.call("f", [1]) == "done"
        fake.expect_call("com.shop.f", steps=["a"], raises=ApplicationError("com.shop.closed"))
        failing = app.stream("f")
        assert next(failing) == "a"
        with pytest.raises(ApplicationError):
            next(failing)


def test_a_callback_that_takes_progress_asks_for_it_and_gets_it() -> None:
    app = WampBridgeBase({})
    told: list[Any] = []
    app.callback("watching", progress=True)(told.append)
    app.callback("waiting")(told.append)
    with FakeBridge() as fake:
        fake.connect(app)
        fake.expect_call("com.f", steps=[1, 2], returns="done", times=2)
        app.call("com.f", callback="watching", options={"cancel_mode": "kill"})
        assert fake.called[0].options == {"receive_progress": True, "cancel_mode": "kill"}
        fake.deliver_outcomes()
        *steps, outcome = told
        assert [(step.sequence, step.result.value) for step in steps] == [(0, 1), (1, 2)]
        assert outcome.value() == "done"
        told.clear()
        app.start_call("com.f", callback="waiting")
        assert fake.called[1].options == {}
        fake.deliver_outcomes()
        assert [each.value() for each in told] == ["done"]


async def test_a_fake_bridge_takes_the_steps_of_an_app() -> None:
    app = WampBridgeBase({})

    @app.rpc("com.count")
    def count(wanted: int) -> Any:
        yield from range(wanted)
        return "done"

    @app.rpc("com.fail")
    async def fail() -> Any:
        yield "step"
        raise ApplicationError("com.closed")

    with FakeBridge() as fake:
        fake.connect(app)
        steps: list[Any] = []
        assert fake.invoke("com.count", [3], on_progress=steps.append) == "done"
        assert fake.invoke("com.count", [3]) == "done"
        assert steps == [0, 1, 2]
        with pytest.raises(ApplicationError):
            await fake.ainvoke("com.fail", on_progress=steps.append)
        assert steps[3:] == ["step"]
