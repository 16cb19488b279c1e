"""Deliveries and the store: what waits there, over restarts and failures of it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from support.outboxes import (
    ALL,
    DEAD,
    LATER,
    SOON,
    Target,
    bodies_of,
    failing,
    record,
    setting,
)
from support.waiting import eventually
from wamp_bridge_server.callbacks import lanes
from wamp_bridge_server.callbacks.outbox import TAKEN_BACK
from wamp_bridge_server.store import Arrival, StoreError
from wamp_bridge_server.store.deliveries import Deliveries

if TYPE_CHECKING:
    from pathlib import Path

    from support.servers import CallbackServer, Posted


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'bridge.db'}"


async def test_what_waits_is_sent_after_a_restart(app: CallbackServer, url: str) -> None:
    async with setting(LATER, url) as told:
        await told.deliver(Target(DEAD), "tried")
        await eventually(lambda: told.outbox.stocks["shop"].failed == 1)
        await told.deliver(Target(app.url, "resting", resting=True), *"abc")
    async with setting(LATER, url, {"resting": Target(app.url, "resting")}) as told:
        assert told.waiting == 4
        await eventually(lambda: told.outbox.stocks["shop"].arrived == 3)
        assert await told.dead() == [TAKEN_BACK]  # of which nobody knows any more
    assert bodies_of(app) == ["a", "b", "c"]


async def test_the_schedule_goes_on_over_a_restart(app: CallbackServer, url: str) -> None:
    async with setting(LATER, url) as told:
        await told.deliver(Target(DEAD), "a")
        await eventually(lambda: told.outbox.stocks["shop"].failed == 1)
    targets = {"one": Target(app.url)}
    async with setting(LATER, url, targets) as told:
        await told.deliver(targets["one"], "b")
        await eventually(lambda: bodies_of(app) == ["b"])
        told.outbox.resume(targets["one"])
        await eventually(lambda: told.waiting == 0)
    assert app.posted[1].headers["wamp-bridge-attempt"] == "2"


async def test_an_attempt_that_is_cut_does_not_count(app: CallbackServer, url: str) -> None:
    async def never(_posted: Posted) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    app.answering = never
    async with setting(SOON, url) as told:
        await told.deliver(Target(app.url), "a")
        await eventually(lambda: len(app.posted) == 1)
    app.answering = lambda _posted: web.Response()
    async with setting(SOON, url, {"one": Target(app.url)}) as told:
        await eventually(lambda: told.waiting == 0)
    assert [posted.headers["wamp-bridge-attempt"] for posted in app.posted] == ["1", "1"]
    assert len({posted.headers["webhook-id"] for posted in app.posted}) == 1


async def test_order_is_kept_over_failures_and_a_restart(app: CallbackServer, url: str) -> None:
    app.answering = lambda posted: web.Response(status=500 if posted.body == b"3" else 200)
    async with setting(LATER, url) as told:
        await told.deliver(Target(app.url, ordered=True), *"123456")
        await eventually(lambda: told.outbox.stocks["shop"].failed == 1)
        await told.deliver(told.targets["one"], *"78")
    app.answering = lambda _posted: web.Response()
    async with setting(LATER, url, {"one": Target(app.url, ordered=True)}) as told:
        assert await told.stored() == 6
        told.outbox.resume(told.targets["one"])
        await told.deliver(told.targets["one"], *"9")
        await eventually(lambda: told.waiting == 0)
    assert bodies_of(app) == [*"123", *"3456789"]


async def test_a_page_that_was_read_before_its_recipient_was_back_says_nothing_of_when(
    app: CallbackServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with setting(LATER, url) as told:
        await told.deliver(Target(DEAD, ordered=True), *"123")
        await eventually(lambda: told.outbox.stocks["shop"].failed == 1)
    read, late = asyncio.Event(), asyncio.Event()
    after = Deliveries.after

    async def slow(*args: Any, **options: Any) -> Any:
        page = await after(*args, **options)
        read.set()
        await late.wait()
        return page

    monkeypatch.setattr(Deliveries, "after", slow)
    async with setting(LATER, url, {"one": Target(app.url, ordered=True)}) as told:
        await read.wait()
        told.outbox.resume(told.targets["one"])
        (lane,) = told.outbox._lanes.values()
        await eventually(lambda: not lane.hastening)
        late.set()
        await eventually(lambda: told.waiting == 0)
    assert bodies_of(app) == ["1", "2", "3"]


@pytest.mark.parametrize("ordered", [True, False])
async def test_few_are_in_hand_and_the_rest_in_the_store(
    app: CallbackServer, monkeypatch: pytest.MonkeyPatch, *, ordered: bool
) -> None:
    monkeypatch.setattr(lanes, "HAND", 3)
    async with setting() as told:
        target = Target(app.url, ordered=ordered, concurrency=1)
        for part in range(4):
            await told.deliver(target, *(f"{part}{number}" for number in range(10)))
            (lane,) = told.outbox._lanes.values()
            assert len(lane.hand) <= 3
        await eventually(lambda: told.waiting == 0)
        assert await told.stored() == 0
    assert bodies_of(app) == [f"{number:02}" for number in range(40)]


async def test_who_rests_has_nothing_in_hand(app: CallbackServer) -> None:
    async with setting(LATER) as told:
        target = Target(app.url, concurrency=1)
        app.answering = failing
        await told.deliver(target, *"abc")
        await eventually(lambda: told.outbox.stocks["shop"].failed == 3)
        target.resting = True
        await told.deliver(target, *"defg")
        (lane,) = told.outbox._lanes.values()
        assert not lane.hand
        app.posted.clear()
        app.answering = lambda _posted: web.Response()
        target.resting = False
        told.outbox.resume(target)
        await eventually(lambda: told.waiting == 0)
    assert sorted(bodies_of(app)[:3]) == ["a", "b", "c"]
    assert bodies_of(app)[3:] == ["d", "e", "f", "g"]


async def test_who_fails_all_the_time_is_gone_at_gently(app: CallbackServer) -> None:
    app.answering = failing
    async with setting(LATER) as told:
        await told.deliver(Target(app.url, concurrency=2), *(str(n) for n in range(30)))
        await eventually(lambda: told.outbox.stocks["shop"].failed > lanes.STRAINED)
        (lane,) = told.outbox._lanes.values()
        assert lane.width == 1
        app.answering = lambda _posted: web.Response()
        await eventually(lambda: told.outbox.stocks["shop"].arrived > 10)
        assert lane.width == 2


async def test_a_damaged_row_is_a_dead_letter_and_holds_up_nothing(
    app: CallbackServer, url: str
) -> None:
    async with setting(SOON, url) as told:
        target = Target(app.url, resting=True, ordered=True)
        kept = await told.deliver(target, *"abc")
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as other, other:
            other.execute("UPDATE deliveries SET body = 'text' WHERE seq = ?", [kept[1].seq])
        target.resting = False
        told.outbox.resume(target)
        await eventually(lambda: told.waiting == 0)
        assert await told.dead() == ["its row in the store is damaged"]
    assert bodies_of(app) == ["a", "c"]


async def test_a_store_that_fails_for_a_while_makes_no_duplicates(
    app: CallbackServer, url: str
) -> None:
    async with setting(SOON, url) as told:
        kept = await told.store.deliveries.keep(
            [Arrival(record(Target(app.url), str(number))) for number in range(150)]
        )
        told.targets["one"] = Target(app.url)
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as other:
            other.execute("BEGIN IMMEDIATE")
            told.outbox.kept(each for each in kept if each is not None)
            await eventually(lambda: len(app.posted) == 150)
            await eventually(lambda: told.store.trouble is not None)
            other.execute("ROLLBACK")
        await eventually(lambda: told.waiting == 0)
        assert await told.stored() == 0
        assert told.store.trouble is None
    assert len(app.posted) == 150


@pytest.mark.parametrize("failure", [StoreError("for a moment"), RuntimeError("a bug")])
async def test_attempts_that_were_written_though_that_failed_are_counted_once(
    app: CallbackServer, url: str, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wamp_bridge_server.tasks.PAUSE_SECONDS", 0.0)
    app.answering = lambda posted: web.Response(status=500 if posted.body == b"a" else 200)
    async with setting(LATER, url) as told:
        settle, settled = told.store.deliveries.settle, 0

        async def fail(**outcomes: Any) -> None:
            nonlocal settled
            settled += 1
            await settle(**outcomes)
            if settled == 1:
                raise failure

        monkeypatch.setattr(told.store.deliveries, "settle", fail)
        await told.deliver(Target(app.url), "a", "b")
        await eventually(lambda: settled == 2 and told.waiting == 1)
        (waiting,) = await told.store.deliveries.lanes()
        assert waiting.number == 1


async def test_what_was_given_up_though_that_failed_is_counted_once(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Target(DEAD, resting=True)
    async with setting(LATER, url) as told:
        await told.deliver(target, *"abc")
        give_up = told.store.deliveries.give_up

        async def fail(*lane: Any, **which: Any) -> tuple[int, int]:
            monkeypatch.undo()
            await give_up(*lane, **which)
            raise StoreError("the commit failed, and was made")

        monkeypatch.setattr(told.store.deliveries, "give_up", fail)
        told.outbox.drop(target)
        stock = told.outbox.stocks["shop"]
        await eventually(lambda: (stock.waiting, stock.dead, stock.dead_bytes) == (0, 3, 3))
        await eventually(lambda: not told.outbox._lanes)


async def test_retries_are_hastened_as_soon_as_the_store_takes_it(
    app: CallbackServer, url: str
) -> None:
    app.answering = failing
    async with setting(LATER, url) as told:
        target = Target(app.url)
        await told.deliver(target, "a")
        await eventually(lambda: told.outbox.stocks["shop"].failed == 1)
        app.answering = lambda _posted: web.Response()
        await eventually(lambda: not told.outbox._lanes["shop", "one"].unsettled)
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as other:
            other.execute("BEGIN IMMEDIATE")
            told.outbox.resume(target)
            await eventually(lambda: told.store.trouble is not None)
            other.execute("ROLLBACK")
        await eventually(lambda: told.waiting == 0)
    assert bodies_of(app) == ["a", "a"]


async def test_dead_letters_wait_again(app: CallbackServer) -> None:
    async with setting((0.0,)) as told:
        app.answering = failing
        target = Target(app.url, ordered=True)
        await told.deliver(target, *"abc")
        await eventually(lambda: told.waiting == 0)
        app.posted.clear()
        app.answering = lambda _posted: web.Response()
        number, size = await told.store.dead_letters.replay(ALL, "one", "one", 1.0, number=9)
        told.outbox.revived("shop", "one", number, size)
        await eventually(lambda: told.waiting == 0)
        assert told.outbox.stocks["shop"].dead == 0
    assert bodies_of(app) == ["a", "b", "c"]
