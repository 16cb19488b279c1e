"""Asynchronous calls: begun before they are made, ended once, kept for some time after that."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, insert, select, update

from wamp_bridge_server.store.arrivals import kept_before, write_arrivals
from wamp_bridge_server.store.idempotency import settle_keys
from wamp_bridge_server.store.records import Arrival, CallRecord
from wamp_bridge_server.store.schema import calls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from wamp_bridge_server.store.commits import Commits
    from wamp_bridge_server.store.database import Database
    from wamp_bridge_server.store.idempotency import Settlement
    from wamp_bridge_server.store.records import CallStatus, DeliveryRecord

_CALL = "call_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a call ended, and what is to be delivered; members as those of its `CallRecord`."""

    id: str
    status: CallStatus
    error: str | None
    outcome: bytes
    expires_at: float
    delivery: DeliveryRecord | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of an ending.

    `now` says whether it is the one that ended the call; `delivery` is its delivery as it is kept,
    also where it ended the call in an earlier try that seemed to fail.
    """

    now: bool
    delivery: DeliveryRecord | None = None


@dataclass(frozen=True, slots=True)
class _Beginning:
    call: CallRecord
    settlement: Settlement | None


class CallRoom:
    """The store's room for asynchronous calls. All its methods raise `StoreError`."""

    def __init__(self, database: Database, commits: Commits) -> None:
        self._database = database
        self._commits = commits
        self._begun: Counter[str] = Counter()

    async def begin(self, call: CallRecord, settlement: Settlement | None = None) -> None:
        """Keep a call that is to be made, and settle the key of the request for it with it."""
        await self._commits.submit(_begin_calls, _Beginning(call, settlement))
        self._begun[call.app] += 1

    async def end(self, ending: Ending) -> Ended:
        """Keep how a call ended, and the delivery with it, where it is pending until now."""
        return await self._commits.submit(_end_calls, ending)

    async def forget_expired(self, now: float, *, number: int) -> int:
        """Forget calls that have expired by a Unix time: some; how many that were."""
        return await self._commits.submit(_forget_expired, (now, number))

    def grown(self, number: int) -> list[str]:
        """The apps that have begun so many calls since they were last told here."""
        apps = [app for app, begun in self._begun.items() if begun >= number]
        for app in apps:
            del self._begun[app]
        return apps

    async def forget_beyond(self, app: str, most: int, *, number: int) -> int:
        """Forget the oldest of an app's ended calls, as far as there are more than `most`: some."""
        return await self._commits.submit(_forget_beyond, (app, most, number))

    async def get(self, app: str, identifier: str) -> CallRecord | None:
        """An app's call, None where it has none of that id."""
        statement = select(calls).where(calls.c.id == identifier, calls.c.app == app)
        async with self._database.reading() as connection:
            row = (await connection.execute(statement)).mappings().one_or_none()
        return CallRecord(**row) if row is not None else None

    async def pending(self) -> list[CallRecord]:
        """The calls that have not ended, oldest first."""
        statement = select(calls).where(calls.c.expires_at.is_(None)).order_by(calls.c.id)
        async with self._database.reading() as connection:
            rows = await connection.execute(statement)
            return [CallRecord(**row) for row in rows.mappings()]


async def _begin_calls(connection: AsyncConnection, items: Sequence[_Beginning]) -> Sequence[None]:
    await connection.execute(insert(calls), [dataclasses.asdict(item.call) for item in items])
    await settle_keys(connection, [item.settlement for item in items if item.settlement])
    return [None] * len(items)


async def _end_calls(connection: AsyncConnection, items: Sequence[Ending]) -> list[Ended]:
    """End calls that are pending, the first of equal ones; the `commits.Writer` of endings."""
    pending = await connection.execute(
        select(calls.c.id)
        .where(calls.c.id.in_({item.id for item in items}), calls.c.status == "pending")
        .with_for_update()
    )
    left = {row.id for row in pending}
    ending: list[Ending] = []
    for item in items:
        if item.id in left:
            left.discard(item.id)
            ending.append(item)
    if ending:
        # By bound parameters alone, each named as its column.
        statement = update(calls).where(calls.c.id == bindparam(_CALL))
        await connection.execute(statement, [_values(item) for item in ending])
    arrivals = [Arrival(item.delivery) for item in ending if item.delivery is not None]
    kept = iter(await write_arrivals(connection, arrivals))
    ended = {
        item.id: Ended(now=True, delivery=next(kept) if item.delivery else None) for item in ending
    }
    # Of equal ones the first: the others find it gone.
    return [
        ended.pop(item.id) if item.id in ended else await _ended_before(connection, item)
        for item in items
    ]


async def _ended_before(connection: AsyncConnection, item: Ending) -> Ended:
    """What became of the ending of a call that was not pending any more."""
    if item.delivery is None:
        return Ended(now=False)
    kept = await kept_before(connection, [item.delivery.id])
    seq = kept.get(item.delivery.id)
    delivery = dataclasses.replace(item.delivery, seq=seq) if seq is not None else None
    return Ended(now=False, delivery=delivery)


async def _forget_expired(
    connection: AsyncConnection, items: Sequence[tuple[float, int]]
) -> list[int]:
    return [await _forget(connection, [calls.c.expires_at < now], number) for now, number in items]


async def _forget_beyond(
    connection: AsyncConnection, items: Sequence[tuple[str, int, int]]
) -> list[int]:
    answers = []
    for app, most, number in items:
        ended = [calls.c.app == app, calls.c.expires_at.is_not(None)]
        by_age = select(calls.c.expires_at).where(*ended).order_by(calls.c.expires_at.desc())
        beyond = (await connection.execute(by_age.offset(most).limit(1))).scalar_one_or_none()
        gone = 0
        if beyond is not None:
            gone = await _forget(connection, [*ended, calls.c.expires_at <= beyond], number)
        answers.append(gone)
    return answers


async def _forget(
    connection: AsyncConnection, where: Sequence[ColumnElement[bool]], number: int
) -> int:
    some = select(calls.c.id).where(*where).order_by(calls.c.expires_at).limit(number)
    return (await connection.execute(delete(calls).where(calls.c.id.in_(some)))).rowcount


def _values(ending: Ending) -> dict[str, Any]:
    return {
        _CALL: ending.id,
        "status": ending.status,
        "error": ending.error,
        "outcome": ending.outcome,
        "expires_at": ending.expires_at,
    }
