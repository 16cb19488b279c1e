"""Dead letters: found by what is asked of them, replayed and deleted in bites."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from wamp_bridge_server.store import Arrival, DeadLetters, DeliveryRecord, FailedAttempt, LaneCount
from wamp_bridge_server.store.records import DeadLetterGroup

if TYPE_CHECKING:
    from wamp_bridge_server.store import Store

LETTER = DeliveryRecord(
    id="m1",
    app="shop",
    lane="sub_1",
    type="event",
    uri="com.x",
    match="exact",
    body=b"12345",
    created_at=10.0,
    attempts=8,
    last_status=500,
    last_error="status 500",
    dead_at=50.0,
)
OUTCOME = replace(
    LETTER, id="m2", lane="http://x/", type="result", uri="com.p", match=None, created_at=20.0
)
LATER = replace(LETTER, id="m3", last_error="Connection 100% refused", created_at=30.0, dead_at=60)
OTHERS = replace(LETTER, id="m4", app="bank")
WAITS = replace(LETTER, id="m5", dead_at=None)
ALL = DeadLetters(app="shop")


@pytest.fixture
async def letters(store: Store) -> Store:
    await store.deliveries.keep([Arrival(r) for r in (LETTER, OUTCOME, LATER, OTHERS, WAITS)])
    return store


async def listed(store: Store, meant: DeadLetters, after: int = 0, number: int = 9) -> list[str]:
    found = await store.dead_letters.page(meant, after=after, number=number)
    return [letter.id for letter in found]


@pytest.mark.parametrize(
    ("meant", "ids"),
    [
        (ALL, ["m1", "m2", "m3"]),
        (DeadLetters(app="bank"), ["m4"]),
        (DeadLetters(app="shop", id="m2"), ["m2"]),
        (DeadLetters(app="shop", id="m4"), []),
        (DeadLetters(app="shop", id="m5"), []),
        (DeadLetters(app="shop", endpoint="sub_1"), ["m1", "m3"]),
        (DeadLetters(app="shop", endpoint="http://x/"), []),
        (DeadLetters(app="shop", uri="com.p"), ["m2"]),
        (DeadLetters(app="shop", since=20.0), ["m2", "m3"]),
        (DeadLetters(app="shop", since=10.0, until=20.0), ["m1"]),
        (DeadLetters(app="shop", error="connection 100%"), ["m3"]),
        (DeadLetters(app="shop", error="%"), ["m3"]),
    ],
)
async def test_which_are_meant(letters: Store, meant: DeadLetters, ids: list[str]) -> None:
    assert await listed(letters, meant) == ids
    assert sum(group.number for group in await letters.dead_letters.groups(meant)) == len(ids)


async def test_in_pages(letters: Store) -> None:
    assert await listed(letters, ALL, number=2) == ["m1", "m2"]
    assert await listed(letters, ALL, after=2, number=2) == ["m3"]


async def test_as_they_are_listed(letters: Store) -> None:
    (letter,) = await letters.dead_letters.page(DeadLetters(app="shop", id="m1"), after=0, number=9)
    assert (letter.size, letter.attempts, letter.last_status) == (5, 8, 500)
    assert (letter.error, letter.dead_at) == ("status 500", 50.0)


async def test_counted_by_app(letters: Store) -> None:
    counts = (await letters.deliveries.counts()).dead
    assert counts == [LaneCount("bank", "", 1, 5), LaneCount("shop", "", 3, 15)]


async def test_replayed_in_bites_to_another_lane(letters: Store) -> None:
    assert await letters.dead_letters.groups(ALL) == [
        DeadLetterGroup("http://x/", "result", "com.p", None, 1),
        DeadLetterGroup("sub_1", "event", "com.x", "exact", 2),
    ]
    room = letters.dead_letters
    bites = [await room.replay(ALL, "sub_1", "sub_9", 70.0, number=1) for _ in range(3)]
    assert bites == [(1, 5), (1, 5), (0, 0)]
    page = await letters.deliveries.after("shop", "sub_9", 0, number=9, size=99, tried=False)
    assert [record.id for record in page.records] == ["m1", "m3"]
    assert {record.attempts for record in page.records} == {0}


async def test_deleted_in_bites_with_their_attempts(letters: Store) -> None:
    page = await letters.deliveries.after("shop", "sub_1", 0, number=9, size=99)
    attempt = FailedAttempt(
        delivery=page.records[0].seq,
        number=9,
        at=70.0,
        seconds=1.0,
        status=None,
        error="refused",
        answer=None,
        due_at=None,
    )
    await letters.deliveries.settle(failed=[attempt])
    assert await letters.dead_letters.attempts("m5") == [attempt]
    bites = [await letters.dead_letters.delete(ALL, number=3) for _ in range(3)]
    assert bites == [(3, 15), (1, 5), (0, 0)]
    assert await letters.dead_letters.attempts("m5") == []


async def test_old_ones_are_deleted(letters: Store) -> None:
    room = letters.dead_letters
    assert await room.delete_old("shop", 60.0, lane="sub_1", but=(), number=9) == (1, 5)
    assert await room.delete_old("shop", 99.0, lane=None, but=("sub_1",), number=9) == (1, 5)
    assert await listed(letters, ALL) == ["m3"]
