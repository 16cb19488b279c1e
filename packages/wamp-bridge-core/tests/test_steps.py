"""Generators as handlers, where the conformance suite of adapters doesn't look."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from support.waiting import eventually, eventually_sync
from wamp_bridge.core import (
    Endpoint,
    InvocationDetails,
    InvocationEnvelope,
    Request,
    Response,
    WampBridgeBase,
    loads,
    unless_gone,
    until_gone,
)
from wamp_bridge.core.testing import signed_request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


def asking(*args: Any, **details: Any) -> Request:
    return asking_for("com.f", *args, **details)


def asking_for(procedure: str, *args: Any, **details: Any) -> Request:
    envelope = InvocationEnvelope(Endpoint(procedure), procedure, args, {}, details)
    return signed_request(envelope, secrets=[])


def app() -> WampBridgeBase:
    return WampBridgeBase({"WAMP_BRIDGE_VERIFY": False})


def kinds(answer: Response) -> list[str]:
    assert answer.lines is not None
    return [next(iter(loads(line))) for line in answer.lines]


def test_what_json_lacks_ends_the_answer_and_closes_the_generator() -> None:
    wamp, closed = app(), []

    @wamp.rpc("com.f")
    def steps() -> Iterator[Any]:
        try:
            yield 1
            yield object()
            yield 2
        finally:
            closed.append(True)

    answer = wamp.handle(asking(progress=True))
    assert not answer.whole
    assert kinds(answer) == ["progress", "error"]
    assert closed == [True]


async def test_an_asynchronous_generator_may_be_run_where_a_loop_is_busy() -> None:
    wamp = app()

    @wamp.rpc("com.f")
    async def steps() -> AsyncIterator[int]:
        async with asyncio.timeout(10):  # which is bound to the task that entered it
            yield 1
            await asyncio.sleep(0)
            yield 2

    assert kinds(wamp.handle(asking(progress=True))) == ["progress", "progress", "result"]
    whole = wamp.handle(asking())
    assert (whole.whole, loads(whole.body)) == (True, 2)


async def test_a_generator_that_is_closed_while_it_runs_in_a_thread_is_waited_for() -> None:
    wamp, seen = app(), list[Any]()
    entered = threading.Event()

    @wamp.rpc("com.f")
    def steps(details: InvocationDetails) -> Iterator[int]:
        try:
            yield 1
            entered.set()
            seen.append(eventually_sync(lambda: details.cancelled))
            yield 2
        finally:
            seen.append("closed")

    answer = await wamp.handle_async(asking(progress=True))
    assert answer.async_lines is not None
    lines = aiter(answer.async_lines)
    await anext(lines)
    taking = asyncio.create_task(anext(lines))
    await asyncio.to_thread(entered.wait, 10)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert seen == [True, "closed"]


def test_details_tell_what_is_known_of_who_waits() -> None:
    def details(deadline: float | None) -> InvocationDetails:
        return InvocationDetails("f", Endpoint("f"), "msg_1", deadline=deadline)

    assert (details(None).seconds_left, details(None).cancelled) == (None, False)
    over = details(time.time() - 1)
    assert (over.seconds_left, over.cancelled) == (0.0, True)
    waiting = details(time.time() + 60)
    assert 0 < (waiting.seconds_left or 0) <= 60
    assert not waiting.cancelled
    waiting.gone.set()
    assert waiting.cancelled


async def test_lines_end_when_nobody_takes_them_though_the_next_one_takes_long() -> None:
    gone, cancelled = asyncio.Event(), []

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def lines() -> AsyncIterator[bytes]:
        yield b"one"
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    taken = []
    async for line in until_gone(lines(), receive):
        taken.append(line)
        gone.set()
    assert (taken, cancelled) == ([b"one"], [True])


async def test_an_answer_that_nobody_waits_for_is_cancelled_once() -> None:
    wamp, seen, gone = app(), list[Any](), asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    @wamp.rpc("com.f")
    async def slow() -> None:
        try:
            gone.set()
            await asyncio.Event().wait()
        finally:
            waiting.cancel()  # as some frameworks do to whoever waits for the answer
            for _ in range(10):
                await asyncio.sleep(0)
            seen.append("rolled back")

    request = asking_for("com.f")
    waiting = asyncio.create_task(unless_gone(wamp.handle_async(request), receive))
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert seen == ["rolled back"]
    assert request.gone.is_set()
    gone.set()
    assert await unless_gone(asyncio.Event().wait(), receive) is None


async def test_a_handler_in_a_thread_learns_that_nobody_waits() -> None:
    wamp, entered, seen = app(), threading.Event(), list[bool]()

    @wamp.rpc("com.f")
    def slow(details: InvocationDetails) -> None:
        entered.set()
        seen.append(eventually_sync(lambda: details.cancelled))

    answering = asyncio.create_task(wamp.handle_async(asking_for("com.f")))
    await asyncio.to_thread(entered.wait, 10)
    answering.cancel()
    await asyncio.wait([answering])
    await eventually(lambda: seen == [True])


async def test_what_goes_wrong_when_a_generator_is_closed_is_logged_and_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wamp = app()

    @wamp.rpc("com.f")
    def steps() -> Iterator[Any]:
        try:
            yield 1
            yield object()
        finally:
            raise ValueError("no rollback")

    answer = wamp.handle(asking(progress=True))
    assert answer.lines is not None
    next(answer.lines)
    answer.lines.close()
    assert caplog.text.count("ValueError: no rollback") == 1
    assert kinds(wamp.handle(asking(progress=True))) == ["progress", "error"]

    @wamp.rpc("com.g")
    async def async_steps() -> AsyncIterator[Any]:
        try:
            yield 1
        finally:
            raise ValueError("nor here")

    answer = await wamp.handle_async(asking_for("com.g", progress=True))
    assert answer.async_lines is not None
    async with aclosing(aiter(answer.async_lines)) as lines:
        await anext(lines)
    assert caplog.text.count("ValueError: nor here") == 1


async def test_lines_that_come_to_their_end_are_all_taken() -> None:
    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def lines() -> AsyncIterator[bytes]:
        for number in range(5):
            yield b"%d" % number

    assert [line async for line in until_gone(lines(), receive)] == [b"0", b"1", b"2", b"3", b"4"]
