"""Deliveries: each arrives, or is given up with a word."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from support.outboxes import (
    ALL,
    DEAD,
    LATER,
    SOON,
    Target,
    bodies_of,
    failing,
    setting,
)
from support.waiting import eventually

if TYPE_CHECKING:
    from support.servers import CallbackServer, Posted


async def test_what_is_put_arrives(app: CallbackServer) -> None:
    async with setting() as told:
        await told.deliver(Target(app.url), *"abc")
        await eventually(lambda: told.waiting == 0)
    assert sorted(bodies_of(app)) == ["a", "b", "c"]


async def test_what_fails_is_tried_again_under_its_id(app: CallbackServer) -> None:
    statuses = iter([500, 302, 200])
    app.answering = lambda _posted: web.Response(status=next(statuses))
    async with setting() as told:
        await told.deliver(Target(app.url), "a")
        await eventually(lambda: told.waiting == 0)
    assert [posted.headers["wamp-bridge-attempt"] for posted in app.posted] == ["1", "2", "3"]
    assert len({posted.headers["webhook-id"] for posted in app.posted}) == 1


async def test_what_fails_to_the_end_is_given_up(app: CallbackServer) -> None:
    app.answering = failing
    async with setting() as told:
        await told.deliver(Target(app.url), "a")
        await eventually(lambda: told.waiting == 0)
        assert await told.dead() == ["status 500"]
        (letter,) = await told.store.dead_letters.page(ALL, after=0, number=9)
        attempts = await told.store.dead_letters.attempts(letter.id)
    assert [attempt.number for attempt in attempts] == [1, 2, 3, 4]
    assert {(attempt.status, attempt.answer) for attempt in attempts} == {(500, b"sorry")}
    assert len(app.posted) == len(SOON)


async def test_a_dead_recipient_delays_no_other(app: CallbackServer) -> None:
    async with setting(LATER) as told:
        await told.deliver(Target(DEAD, lane="dead"), *"abcdef")
        await told.deliver(Target(app.url), "x")
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
    async with setting() as told:
        await told.deliver(Target(app.url, concurrency=3), *"abcdefgh")
        await eventually(lambda: busy == 3)
        go_on.set()
        await eventually(lambda: told.waiting == 0)
    assert most == 3
    assert len(app.posted) == 8


async def test_ordered_ones_wait_for_the_one_before_them(app: CallbackServer) -> None:
    refusals = {"b": 2}

    def answering(posted: Posted) -> web.Response:
        body = posted.body.decode()
        refusals[body] = refusals.get(body, 0) - 1
        return web.Response(status=500 if refusals[body] >= 0 else 200)

    app.answering = answering
    async with setting() as told:
        await told.deliver(Target(app.url, ordered=True), *"abcd")
        await eventually(lambda: told.waiting == 0)
    assert bodies_of(app) == ["a", "b", "b", "b", "c", "d"]


async def test_nothing_is_sent_to_who_rests_and_all_when_back(app: CallbackServer) -> None:
    async with setting() as told:
        target = Target(app.url, resting=True, ordered=True)
        await told.deliver(target, *"abc")
        assert told.waiting == 3
        target.resting = False
        told.outbox.resume(target)
        await eventually(lambda: told.waiting == 0)
    assert bodies_of(app) == ["a", "b", "c"]
    assert {posted.headers["wamp-bridge-attempt"] for posted in app.posted} == {"1"}


async def test_on_its_return_all_is_due_at_once_in_order(app: CallbackServer) -> None:
    app.answering = failing
    async with setting(LATER) as told:
        target = Target(app.url)
        await told.deliver(target, *"abc")
        await eventually(lambda: len(app.posted) == 3)
        app.posted.clear()
        app.answering = lambda _posted: web.Response()
        target.ordered = True
        await eventually(lambda: told.waiting == 3)
        told.outbox.resume(target)
        await eventually(lambda: told.waiting == 0)
    assert bodies_of(app) == ["a", "b", "c"]


async def test_410_ends_it_and_is_told(app: CallbackServer) -> None:
    app.answering = lambda _posted: web.Response(status=410)
    async with setting() as told:
        target = Target(app.url)
        await told.deliver(target, "a")
        await eventually(lambda: told.declined == [target])
        await eventually(lambda: told.waiting == 0)
        assert await told.dead() == ["status 410"]
    assert len(app.posted) == 1


async def test_retry_after_lengthens_the_wait(app: CallbackServer) -> None:
    app.answering = lambda _posted: web.Response(status=503, headers={"Retry-After": "3600"})
    async with setting() as told:
        await told.deliver(Target(app.url), "a")
        await eventually(lambda: len(app.posted) == 1)
        await told.deliver(Target(app.url, lane="other"), "b")
        await eventually(lambda: len(app.posted) == 2)
        assert told.waiting == 2


async def test_what_waits_for_an_endpoint_taken_back_is_given_up(app: CallbackServer) -> None:
    async with setting() as told:
        target = Target(app.url, resting=True)
        await told.deliver(target, *"abc")
        told.outbox.drop(target)
        await eventually(lambda: told.waiting == 0)
        assert await told.dead() == ["its endpoint was taken back"] * 3
        assert told.outbox.stocks["shop"].dead == 3
    assert not app.posted
