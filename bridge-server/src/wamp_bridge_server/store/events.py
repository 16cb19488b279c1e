"""Event logs: the events of topics that streams follow, kept in order, read on from a place."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update

from wamp_bridge_server.store import dialects
from wamp_bridge_server.store.arrivals import new_publications
from wamp_bridge_server.store.records import EventRecord, LogRecord
from wamp_bridge_server.store.schema import event_logs, events

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from wamp_bridge_server.store.commits import Commits
    from wamp_bridge_server.store.database import Database

_FIELDS = tuple(field.name for field in dataclasses.fields(EventRecord))


@dataclass(frozen=True, slots=True)
class Room:
    """How much of an app's events is kept, and how many are deleted at once.

    Those that came before `before`, in Unix seconds, go; so do the oldest beyond `most` events, or
    `most_bytes` of their bodies.
    """

    app: str
    before: float
    most: int
    most_bytes: int
    number: int


class EventLogs:
    """The store's room for events that streams follow. All its methods raise `StoreError`."""

    def __init__(self, database: Database, commits: Commits) -> None:
        self._database = database
        self._commits = commits

    async def all(self) -> list[tuple[LogRecord, int]]:
        """All logs, each with the `seq` of its newest event, or else its floor."""
        newest = select(events.c.log, func.max(events.c.seq)).group_by(events.c.log)
        async with self._database.reading() as connection:
            ends = {row[0]: row[1] for row in await connection.execute(newest)}
            rows = await connection.execute(select(event_logs))
            logs = [LogRecord(**row) for row in rows.mappings()]
        return [(log, ends.get(log.id, log.floor)) for log in logs]

    async def open(self, log: LogRecord) -> LogRecord:
        """Keep a log from now on; the one that is kept, be it one that was there before.

        One can be there that nobody knows of: a commit can fail that was made.
        """
        return await self._commits.submit(_open, log)

    async def append(self, records: Sequence[EventRecord]) -> list[EventRecord | None]:
        """Keep events, in this order; on the disk when it returns.

        Returns:
            Each with its `seq`; None for one whose publication its log had before, or whose log
            has ended.
        """
        return await self._commits.submit(_append, records)

    async def after(
        self, log: str, seq: int, *, number: int, size: int
    ) -> tuple[list[EventRecord], int]:
        """Events of a log, the oldest first, and its floor: which of them were deleted by then.

        Args:
            log: Which.
            seq: Those behind this one.
            number: How many at most.
            size: How many bytes of bodies at most; the first one comes whatever its size.
        """
        statement = (
            select(events.c.seq, events.c.size)
            .where(events.c.log == log, events.c.seq > seq)
            .order_by(events.c.seq)
            .limit(number)
        )
        async with self._database.reading() as connection:
            found = (await connection.execute(statement)).all()
            sizes = itertools.accumulate(row.size for row in found)
            fitting = [row.seq for row, sum_ in zip(found, sizes, strict=True) if sum_ <= size]
            last = max(fitting, default=found[0].seq if found else seq)
            rows = await connection.execute(
                select(events)
                .where(events.c.log == log, events.c.seq > seq, events.c.seq <= last)
                .order_by(events.c.seq)
            )
            kept = [EventRecord(**{name: getattr(row, name) for name in _FIELDS}) for row in rows]
            floor = select(event_logs.c.floor).where(event_logs.c.id == log)
            return kept, (await connection.execute(floor)).scalar_one_or_none() or 0

    async def trim(self, room: Room) -> tuple[int, dict[str, int]]:
        """Delete some of what an app has too much of.

        Returns:
            How many events that were, and the new floors of their logs.
        """
        return await self._commits.submit(_trim, room)

    async def end(self, log: str, number: int) -> int:
        """Delete some events of a log, and the log with the last of them; how many those were."""
        return await self._commits.submit(_end, (log, number))


