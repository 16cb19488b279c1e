"""Deliveries: each arrives, or is given up with a word."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from support.destinations import LOOPBACK
from support.servers import CallbackServer, Posted, callback_server
from support.waiting import eventually
from wamp_bridge_server.callbacks import lanes
from wamp_bridge_server.callbacks.outbox import TAKEN_BACK, Outbox
from wamp_bridge_server.callbacks.sender import Sender
from wamp_bridge_server.config import DeliveryConfig
from wamp_bridge_server.identifiers import new_id
from wamp_bridge_server.store import Arrival, DeadLetters, DeliveryRecord, Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from wamp_bridge_server.callbacks.recipients import Recipient

SOON = (0.0, 0.01, 0.01, 0.01)
LATER = (0.0, 3600.0)
ALL = DeadLetters(app="shop")
DEAD = "http://127.0.0.1:1/"


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
class Setting:
    """An outbox with its store, who it knows, and what it told of those that answered 410."""

    store: Store
    schedule: tuple[float, ...]
    targets: dict[str, Target]
    declined: list[Recipient] = field(default_factory=list)
    outbox: Outbox = field(init=False)

    def find(self, app: str, lane: str) -> Recipient | None:
        target = self.targets.get(lane)
        return target if target is not None and target.app == app else None

    def policy(self, _recipient: Recipient) -> DeliveryConfig:
        return DeliveryConfig(schedule=self.schedule)

    async def deliver(self, target: Target, *bodies: str) -> list[DeliveryRecord]:
        self.targets[target.lane] = target
        records = [record(target, body) for body in bodies]
        kept = await self.store.deliveries.keep([Arrival(each) for each in records])
        told = [each for each in kept if each is not None]
        self.outbox.kept(told)
        return told

    async def dead(self) -> list[str]:
        letters = await self.store.dead_letters.page(DeadLetters(app="shop"), after="", number=999)
        return [letter.error or "" for letter in letters]

    async def stored(self) -> int:
        return sum(count.number for count in await self.store.deliveries.lanes())

    @property
    def waiting(self) -> int:
        return self.outbox.waiting


def record(target: Target, body: str) -> DeliveryRecord:
    return DeliveryRecord(
        id=new_id("msg"),
        app=target.app,
        lane=target.lane,
        type="event",
        uri="com.x",
        match="exact",
        body=body.encode(),
        created_at=1.0,
        due_at=1.0,
    )


@asynccontextmanager
async def setting(
    schedule: tuple[float, ...] = SOON,
    url: str = "sqlite:///:memory:",
    targets: dict[str, Target] | None = None,
) -> AsyncIterator[Setting]:
    store = await Store.open(url, busy_timeout=0.05)
    sender = Sender(lambda _app: None, lambda _app: LOOPBACK)
    await sender.start()
    made = Setting(store, schedule, targets or {})
    made.outbox = Outbox(sender, store, made, made.declined.append)
    await made.outbox.load()
    made.outbox.start()
    try:
        yield made
    finally:
        await made.outbox.close()
        await sender.close()
        await store.close()


@pytest.fixture
async def app() -> AsyncIterator[CallbackServer]:
    async with callback_server() as server:
        yield server


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'bridge.db'}"


def bodies_of(app: CallbackServer) -> list[str]:
    return [posted.body.decode() for posted in app.posted]


def failing(_posted: Posted) -> web.Response:
    return web.Response(status=500, text="sorry")


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
        (letter,) = await told.store.dead_letters.page(ALL, after="", number=9)
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
