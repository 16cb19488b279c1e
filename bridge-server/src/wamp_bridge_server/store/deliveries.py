"""Deliveries: kept when they come, read in pages, deleted when they have arrived."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, func, select, text, update

from wamp_bridge_server.store.arrivals import write_arrivals, write_forgetting
from wamp_bridge_server.store.dialects import insert
from wamp_bridge_server.store.records import DeliveryRecord, LaneCount
from wamp_bridge_server.store.schema import DEAD, RETRIED, WAITING, attempts, deliveries

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from wamp_bridge_server.store.commits import Commits
    from wamp_bridge_server.store.database import Database
    from wamp_bridge_server.store.records import Arrival, FailedAttempt

_FIELDS = tuple(field.name for field in dataclasses.fields(DeliveryRecord))
_SEQ = "changed_seq"
_SIZE = func.coalesce(func.sum(deliveries.c.size), 0)


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is: what waits, lane by lane; dead letters, app by app."""

    waiting: Sequence[LaneCount]
    dead: Sequence[LaneCount]


@dataclass(slots=True)
class Page:
    """Some of what waits in a lane.

    `last` is how far it goes: the last `seq` of one in order of arrival, when the next is due in
    one of those tried before; None where nothing is left. `damaged` are the `seq` of rows that
    are no deliveries any more.
    """

    records: list[DeliveryRecord] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)
    last: float | None = None


@dataclass(frozen=True, slots=True)
class _Lane:
    app: str
    lane: str
    number: int
    but: tuple[int, ...] = ()
    reason: str = ""
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class _Settled:
    arrived: Sequence[int]
    tried: Sequence[int]
    failed: Sequence[FailedAttempt]


class Deliveries:
    """The store's room for deliveries that wait. All its methods raise `StoreError`."""

    def __init__(self, database: Database, commits: Commits) -> None:
        self._database = database
        self._commits = commits

    async def keep(self, arrivals: Sequence[Arrival]) -> list[DeliveryRecord | None]:
        """Keep deliveries, in this order; on the disk when it returns.

        Returns:
            Each with its `seq`, also where it is kept since an earlier try that seemed to fail;
            None for one whose publication its subscription had before.
        """
        return await self._commits.submit(_write_batches, arrivals)

    async def settle(
        self,
        *,
        arrived: Sequence[int] = (),
        tried: Sequence[int] = (),
        failed: Sequence[FailedAttempt] = (),
    ) -> None:
        """Write what became of attempts; once, however often it is written.

        Args:
            arrived: Deliveries to forget: they are where they belong.
            tried: Those of them that failed before, which is forgotten with them.
            failed: Attempts that failed, and when the next ones are due.
        """
        await self._commits.submit(_settle, _Settled(arrived, tried, failed))

    async def lanes(self) -> list[LaneCount]:
        """How much waits, lane by lane. Doesn't read it."""
        async with self._database.reading() as connection:
            return await _lanes(connection)

    async def unanswered(self) -> list[tuple[str, str]]:
        """The lanes whose apps gave no answer last time: the app and the name of each."""
        tried = select(deliveries.c.app, deliveries.c.lane).where(text(RETRIED)).distinct()
        found = []
        async with self._database.reading() as connection:
            for app, lane in (await connection.execute(tried)).all():
                last = (
                    select(deliveries.c.last_status)
                    .where(*_in_lane(app, lane, RETRIED))
                    .order_by(deliveries.c.due_at.desc())
                    .limit(1)
                )
                if await connection.scalar(last) is None:
                    found.append((app, lane))
        return found

    async def counts(self) -> Counts:
        """How much there is between two commits: all that came before are counted, no others."""
        return await self._commits.submit(_count, None)

    async def after(
        self, app: str, lane: str, seq: int, *, number: int, size: int, tried: bool = True
    ) -> Page:
        """What waits in a lane, in the order of arrival.

        Args:
            app: The lane's.
            lane: Its name.
            seq: Those behind this one.
            number: How many at most.
            size: How many bytes of bodies at most; the first one comes whatever its size.
            tried: With those that failed before.
        """
        statement = (
            select(deliveries.c.seq, deliveries.c.size)
            .where(*_in_lane(app, lane, WAITING), deliveries.c.seq > seq)
            .order_by(deliveries.c.seq)
            .limit(number + 1)
        )
        if not tried:
            statement = statement.where(deliveries.c.attempts == 0)
        async with self._database.reading() as connection:
            found = (await connection.execute(statement)).all()
            chosen = _fitting(found[:number], size)
            page = await _page(connection, chosen)
        page.last = float(chosen[-1]) if len(found) > len(chosen) else None
        return page

    async def due(
        self, app: str, lane: str, now: float, *, number: int, size: int, but: Collection[int]
    ) -> Page:
        """What failed before and is due in a lane, the longest due first.

        Args:
            app: The lane's.
            lane: Its name.
            now: Unix seconds.
            number: How many at most.
            size: How many bytes of bodies at most; the first one comes whatever its size.
            but: Those that are left out.
        """
        statement = (
            select(deliveries.c.seq, deliveries.c.size, deliveries.c.due_at)
            .where(*_in_lane(app, lane, RETRIED), deliveries.c.seq.not_in(but))
            .order_by(deliveries.c.due_at, deliveries.c.seq)
            .limit(number + 1)
        )
        async with self._database.reading() as connection:
            found = (await connection.execute(statement)).all()
            chosen = _fitting([row for row in found[:number] if row.due_at <= now], size)
            page = await _page(connection, chosen)
        page.last = found[len(chosen)].due_at if len(found) > len(chosen) else None
        return page

    async def hasten(self, app: str, lane: str, *, number: int) -> int:
        """Make what failed before in a lane due at once: some of it; how many that were."""
        return await self._commits.submit(_hasten, _Lane(app, lane, number))

    async def give_up(
        self, app: str, lane: str, reason: str, now: float, *, number: int, but: Iterable[int] = ()
    ) -> tuple[int, int]:
        """Make dead letters of what waits in a lane: of some; how many, and of how many bytes.

        Args:
            app: The lane's.
            lane: Its name.
            reason: Why, for a person.
            now: Unix seconds.
            number: How many at most.
            but: Those that are left out.
        """
        item = _Lane(app, lane, number, tuple(but), reason, now)
        return await self._commits.submit(_give_up, item)

    async def bury(self, seqs: Sequence[int], reason: str, now: float) -> None:
        """Make dead letters of single ones, whose rows are damaged."""
        item = _Lane("", "", 0, tuple(seqs), reason, now)
        await self._commits.submit(_bury, item)

    async def forget_received(self, before: float, *, number: int) -> int:
        """Let go of publications that were received before then: of some; how many that were."""
        return await self._commits.submit(write_forgetting, (before, number))