async def _open(connection: AsyncConnection, logs: Sequence[LogRecord]) -> list[LogRecord]:
    new = dialects.insert(connection, event_logs).on_conflict_do_nothing()
    await connection.execute(new, [dataclasses.asdict(log) for log in logs])
    columns = event_logs.c
    answers = []
    for log in logs:
        same = (columns.app == log.app, columns.uri == log.uri, columns.match == log.match)
        rows = await connection.execute(select(event_logs).where(*same))
        answers.append(LogRecord(**rows.mappings().one()))
    return answers


async def _append(
    connection: AsyncConnection, batches: Sequence[Sequence[EventRecord]]
) -> list[list[EventRecord | None]]:
    records = list(itertools.chain.from_iterable(batches))
    ids = select(event_logs.c.id).where(event_logs.c.id.in_({record.log for record in records}))
    logs = set((await connection.execute(ids)).scalars())  # others ended; theirs would stay forever
    wanted = {_key(record): record for record in reversed(records) if record.log in logs}
    new = await new_publications(
        connection, {key: record.created_at for key, record in wanted.items()}
    )
    fresh = [each for each in records if wanted.get(_key(each)) is each and _key(each) in new]
    numbers = {}
    if fresh:
        # Which of them has which number is told by their keys, whatever order they come back in.
        statement = insert(events).returning(events.c.log, events.c.publication, events.c.seq)
        rows = await connection.execute(statement, [_row(record) for record in fresh])
        numbers = {(row.log, row.publication): row.seq for row in rows}
    answers = iter(
        [
            dataclasses.replace(record, seq=numbers[_key(record)])
            if wanted.get(_key(record)) is record and _key(record) in numbers
            else None
            for record in records
        ]
    )
    return [list(itertools.islice(answers, len(batch))) for batch in batches]


async def _trim(
    connection: AsyncConnection, rooms: Sequence[Room]
) -> list[tuple[int, dict[str, int]]]:
    return [await _trim_app(connection, room) for room in rooms]


async def _trim_app(connection: AsyncConnection, room: Room) -> tuple[int, dict[str, int]]:
    ours = events.c.app == room.app
    total = select(func.count(), func.coalesce(func.sum(events.c.size), 0)).where(ours)
    number, size = (await connection.execute(total)).one()
    oldest = select(events.c.seq, events.c.size, events.c.created_at).where(ours)
    rows = await connection.execute(oldest.order_by(events.c.seq).limit(room.number))
    gone = 0
    last = None
    for row in rows:
        if number <= room.most and size <= room.most_bytes and row.created_at >= room.before:
            break
        number, size, gone, last = number - 1, size - row.size, gone + 1, row.seq
    if last is None:
        return 0, {}
    old = (ours, events.c.seq <= last)
    ends = select(events.c.log, func.max(events.c.seq)).where(*old).group_by(events.c.log)
    floors = {row[0]: row[1] for row in await connection.execute(ends)}
    for log, floor in floors.items():
        await _raise_floor(connection, log, floor)
    await connection.execute(delete(events).where(*old))
    return gone, floors


async def _end(connection: AsyncConnection, items: Iterable[tuple[str, int]]) -> list[int]:
    """End logs. Their floors go first: nobody resumes where a part is gone."""
    answers = []
    for log, number in items:
        newest = select(func.coalesce(func.max(events.c.seq), 0)).where(events.c.log == log)
        await _raise_floor(connection, log, (await connection.execute(newest)).scalar_one())
        some = select(events.c.seq).where(events.c.log == log).limit(number)
        gone = (await connection.execute(delete(events).where(events.c.seq.in_(some)))).rowcount
        if gone < number:
            await connection.execute(delete(event_logs).where(event_logs.c.id == log))
        answers.append(gone)
    return answers


async def _raise_floor(connection: AsyncConnection, log: str, floor: int) -> None:
    higher = (event_logs.c.id == log, event_logs.c.floor < floor)
    await connection.execute(update(event_logs).where(*higher).values(floor=floor))


def _key(record: EventRecord) -> tuple[str, int]:
    return record.log, record.publication


def _row(record: EventRecord) -> dict[str, Any]:
    row = {name: getattr(record, name) for name in _FIELDS if name != "seq"}
    return {**row, "size": len(record.body)}
