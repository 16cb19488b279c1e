"""Asynchronous calls: begun before they are made, ended once, kept for some time after that."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, insert, select, update

from wamp_bridge_server.store.expiry import Expiry
from wamp_bridge_server.store.idempotency import Settlement, settle_keys
from wamp_bridge_server.store.records import CallRecord, CallStatus
from wamp_bridge_server.store.schema import calls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

KEPT_CALLS = 100_000
"""How many calls of an app are kept that have ended, give or take those of one counting."""

COUNTED_AT = 1_000
"""How many calls an app begins before its ended ones are counted."""

_CALL = "call_id"


@dataclass(frozen=True, slots=True)
class Beginning:
    """A call that is to be made; `settlement` is of the key of the request that asked for it."""

    call: CallRecord
    settlement: Settlement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a call ended; members as those of its `CallRecord`."""

    id: str
    status: CallStatus
    error: str | None
    outcome: bytes
    expires_at: float


class BeginCalls:
    """The `commits.Writer` of beginnings.

    Now and then it takes away calls that have expired, and the oldest ones of an app that has more
    than are kept.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._expiry = Expiry(calls, clock)
        self._begun: Counter[str] = Counter()

    async def __call__(
        self, connection: AsyncConnection, items: Sequence[Beginning]
    ) -> Sequence[None]:
        """Begin them."""
        await self._expiry.clean(connection)
        self._begun.update(item.call.app for item in items)
        for app in [app for app, begun in self._begun.items() if begun >= COUNTED_AT]:
            del self._begun[app]
            await _leave(connection, app, KEPT_CALLS)
        await connection.execute(insert(calls), [dataclasses.asdict(item.call) for item in items])
        settlements = [item.settlement for item in items if item.settlement is not None]
        if settlements:
            await settle_keys(connection, settlements)
        return [None] * len(items)


async def end_calls(connection: AsyncConnection, items: Sequence[Ending]) -> list[bool]:
    """End calls that are pending, the first of equal ones; the `commits.Writer` of endings."""
    pending = await connection.execute(
        select(calls.c.id)
        .where(calls.c.id.in_({item.id for item in items}), calls.c.status == "pending")
        .with_for_update()
    )
    left = {row.id for row in pending}
    answers = []
    for item in items:
        answers.append(item.id in left)
        left.discard(item.id)
    ended = [_values(item) for item, first in zip(items, answers, strict=True) if first]
    if ended:
        # By bound parameters alone, each named as its column.
        await connection.execute(update(calls).where(calls.c.id == bindparam(_CALL)), ended)
    return answers


async def read_call(connection: AsyncConnection, app: str, identifier: str) -> CallRecord | None:
    """The call of an app with this id."""
    rows = await connection.execute(
        select(calls).where(calls.c.id == identifier, calls.c.app == app)
    )
    row = rows.mappings().one_or_none()
    return CallRecord(**row) if row is not None else None


async def read_pending(connection: AsyncConnection) -> list[CallRecord]:
    """All calls that have not ended, oldest first."""
    rows = await connection.execute(
        select(calls).where(calls.c.expires_at.is_(None)).order_by(calls.c.id)
    )
    return [CallRecord(**row) for row in rows.mappings()]


async def _leave(connection: AsyncConnection, app: str, most: int) -> None:
    """Take away the oldest ended calls of an app, as far as there are more than `most`."""
    ended = (calls.c.app == app, calls.c.expires_at.is_not(None))
    by_age = select(calls.c.expires_at).where(*ended).order_by(calls.c.expires_at.desc())
    beyond = (await connection.execute(by_age.offset(most).limit(1))).scalar_one_or_none()
    if beyond is not None:
        await connection.execute(delete(calls).where(*ended, calls.c.expires_at <= beyond))


def _values(ending: Ending) -> dict[str, Any]:
    values = dataclasses.asdict(ending)
    values[_CALL] = values.pop("id")
    return values
