"""Event logs: in order, each publication once, trimmed so that nobody is told wrongly."""

from __future__ import annotations

import asyncio

import pytest

from wamp_bridge_server.store import EventRecord, LogRecord, Room, Store

LOG = LogRecord(id="log_1", app="shop", uri="com.a", match="exact", created_at=1.0)
OTHER = LogRecord(id="log_2", app="shop", uri="com.b", match="prefix", created_at=2.0)


def event(publication: int, log: str = "log_1", size: int = 10, at: float = 5.0) -> EventRecord:
    return EventRecord(
        log=log,
        app="shop",
        topic="com.a",
        publication=publication,
        body=b"x" * size,
        created_at=at,
    )


async def publications(store: Store, log: str = "log_1", after: int = 0) -> list[int]:
    found, _ = await store.events.after(log, after, number=100, size=10**6)
    return [record.publication for record in found]


async def test_events_are_kept_in_order_and_once(url: str) -> None:
    store = await Store.open(url)
    await store.events.open(LOG)
    await store.events.open(OTHER)
    kept = await store.events.append([event(3), event(1), event(3), event(3, "log_2")])
    assert [each.publication if each else None for each in kept] == [3, 1, None, 3]
    again = await asyncio.gather(
        store.events.append([event(1), event(2)]), store.events.append([event(2)])
    )
    assert [[each is not None for each in batch] for batch in again] == [[False, True], [False]]
    assert await publications(store) == [3, 1, 2]
    await store.close()

    store = await Store.open(url)
    newest = {log.id: seq for log, seq in await store.events.all()}
    assert newest["log_1"] > newest["log_2"]
    assert dict(await store.events.all()) == {LOG: newest["log_1"], OTHER: newest["log_2"]}
    page, _ = await store.events.after("log_1", 0, number=2, size=10**6)
    assert [record.publication for record in page] == [3, 1]
    assert await publications(store, after=page[-1].seq) == [2]
    # By size, but one in any case.
    for size, count in ((25, 2), (1, 1)):
        page, _ = await store.events.after("log_1", 0, number=9, size=size)
        assert len(page) == count
    await store.close()


async def test_a_topic_has_one_log(url: str) -> None:
    store = await Store.open(url)
    await store.events.open(LOG)
    same = LogRecord(id="log_3", app="shop", uri="com.a", match="exact", created_at=3.0)
    assert await store.events.open(same) == LOG  # by a commit that seemed to fail, it may be
    assert await store.events.all() == [(LOG, 0)]
    await store.close()


@pytest.mark.parametrize(
    ("room", "left"),
    [
        (Room("shop", 0.0, 100, 10**6, 100), [1, 2, 3, 4]),
        (Room("shop", 0.0, 3, 10**6, 100), [3, 4]),  # and the other log's one
        (Room("shop", 0.0, 100, 25, 100), [4]),
        (Room("shop", 3.0, 100, 10**6, 100), [3, 4]),
        (Room("shop", 9.0, 100, 10**6, 1), [2, 3, 4]),  # one at a time
        (Room("bank", 9.0, 1, 1, 100), [1, 2, 3, 4]),
    ],
)
async def test_the_oldest_go_and_the_floors_say_so(url: str, room: Room, left: list[int]) -> None:
    store = await Store.open(url)
    await store.events.open(LOG)
    await store.events.open(OTHER)
    await store.events.append([event(number, at=float(number)) for number in range(1, 5)])
    await store.events.append([event(9, "log_2", at=9.0)])
    before, _ = await store.events.after("log_1", 0, number=9, size=999)
    seqs = [record.seq for record in before]
    gone, floors = await store.events.trim(room)
    assert await publications(store) == left
    assert (await store.events.after("log_1", 0, number=9, size=999))[1] == floors.get("log_1", 0)
    assert gone == 4 - len(left)
    expected = seqs[gone - 1] if gone else 0
    assert floors == ({"log_1": expected} if gone else {})
    kept = {log.id: log.floor for log, _ in await store.events.all()}
    assert kept == {"log_1": expected, "log_2": 0}
    await store.close()


async def test_a_log_ends_a_little_at_a_time(url: str) -> None:
    store = await Store.open(url)
    await store.events.open(LOG)
    await store.events.append([event(number) for number in range(5)])
    assert await store.events.end("log_1", 3) == 3
    ((log, newest),) = await store.events.all()
    assert log.floor == newest > 0  # cut off here, nobody would resume where a part is gone
    assert await store.events.end("log_1", 3) == 2
    assert await store.events.all() == []
    # What was on its way to it is not kept, as nobody would ever delete it.
    await store.events.open(OTHER)
    kept = await store.events.append([event(7), event(7, "log_2")])
    assert [each and each.log for each in kept] == [None, "log_2"]
    assert await publications(store) == []
    await store.close()


async def test_an_own_key_stays(url: str) -> None:
    store = await Store.open(url)
    keys = await asyncio.gather(*(store.own_key(name) for name in ("a", "b", "a")))
    assert keys[0] == keys[2] != keys[1]
    assert {len(key) for key in keys} == {32}
    await store.close()
    store = await Store.open(url)
    assert await store.own_key("a") == keys[0]
    await store.close()
