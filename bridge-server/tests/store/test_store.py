"""What is put into the store comes out of it, whoever asks at the same time."""

from __future__ import annotations

import asyncio
import dataclasses
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wamp_bridge_server.store import EndpointRecord, Record, SourceRecord, Store, StoreError

if TYPE_CHECKING:
    from pathlib import Path

ENDPOINT = EndpointRecord(
    id="e1",
    app="shop",
    kind="procedure",
    uri="com.shop.pay",
    match="exact",
    url="http://127.0.0.1:8000/wamp/rpc/com.shop.pay/",
    created_at=1_700_000_000.25,
)
SOURCE = SourceRecord(id="s1", app="shop", url="http://127.0.0.1:8000/wamp/", created_at=1.5)


async def everything(store: Store) -> dict[str, Record]:
    records: list[Record] = [*await store.endpoints(), *await store.sources()]
    return {record.id: record for record in records}


async def test_a_new_store_is_empty(store: Store) -> None:
    assert await store.endpoints() == []
    assert await store.sources() == []


async def test_records_come_back_as_they_were_put(store: Store, url: str) -> None:
    whole = dataclasses.replace(
        ENDPOINT,
        id="e2",
        kind="topic",
        match="wildcard",
        uri="com..✓",
        source="s1",
        options={"ordered": True, "concurrency": 10, "deep": [None, {"a": 0.1}], "big": 2**64 - 1},
        lease=30.0,
        lease_expires_at=1_700_000_030.25,
        absences=2,
    )
    seen = dataclasses.replace(SOURCE, id="s2", app="other", seen_at=2.5)
    await store.apply(put=[ENDPOINT, whole, SOURCE, seen])
    await store.close()

    again = await Store.open(url)
    assert await everything(again) == {"e1": ENDPOINT, "e2": whole, "s1": SOURCE, "s2": seen}
    await again.close()


async def test_the_oldest_comes_first(store: Store) -> None:
    records = [
        dataclasses.replace(ENDPOINT, id=id_, created_at=created)
        for id_, created in (("c", 1.0), ("a", 3.0), ("d", 2.0), ("b", 2.0))
    ]
    await store.apply(put=records)
    assert [record.id for record in await store.endpoints()] == ["c", "b", "d", "a"]


async def test_a_record_replaces_the_one_with_its_id(store: Store) -> None:
    await store.apply(put=[dataclasses.replace(ENDPOINT, lease=1.0, options={"invoke": "random"})])
    await store.apply(put=[ENDPOINT])
    assert await store.endpoints() == [ENDPOINT]


async def test_only_what_is_named_is_deleted(store: Store) -> None:
    of_source = dataclasses.replace(ENDPOINT, id="e2", source="s1")
    await store.apply(put=[ENDPOINT, of_source, SOURCE])
    await store.apply(delete=["s1", "unknown"])
    assert set(await everything(store)) == {"e1", "e2"}
    await store.apply(delete=["e1", "e2"])
    assert await everything(store) == {}


async def test_a_source_hands_its_url_to_another_in_one_change(store: Store) -> None:
    await store.apply(put=[SOURCE])
    await store.apply(put=[dataclasses.replace(SOURCE, id="s2")], delete=["s1"])
    assert [source.id for source in await store.sources()] == ["s2"]


async def test_what_is_deleted_and_put_is_there(store: Store) -> None:
    await store.apply(put=[ENDPOINT], delete=["e1"])
    assert await store.endpoints() == [ENDPOINT]


async def test_a_change_is_done_whole_or_not_at_all(store: Store) -> None:
    await store.apply(put=[SOURCE])
    twice = dataclasses.replace(SOURCE, id="s2")
    with pytest.raises(StoreError):
        await store.apply(put=[ENDPOINT, twice], delete=["unknown"])
    assert await everything(store) == {"s1": SOURCE}


