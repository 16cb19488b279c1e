"""Deliveries: kept once, read in order and in pages, forgotten when they have arrived."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from wamp_bridge_server.store import Arrival, DeliveryRecord, FailedAttempt, LaneCount, Store
from wamp_bridge_server.store.schema import attempts, received

if TYPE_CHECKING:
    from pathlib import Path

ALL: dict[str, Any] = {"number": 100, "size": 1_000_000}


def delivery(identifier: str, lane: str = "sub_1", **changes: object) -> DeliveryRecord:
    values: dict[str, object] = {
        "id": identifier,
        "app": "shop",
        "lane": lane,
        "type": "event",
        "uri": "com.x",
        "match": "exact",
        "body": identifier.encode(),
        "created_at": 10.0,
    }
    return DeliveryRecord(**values | changes)  # type: ignore[arg-type]


async def keep(store: Store, *identifiers: str, lane: str = "sub_1") -> list[DeliveryRecord]:
    arrivals = [Arrival(delivery(identifier, lane)) for identifier in identifiers]
    return [record for record in await store.deliveries.keep(arrivals) if record is not None]


def failure(record: DeliveryRecord, due_at: float | None, number: int = 1) -> FailedAttempt:
    return FailedAttempt(
        delivery=record.seq,
        number=number,
        at=20.0 + number,
        seconds=0.5,
        status=500,
        error="status 500",
        answer=b"sorry",
        due_at=due_at,
    )


async def rows_of(store: Store, table: object) -> int:
    async with store._database.reading() as connection:
        return len((await connection.execute(select(table))).all())  # type: ignore[call-overload]


async def test_what_is_kept_is_read_in_order(store: Store) -> None:
    kept = await keep(store, *"cab")
    assert [record.seq for record in kept] == sorted(record.seq for record in kept)
    page = await store.deliveries.after("shop", "sub_1", 0, **ALL)
    assert page.records == kept
    assert page.last is None
    assert (await store.deliveries.after("bank", "sub_1", 0, **ALL)).records == []


async def test_a_page_is_bounded_in_number_and_in_bytes(store: Store) -> None:
    kept = await keep(store, "aaaa", "bbbb", "cccc", "dddd")
    page = await store.deliveries.after("shop", "sub_1", 0, number=2, size=100)
    assert (page.records, page.last) == (kept[:2], kept[1].seq)
    page = await store.deliveries.after("shop", "sub_1", kept[1].seq, number=2, size=7)
    assert (page.records, page.last) == (kept[2:3], kept[2].seq)
    page = await store.deliveries.after("shop", "sub_1", kept[2].seq, number=2, size=1)
    assert (page.records, page.last) == (kept[3:], None)


async def test_a_publication_is_kept_once_for_each_subscription(store: Store) -> None:
    arrivals = [
        Arrival(delivery("a"), "sub_1", 7),
        Arrival(delivery("b"), "sub_2", 7),
        Arrival(delivery("c"), "sub_1", 7),
        Arrival(delivery("d"), "sub_1", 8),
    ]
    kept = await store.deliveries.keep(arrivals)
    assert [record and record.id for record in kept] == ["a", "b", None, "d"]
    await store.deliveries.settle(arrived=[record.seq for record in kept if record is not None])
    again = await store.deliveries.keep([Arrival(delivery("e"), "sub_1", 7)])
    assert again == [None]


async def test_received_publications_are_forgotten_in_bites(store: Store) -> None:
    await store.deliveries.keep([Arrival(delivery(f"m{n}"), "sub_1", n) for n in range(5)])
    assert await store.deliveries.forget_received(10.0, number=3) == 0
    bites = [await store.deliveries.forget_received(10.5, number=3) for _ in range(3)]
    assert bites == [3, 2, 0]
    assert await rows_of(store, received) == 0


async def test_what_arrived_is_gone_with_its_attempts(store: Store) -> None:
    first, second = await keep(store, *"ab")
    await store.deliveries.settle(failed=[failure(first, 30.0), failure(first, 40.0, number=2)])
    assert await rows_of(store, attempts) == 2
    page = await store.deliveries.due("shop", "sub_1", 40.0, number=1, size=1, but=[])
    assert [record.attempts for record in page.records] == [2]
    await store.deliveries.settle(arrived=[first.seq, second.seq], tried=[first.seq])
    assert await store.deliveries.lanes() == []
    assert await rows_of(store, attempts) == 0


async def test_what_failed_comes_when_it_is_due(store: Store) -> None:
    first, second, third = await keep(store, *"abc")
    await store.deliveries.settle(failed=[failure(first, 40.0), failure(second, 30.0)])
    rooms = store.deliveries
    page = await rooms.due("shop", "sub_1", 29.0, but=[], **ALL)
    assert (page.records, page.last) == ([], 30.0)
    page = await rooms.due("shop", "sub_1", 30.0, but=[], **ALL)
    assert ([r.id for r in page.records], page.last) == (["b"], 40.0)
    assert (page.records[0].last_status, page.records[0].last_error) == (500, "status 500")
    page = await rooms.due("shop", "sub_1", 50.0, but=[second.seq], **ALL)
    assert ([r.id for r in page.records], page.last) == (["a"], None)
    fresh = await rooms.after("shop", "sub_1", 0, tried=False, **ALL)
    assert fresh.records == [third]
    assert [r.id for r in (await rooms.after("shop", "sub_1", 0, **ALL)).records] == ["a", "b", "c"]


async def test_what_failed_is_hastened_in_bites(store: Store) -> None:
    kept = await keep(store, *"abc")
    await store.deliveries.settle(failed=[failure(r, 100.0 - r.seq) for r in kept])
    bites = [await store.deliveries.hasten("shop", "sub_1", number=2) for _ in range(3)]
    assert bites == [2, 1, 0]
    page = await store.deliveries.due("shop", "sub_1", 1.0, but=[], **ALL)
    assert [record.id for record in page.records] == ["a", "b", "c"]


async def test_a_lane_is_given_up_in_bites(store: Store) -> None:
    kept = await keep(store, *"abcd")
    await keep(store, "other", lane="sub_2")
    room = store.deliveries
    bites = [
        await room.give_up("shop", "sub_1", "gone", 50.0, number=2, but=[kept[0].seq])
        for _ in range(3)
    ]
    assert bites == [(2, 2), (1, 1), (0, 0)]
    assert await room.lanes() == [
        LaneCount("shop", "sub_1", 1, 1),
        LaneCount("shop", "sub_2", 1, 5),
    ]
    assert (await store.deliveries.counts()).dead == [LaneCount("shop", "", 3, 3)]


async def test_lanes_are_counted_without_reading_what_waits(store: Store) -> None:
    await keep(store, *"abc")
    await keep(store, "long", lane="http://x/")
    assert await store.deliveries.lanes() == [
        LaneCount("shop", "http://x/", 1, 4),
        LaneCount("shop", "sub_1", 3, 3),
    ]


async def test_a_damaged_row_is_told_apart(store: Store, path: Path) -> None:
    kept = await keep(store, *"abc")
    other = sqlite3.connect(path)
    with other:
        other.execute("UPDATE deliveries SET body = 'text' WHERE id = 'b'")
        other.execute("UPDATE deliveries SET attempts = 'many' WHERE id = 'c'")
    other.close()
    page = await store.deliveries.after("shop", "sub_1", 0, **ALL)
    assert (page.records, page.damaged) == (kept[:1], [kept[1].seq, kept[2].seq])
    await store.deliveries.bury(page.damaged, "damaged", 50.0)
    assert await store.deliveries.lanes() == [LaneCount("shop", "sub_1", 1, 1)]


@pytest.mark.parametrize("number", [1, 3000])
async def test_many_at_once(store: Store, number: int) -> None:
    arrivals = [Arrival(delivery(f"m{n}"), "sub_1", n) for n in range(number)]
    kept = [r for r in await store.deliveries.keep(arrivals) if r is not None]
    assert [record.id for record in kept] == [f"m{n}" for n in range(number)]
    assert [record.seq for record in kept] == sorted(record.seq for record in kept)
    await store.deliveries.settle(arrived=[record.seq for record in kept])
    assert await store.deliveries.lanes() == []


async def test_each_question_of_the_outbox_has_its_index(store: Store, path: Path) -> None:
    await keep(store, *"abc")
    lane = "app = 'shop' AND lane = 'sub_1'"
    counting = "SELECT app, lane, count(*), sum(size) FROM deliveries WHERE dead_at IS NULL"
    reading = f"SELECT seq, size FROM deliveries WHERE dead_at IS NULL AND {lane} AND seq > 1"
    retrying = f"dead_at IS NULL AND attempts > 0 AND {lane} AND seq NOT IN (1, 2)"
    other = sqlite3.connect(path)
    for statement, index in {
        f"{counting} GROUP BY app, lane": "USING COVERING INDEX ix_deliveries_waiting",
        f"{reading} ORDER BY seq LIMIT 9": (
            "USING COVERING INDEX ix_deliveries_waiting (app=? AND lane=? AND seq>?)"
        ),
        f"SELECT seq FROM deliveries WHERE {retrying} ORDER BY due_at, seq LIMIT 9": (
            "USING INDEX ix_deliveries_retried (app=? AND lane=?)"
        ),
    }.items():
        plan = str(other.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall())
        assert index in plan
        assert "TEMP B-TREE" not in plan
    other.close()
