"""Dead letters: deliveries that were given up, listed for their app, replayed and deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, text, update

from wamp_bridge_server.store.deliveries import forget
from wamp_bridge_server.store.records import DeadLetter, DeadLetterGroup, FailedAttempt
from wamp_bridge_server.store.schema import DEAD, attempts, deliveries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from wamp_bridge_server.store.commits import Commits
    from wamp_bridge_server.store.database import Database
    from wamp_bridge_server.store.records import DeadLetters

_SHOWN = (
    "seq",
    "id",
    "app",
    "lane",
    "type",
    "uri",
    "match",
    "size",
    "created_at",
    "dead_at",
    "attempts",
)


@dataclass(frozen=True, slots=True)
class _Replay:
    meant: DeadLetters
    lane: str
    target: str
    now: float
    number: int


@dataclass(frozen=True, slots=True)
class _Deletion:
    where: tuple[ColumnElement[bool], ...]
    number: int


class DeadLetterRoom:
    """The store's room for dead letters. All its methods raise `StoreError`.

    What changes many does so in bites: it changes some, answers how many, and is asked again.
    """

    def __init__(self, database: Database, commits: Commits) -> None:
        self._database = database
        self._commits = commits

    async def count(self, meant: DeadLetters) -> int:
        """How many are meant."""
        statement = select(func.count()).select_from(deliveries).where(*_meant(meant))
        async with self._database.reading() as connection:
            return int((await connection.execute(statement)).scalar_one())

    async def page(self, meant: DeadLetters, *, after: int, number: int) -> list[DeadLetter]:
        """Those that are meant, in the order in which they came, behind a `seq`."""
        statement = (
            select(
                *(deliveries.c[name] for name in _SHOWN),
                deliveries.c.last_status,
                deliveries.c.last_error.label("error"),
            )
            .where(*_meant(meant), deliveries.c.seq > after)
            .order_by(deliveries.c.seq)
            .limit(number)
        )
        async with self._database.reading() as connection:
            rows = await connection.execute(statement)
            return [DeadLetter(**row) for row in rows.mappings()]

    async def attempts(self, identifier: str) -> list[FailedAttempt]:
        """The attempts of a delivery that failed, the first one first."""
        statement = (
            select(attempts)
            .join(deliveries, deliveries.c.seq == attempts.c.delivery)
            .where(deliveries.c.id == identifier)
            .order_by(attempts.c.at)
        )
        async with self._database.reading() as connection:
            rows = await connection.execute(statement)
            return [FailedAttempt(**row, due_at=None) for row in rows.mappings()]

    async def groups(self, meant: DeadLetters) -> list[DeadLetterGroup]:
        """For whom those that are meant were, and how many."""
        columns: Any = [deliveries.c[name] for name in ("lane", "type", "uri", "match")]
        statement: Any = select(*columns, func.count()).where(*_meant(meant)).group_by(*columns)
        async with self._database.reading() as connection:
            rows = await connection.execute(statement)
            return [DeadLetterGroup(*row) for row in rows]

    async def replay(
        self, meant: DeadLetters, lane: str, target: str, now: float, *, number: int
    ) -> tuple[int, int]:
        """Have some wait again, with all of their attempts before them.

        Args:
            meant: Which.
            lane: Of these, those that were for it.
            target: The lane in which they wait now.
            now: Unix seconds.
            number: How many at most.

        Returns:
            How many they were, and of how many bytes.
        """
        return await self._commits.submit(_replay, _Replay(meant, lane, target, now, number))

    async def delete(self, meant: DeadLetters, *, number: int) -> tuple[int, int]:
        """Delete some; how many they were, and of how many bytes."""
        return await self._commits.submit(_delete, _Deletion(tuple(_meant(meant)), number))

    async def delete_old(
        self, app: str, before: float, *, lane: str | None, but: Sequence[str], number: int
    ) -> tuple[int, int]:
        """Delete some of an app that died before then; how many, and of how many bytes.

        Args:
            app: The app's name.
            before: Unix seconds.
            lane: Those of this lane alone, where one is given.
            but: Those of these lanes are left out.
            number: How many at most.
        """
        where = [*_meant_of(app), deliveries.c.dead_at < before]
        if lane is not None:
            where.append(deliveries.c.lane == lane)
        if but:
            where.append(deliveries.c.lane.not_in(but))
        return await self._commits.submit(_delete, _Deletion(tuple(where), number))


async def _replay(connection: AsyncConnection, items: Sequence[_Replay]) -> list[tuple[int, int]]:
    answers = []
    for item in items:
        where = [*_meant(item.meant), deliveries.c.lane == item.lane]
        seqs, size = await _some(connection, where, item.number)
        await connection.execute(
            update(deliveries)
            .where(deliveries.c.seq.in_(seqs))
            .values(dead_at=None, attempts=0, due_at=item.now, lane=item.target)
        )
        answers.append((len(seqs), size))
    return answers


async def _delete(connection: AsyncConnection, items: Sequence[_Deletion]) -> list[tuple[int, int]]:
    answers = []
    for item in items:
        seqs, size = await _some(connection, item.where, item.number)
        await forget(connection, seqs)
        answers.append((len(seqs), size))
    return answers


async def _some(
    connection: AsyncConnection, where: Sequence[ColumnElement[bool]], number: int
) -> tuple[list[int], int]:
    statement = select(deliveries.c.seq, deliveries.c.size).where(*where).limit(number)
    found = (await connection.execute(statement)).all()
    return [row.seq for row in found], sum(row.size for row in found)


def _meant_of(app: str) -> list[ColumnElement[bool]]:
    return [text(DEAD), deliveries.c.app == app]  # type: ignore[list-item]


def _meant(meant: DeadLetters) -> list[ColumnElement[bool]]:
    conditions = _meant_of(meant.app)
    column: Any = deliveries.c
    if meant.id is not None:
        conditions.append(column.id == meant.id)
    if meant.endpoint is not None:
        conditions += [column.lane == meant.endpoint, column.type == "event"]
    if meant.uri is not None:
        conditions.append(column.uri == meant.uri)
    if meant.since is not None:
        conditions.append(column.created_at >= meant.since)
    if meant.until is not None:
        conditions.append(column.created_at < meant.until)
    if meant.error is not None:
        conditions.append(column.last_error.icontains(meant.error, autoescape=True))
    return conditions