async def _write_batches(
    connection: AsyncConnection, batches: Sequence[Sequence[Arrival]]
) -> list[list[DeliveryRecord | None]]:
    written = iter(await write_arrivals(connection, [a for batch in batches for a in batch]))
    return [[next(written) for _ in batch] for batch in batches]


async def _lanes(connection: AsyncConnection) -> list[LaneCount]:
    statement = (
        select(deliveries.c.app, deliveries.c.lane, func.count(), _SIZE)
        .where(text(WAITING))
        .group_by(deliveries.c.app, deliveries.c.lane)
    )
    return [LaneCount(*row) for row in await connection.execute(statement)]


async def _count(connection: AsyncConnection, asked: Sequence[None]) -> list[Counts]:
    statement = (
        select(deliveries.c.app, func.count(), _SIZE).where(text(DEAD)).group_by(deliveries.c.app)
    )
    dead = await connection.execute(statement)
    counts = Counts(await _lanes(connection), [LaneCount(row[0], "", *row[1:]) for row in dead])
    return [counts] * len(asked)


async def _settle(connection: AsyncConnection, batches: Sequence[_Settled]) -> list[None]:
    await _note_failures(connection, [attempt for batch in batches for attempt in batch.failed])
    await forget(
        connection,
        [seq for batch in batches for seq in batch.arrived],
        [seq for batch in batches for seq in batch.tried],
    )
    return [None] * len(batches)


async def forget(
    connection: AsyncConnection, seqs: Sequence[int], failed: Sequence[int] | None = None
) -> None:
    """Delete deliveries and their attempts; `failed` are those that have some, where known."""
    if seqs:
        await connection.execute(delete(deliveries).where(deliveries.c.seq.in_(seqs)))
    if failed := seqs if failed is None else failed:
        await connection.execute(delete(attempts).where(attempts.c.delivery.in_(failed)))