@pytest.mark.parametrize("options", [{"n": float("nan")}, {"o": object()}])
async def test_options_that_are_no_json(store: Store, options: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        await store.apply(put=[dataclasses.replace(ENDPOINT, options=options)])
    assert await store.endpoints() == []


async def test_one_bad_change_among_many_harms_itself_alone(store: Store) -> None:
    await store.apply(put=[SOURCE])
    good = [dataclasses.replace(ENDPOINT, id=f"e{number}") for number in range(20)]
    taken = dataclasses.replace(SOURCE, id="s2")
    no_json = dataclasses.replace(ENDPOINT, id="x", options={"n": float("inf")})

    answers = await asyncio.gather(
        *(store.apply(put=[record]) for record in good[:10]),
        store.apply(put=[taken]),
        store.apply(put=[no_json]),
        *(store.apply(put=[record]) for record in good[10:]),
        return_exceptions=True,
    )

    assert answers[:10] == answers[12:] == [None] * 10
    assert isinstance(answers[10], StoreError)
    assert isinstance(answers[11], ValueError)
    assert set(await everything(store)) == {"s1", *(record.id for record in good)}


async def test_many_writers_and_readers_at_once(store: Store) -> None:
    async def write(writer: int) -> None:
        for number in range(10):
            record = dataclasses.replace(ENDPOINT, id=f"{writer}.{number}", app=str(writer))
            await store.apply(put=[record])
            if number % 2:
                await store.apply(delete=[f"{writer}.{number - 1}"])
            mine = [r.id for r in await store.endpoints() if r.app == str(writer)]
            assert record.id in mine
            assert len(mine) == number // 2 + 1

    await asyncio.gather(*(write(writer) for writer in range(20)))
    assert len(await store.endpoints()) == 100


async def test_a_change_of_thousands(store: Store) -> None:
    records = [dataclasses.replace(ENDPOINT, id=str(number)) for number in range(5000)]
    await store.apply(put=records)
    assert len(await store.endpoints()) == 5000
    await store.apply(delete=[record.id for record in records])
    assert await store.endpoints() == []


async def test_a_store_in_memory_is_gone_when_it_is_closed() -> None:
    stores = [await Store.open("sqlite:///:memory:") for _ in range(2)]
    await asyncio.gather(
        *(stores[0].apply(put=[dataclasses.replace(ENDPOINT, id=str(n))]) for n in range(20)),
        *(stores[0].endpoints() for _ in range(20)),
    )
    assert len(await stores[0].endpoints()) == 20
    assert await stores[1].endpoints() == []
    for store in stores:
        await store.close()
    again = await Store.open("sqlite:///:memory:")
    assert await again.endpoints() == []
    await again.close()


async def test_a_relative_path_is_one_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = await Store.open("sqlite:///a % b.db")
    await store.apply(put=[ENDPOINT])
    await store.close()
    assert (tmp_path / "a % b.db").exists()


async def test_sqlite_keeps_what_it_says_that_it_keeps(store: Store) -> None:
    async with store._database.reading() as connection:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            found = await connection.exec_driver_sql(f"PRAGMA {pragma}")
            assert found.scalar() == value


async def test_the_files_are_their_owners_alone(store: Store, path: Path) -> None:
    await store.apply(put=[ENDPOINT])
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert f"{path.name}-wal" in modes


async def test_what_waits_is_written_before_the_store_is_closed(url: str, path: Path) -> None:
    store = await Store.open(url)
    writes = [
        asyncio.create_task(store.apply(put=[dataclasses.replace(ENDPOINT, id=str(number))]))
        for number in range(50)
    ]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*writes)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM endpoints").fetchone() == (50,)
    connection.close()
    with pytest.raises(StoreError, match="it is closed"):
        await store.apply(put=[ENDPOINT])


async def test_a_caller_that_gives_up_harms_nobody(store: Store) -> None:
    writes = [
        asyncio.create_task(store.apply(put=[dataclasses.replace(ENDPOINT, id=str(number))]))
        for number in range(10)
    ]
    await asyncio.sleep(0)
    for write in writes[::2]:
        write.cancel()
    await asyncio.gather(*writes, return_exceptions=True)
    await store.apply(put=[SOURCE])
    assert {str(number) for number in range(1, 10, 2)} <= set(await everything(store))


texts = st.text(max_size=8)
finite = st.floats(allow_nan=False, allow_infinity=False)
ids = st.sampled_from([f"e{number}" for number in range(6)])
options = st.dictionaries(texts, st.one_of(texts, finite, st.booleans(), st.none()), max_size=3)
records: st.SearchStrategy[Record] = st.builds(
    EndpointRecord,
    id=ids,
    app=texts,
    kind=st.sampled_from(["procedure", "topic"]),
    uri=texts,
    match=st.sampled_from(["exact", "prefix", "wildcard"]),
    url=texts,
    source=st.none() | texts,
    options=options,
    lease=st.none() | finite,
    lease_expires_at=st.none() | finite,
    absences=st.integers(0, 3),
    created_at=finite,
)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.lists(records, max_size=3), st.lists(ids, max_size=3)), max_size=8))
def test_changes_asked_for_in_a_row_are_done_in_that_order(
    changes: list[tuple[list[Record], list[str]]],
) -> None:
    expected: dict[str, Record] = {}
    for put, delete in changes:
        for id_ in delete:
            expected.pop(id_, None)
        expected.update((record.id, record) for record in put)

    async def apply() -> dict[str, Record]:
        store = await Store.open("sqlite:///:memory:")
        try:
            # All at once: they are written as one batch, and as if they weren't.
            await asyncio.gather(*(store.apply(put=put, delete=ids) for put, ids in changes))
            return await everything(store)
        finally:
            await store.close()

    assert asyncio.run(apply()) == expected
