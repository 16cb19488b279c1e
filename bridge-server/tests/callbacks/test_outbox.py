"""Deliveries: each arrives, or is given up with a word."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from support.destinations import LOOPBACK
from support.servers import CallbackServer, Posted, callback_server
from support.waiting import eventually
from wamp_bridge_server.callbacks.outbox import Delivery, Outbox, Recipient
from wamp_bridge_server.callbacks.sender import Sender

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SOON = (0.0, 0.01, 0.01, 0.01)


@dataclass
class Target:
    """A recipient whose every word a test sets."""

    url: str
    lane: str = "one"
    app: str = "shop"
    resting: bool = False
    ordered: bool = False
    concurrency: int = 10


@dataclass
class Told:
    """An outbox with what it told of recipients that answered 410."""

    outbox: Outbox
    declined: list[Recipient]


@asynccontextmanager
async def outbox(schedule: tuple[float, ...] = SOON) -> AsyncIterator[Told]:
    sender, declined = Sender(lambda _app: None, lambda _app: LOOPBACK), list[Recipient]()
    await sender.start()
    made = Outbox(sender, declined.append, schedule)
    try:
        yield Told(made, declined)
    finally:
        await made.close()
        await sender.close()


@pytest.fixture
async def app() -> AsyncIterator[CallbackServer]:
    async with callback_server() as server:
        yield server


def deliver(told: Told, target: Target, *bodies: str) -> None:
    for body in bodies:
        told.outbox.put(target, Delivery(body.encode(), about="a test"))


def bodies_of(app: CallbackServer) -> list[str]:
    return [posted.body.decode() for posted in app.posted]


async def test_what_is_put_arrives(app: CallbackServer) -> None:
    async with outbox() as told:
        deliver(told, Target(app.url), *"abc")
        await eventually(lambda: told.outbox.waiting == 0)
    assert sorted(bodies_of(app)) == ["a", "b", "c"]


async def test_what_fails_is_tried_again_under_its_id(app: CallbackServer) -> None:
    statuses = iter([500, 302, 200])
    app.answering = lambda _posted: web.Response(status=next(statuses))
    async with outbox() as told:
        deliver(told, Target(app.url), "a")
        await eventually(lambda: told.outbox.waiting == 0)
    assert [posted.headers["wamp-bridge-attempt"] for posted in app.posted] == ["1", "2", "3"]
    assert len({posted.headers["webhook-id"] for posted in app.posted}) == 1


async def test_what_fails_to_the_end_is_given_up(app: CallbackServer) -> None:
    app.answering = lambda _posted: web.Response(status=500)
    async with outbox() as told:
        deliver(told, Target(app.url), "a")
        await eventually(lambda: told.outbox.waiting == 0)
    assert len(app.posted) == len(SOON)


async def test_a_dead_recipient_delays_no_other(app: CallbackServer) -> None:
    async with outbox((0.0, 3600.0)) as told:
        deliver(told, Target("http://127.0.0.1:1/", lane="dead"), *"abcdef")
        deliver(told, Target(app.url), "x")
        await eventually(lambda: len(app.posted) == 1)


async def test_no_more_than_its_concurrency_at_once(app: CallbackServer) -> None:
    busy, most, go_on = 0, 0, asyncio.Event()

    async def answering(_posted: Posted) -> web.Response:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await go_on.wait()
        busy -= 1
        return web.Response()

    app.answering = answering
    async with outbox() as told:
        deliver(told, Target(app.url, concurrency=3), *"abcdefgh")
        await eventually(lambda: busy == 3)
        go_on.set()
        await eventually(lambda: told.outbox.waiting == 0)
    assert most == 3
    assert len(app.posted) == 8


async def test_ordered_ones_wait_for_the_one_before_them(app: CallbackServer) -> None:
    failing = {"b": 2}

    def answering(posted: Posted) -> web.Response:
        body = posted.body.decode()
        failing[body] = failing.get(body, 0) - 1
        return web.Response(status=500 if failing[body] >= 0 else 200)

    app.answering = answering
    async with outbox() as told:
        deliver(told, Target(app.url, ordered=True), *"abcd")
        await eventually(lambda: told.outbox.waiting == 0)
    assert bodies_of(app) == ["a", "b", "b", "b", "c", "d"]


async def test_nothing_is_sent_to_who_rests_and_all_when_back(app: CallbackServer) -> None:
    async with outbox() as told:
        target = Target(app.url, resting=True, ordered=True)
        deliver(told, target, *"abc")
        assert told.outbox.waiting == 3
        target.resting = False
        told.outbox.resume(target)
        await eventually(lambda: told.outbox.waiting == 0)
    assert bodies_of(app) == ["a", "b", "c"]
    assert {posted.headers["wamp-bridge-attempt"] for posted in app.posted} == {"1"}


async def test_on_its_return_all_is_due_at_once_in_order(app: CallbackServer) -> None:
    app.answering = lambda _posted: web.Response(status=500)
    async with outbox((0.0, 3600.0)) as told:
        target = Target(app.url)
        deliver(told, target, *"abc")
        await eventually(lambda: len(app.posted) == 3)
        app.posted.clear()
        app.answering = lambda _posted: web.Response()
        target.ordered = True
        await eventually(lambda: told.outbox.waiting == 3)
        told.outbox.resume(target)
        await eventually(lambda: told.outbox.waiting == 0)
    assert bodies_of(app) == ["a", "b", "c"]


async def test_410_ends_it_and_is_told(app: CallbackServer) -> None:
    app.answering = lambda _posted: web.Response(status=410)
    async with outbox() as told:
        target = Target(app.url)
        deliver(told, target, "a")
        await eventually(lambda: told.declined == [target])
    assert len(app.posted) == 1


async def test_retry_after_lengthens_the_wait(app: CallbackServer) -> None:
    app.answering = lambda _posted: web.Response(status=503, headers={"Retry-After": "3600"})
    async with outbox() as told:
        deliver(told, Target(app.url), "a")
        await eventually(lambda: len(app.posted) == 1)
        deliver(told, Target(app.url, lane="other"), "b")
        await eventually(lambda: len(app.posted) == 2)
        assert told.outbox.waiting == 2


async def test_what_waits_for_an_endpoint_taken_back_is_given_up(app: CallbackServer) -> None:
    async with outbox() as told:
        target = Target(app.url, resting=True)
        deliver(told, target, *"abc")
        told.outbox.drop(target)
        assert told.outbox.waiting == 0
    assert not app.posted