async def _note_failures(connection: AsyncConnection, failed: Sequence[FailedAttempt]) -> None:
    ending = [attempt for attempt in failed if attempt.due_at is None]
    going_on = [attempt for attempt in failed if attempt.due_at is not None]
    noted: dict[str, Any] = {
        "attempts": bindparam("n"),
        "last_status": bindparam("s"),
        "last_error": bindparam("e"),
    }
    statement = update(deliveries).where(deliveries.c.seq == bindparam(_SEQ))
    if going_on:
        again = statement.values(due_at=bindparam("due"), **noted)
        await connection.execute(again, [_failure(a) | {"due": a.due_at} for a in going_on])
    if ending:
        dead = statement.values(dead_at=bindparam("dead"), **noted)
        await connection.execute(dead, [_failure(a) | {"dead": a.at + a.seconds} for a in ending])
    if failed:
        rows = [
            {
                "delivery": a.delivery,
                "at": a.at,
                "number": a.number,
                "seconds": a.seconds,
                "status": a.status,
                "error": a.error,
                "answer": a.answer,
            }
            for a in failed
        ]
        # What is there already was written by one who could not know that it was.
        await connection.execute(insert(connection, attempts).on_conflict_do_nothing(), rows)


async def _hasten(connection: AsyncConnection, items: Sequence[_Lane]) -> list[int]:
    return [
        await _change(
            connection,
            [*_in_lane(item.app, item.lane, RETRIED), deliveries.c.due_at > 0],
            item.number,
            due_at=0.0,
        )
        for item in items
    ]


async def _give_up(connection: AsyncConnection, items: Sequence[_Lane]) -> list[tuple[int, int]]:
    answers = []
    for item in items:
        statement = (
            select(deliveries.c.seq, deliveries.c.size)
            .where(*_in_lane(item.app, item.lane, WAITING), deliveries.c.seq.not_in(item.but))
            .order_by(deliveries.c.seq)
            .limit(item.number)
        )
        found = (await connection.execute(statement)).all()
        await _make_dead(connection, [row.seq for row in found], item)
        answers.append((len(found), sum(row.size for row in found)))
    return answers


async def _bury(connection: AsyncConnection, items: Sequence[_Lane]) -> list[None]:
    for item in items:
        await _make_dead(connection, item.but, item)
    return [None] * len(items)


async def _make_dead(connection: AsyncConnection, seqs: Sequence[int], why: _Lane) -> None:
    await connection.execute(
        update(deliveries)
        .where(deliveries.c.seq.in_(seqs))
        .values(dead_at=why.now, last_error=why.reason)
    )


async def _change(
    connection: AsyncConnection, where: Sequence[ColumnElement[bool]], number: int, **values: Any
) -> int:
    some = select(deliveries.c.seq).where(*where).limit(number)
    changed = await connection.execute(
        update(deliveries).where(deliveries.c.seq.in_(some)).values(**values)
    )
    return changed.rowcount


def _in_lane(app: str, lane: str, rows: str) -> list[ColumnElement[bool]]:
    # In the words of the index, or SQLite would not use it.
    return [text(rows), deliveries.c.app == app, deliveries.c.lane == lane]  # type: ignore[list-item]


def _fitting(found: Sequence[Any], size: int) -> list[int]:
    """The `seq` of the first rows that fit together into a size, but one in any case."""
    chosen: list[int] = []
    for row in found:
        size -= row.size
        if size < 0 and chosen:
            break
        chosen.append(row.seq)
    return chosen


async def _page(connection: AsyncConnection, seqs: Sequence[int]) -> Page:
    page = Page()
    if not seqs:
        return page
    found = await connection.execute(select(deliveries).where(deliveries.c.seq.in_(seqs)))
    rows = {row.seq: row for row in found}
    for seq in seqs:
        row = rows[seq]
        if isinstance(row.body, bytes) and isinstance(row.attempts, int):
            page.records.append(record_of(row))
        else:
            page.damaged.append(seq)
    return page


def record_of(row: Row[Any]) -> DeliveryRecord:
    """The record that a row of `deliveries` is."""
    return DeliveryRecord(**{name: getattr(row, name) for name in _FIELDS})


def _failure(attempt: FailedAttempt) -> dict[str, Any]:
    return {
        _SEQ: attempt.delivery,
        "n": attempt.number,
        "s": attempt.status,
        "e": attempt.error,
    }
