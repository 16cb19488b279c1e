"""Group commit: who writes at about the same time is written together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select

from wamp_bridge_server.store import StoreError
from wamp_bridge_server.store.commits import Commits
from wamp_bridge_server.store.database import Database
from wamp_bridge_server.store.schema import sources

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


class Writer:
    """Writes names as sources and notes how many came at once; refuses `bad` ones."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    async def __call__(self, connection: AsyncConnection, items: Sequence[str], /) -> list[str]:
        self.batches.append(list(items))
        rows = [{"id": item, "app": item, "url": item, "created_at": 0.0} for item in items]
        await connection.execute(insert(sources), rows)
        if any(item.startswith("bad") for item in items):
            raise LookupError("bad")
        return [item.upper() for item in items]


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    opened = Database(url, busy_timeout=0.05)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def commits(database: Database) -> AsyncIterator[Commits]:
    running = Commits(database)
    yield running
    await running.close()


async def names(database: Database) -> set[str]:
    async with database.reading() as connection:
        return set(await connection.scalars(select(sources.c.id)))


async def test_everyone_has_an_answer_of_their_own(commits: Commits, database: Database) -> None:
    items = [f"n{number}" for number in range(100)]
    writer = Writer()
    answers = await asyncio.gather(*(commits.submit(writer, item) for item in items))
    assert answers == [item.upper() for item in items]
    assert await names(database) == set(items)
    assert [item for batch in writer.batches for item in batch] == items
    assert len(writer.batches) <= 2


async def test_what_comes_during_a_commit_is_the_next_one(commits: Commits) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()
    writer = Writer()

    async def slow(_connection: AsyncConnection, items: Sequence[str], /) -> Sequence[str]:
        entered.set()
        await leave.wait()
        return items

    first = asyncio.create_task(commits.submit(slow, "first"))
    await entered.wait()
    others = [asyncio.create_task(commits.submit(writer, f"n{n}")) for n in range(10)]
    await asyncio.sleep(0)
    assert not first.done()
    leave.set()
    await asyncio.gather(first, *others)
    assert [len(batch) for batch in writer.batches] == [10]


async def test_several_kinds_go_in_one_transaction(commits: Commits, database: Database) -> None:
    async def count(connection: AsyncConnection, items: Sequence[None], /) -> list[int]:
        found = await connection.scalars(select(sources.c.id))
        return [len(found.all())] * len(items)

    writer = Writer()
    _, found, _ = await asyncio.gather(
        commits.submit(writer, "a"), commits.submit(count, None), commits.submit(writer, "b")
    )
    assert found == 2
    assert await names(database) == {"a", "b"}


async def test_a_failure_is_told_to_the_one_who_caused_it(
    commits: Commits, database: Database
) -> None:
    writer = Writer()
    items = ["a", "bad1", "b", "a", "bad2", "c"]
    answers = await asyncio.gather(
        *(commits.submit(writer, item) for item in items), return_exceptions=True
    )
    assert [answer if isinstance(answer, str) else type(answer) for answer in answers] == [
        "A",
        LookupError,
        "B",
        StoreError,
        LookupError,
        "C",
    ]
    assert await names(database) == {"a", "b", "c"}


async def test_a_batch_is_bounded(database: Database) -> None:
    commits = Commits(database, largest=7)
    writer = Writer()
    await asyncio.gather(*(commits.submit(writer, f"n{number}") for number in range(30)))
    await commits.close()
    assert max(len(batch) for batch in writer.batches) == 7
    assert len(await names(database)) == 30


async def test_a_writer_that_answers_too_few(commits: Commits, database: Database) -> None:
    async def forgetful(_connection: AsyncConnection, _items: Sequence[str], /) -> list[str]:
        return []

    writer = Writer()
    answers = await asyncio.gather(
        commits.submit(writer, "a"), commits.submit(forgetful, "b"), return_exceptions=True
    )
    assert answers[0] == "A"
    assert isinstance(answers[1], ValueError)
    assert await names(database) == {"a"}


async def test_a_store_that_fails_fails_everyone_once(commits: Commits, database: Database) -> None:
    writer = Writer()
    async with database.transaction():  # whoever else writes must wait, and not for ever
        answers = await asyncio.gather(
            *(commits.submit(writer, f"n{number}") for number in range(10)), return_exceptions=True
        )
    assert {type(answer) for answer in answers} == {StoreError}
    assert "another process keeps it locked" in str(answers[0])
    assert await commits.submit(writer, "later") == "LATER"
