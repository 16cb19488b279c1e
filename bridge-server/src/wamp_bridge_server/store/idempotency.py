"""Idempotency keys: a request claims its key before it is done, and settles it with its answer.

A key that is claimed and not settled belongs to a request under way. None is when a store is
opened, so the claims that a bridge left behind are let go then: nobody works on them any more, and
nobody knows their answers.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, delete, func, select, update

from wamp_bridge_server.store.dialects import insert
from wamp_bridge_server.store.schema import idempotency_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from wamp_bridge_server.store.commits import Commits

ROW_BYTES = 512
"""What a key takes beside the body of its answer, about."""

_KEY = "key_id"
_table = idempotency_keys


@dataclass(frozen=True, slots=True)
class Claim:
    """A request that wants to be done once.

    `id` is the same for all requests with one key of one app for one path, `fingerprint` for all
    that ask for the same; both are SHA-256 in hex. `attempt` is this request's own.
    """

    id: str
    fingerprint: str
    app: str
    attempt: str | None = None


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """How a request was answered. `expires_at` is in Unix seconds."""

    status: int
    body: bytes
    location: str | None = None
    expires_at: float = 0.0

    @property
    def size(self) -> int:
        """How many bytes it takes in the store, about."""
        return ROW_BYTES + len(self.body)


@dataclass(frozen=True, slots=True)
class Claimed:
    """What there is under a key: who claimed it first, and the answer where there is one."""

    fingerprint: str
    answer: KeptAnswer | None


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of a claim: its answer, or None where the key is to be let go."""

    id: str
    answer: KeptAnswer | None


class _Freed(NamedTuple):
    """The bytes of an app that aren't kept any more."""

    app: str | None
    size: int | None


class KeyRoom:
    """The store's room for idempotency keys. All its methods raise `StoreError`.

    `sizes` are the bytes that are kept for each app; who settles a claim adds to them.
    """

    def __init__(self, commits: Commits, clock: Callable[[], float] = time.time) -> None:
        self._commits = commits
        self._claim_keys = _ClaimKeys(clock)
        self.sizes: Counter[str] = Counter()

    async def claim(self, claim: Claim) -> Claimed | None:
        """Claim a key; None where it was free and is claimed now, else what there is under it."""
        there, freed = await self._commits.submit(self._claim_keys, claim)
        self._count_out(freed)
        return there

    async def withdraw(self, claims: Sequence[Claim]) -> None:
        """Let keys go, of those that these very claims claimed and that nobody settled."""
        await self._commits.submit(_withdraw, claims)

    async def settle(self, settlement: Settlement) -> None:
        """Keep the answer to the request that claimed a key, or let the key go."""
        await self._commits.submit(settle_keys, settlement)

    async def forget_expired(self, now: float, *, number: int) -> int:
        """Forget keys that have expired by a Unix time: some; how many that were."""
        freed = await self._commits.submit(_forget_expired, (now, number))
        self._count_out(freed)
        return len(freed)

    async def let_claims_go(self) -> None:
        """Let all keys go that are claimed: for a bridge that starts."""
        await self._commits.submit(_let_claims_go, None)

    async def measure(self) -> None:
        """Sum up what is kept for each app: for a bridge that starts."""
        self.sizes = await self._commits.submit(_measure, None)

    def _count_out(self, freed: Sequence[_Freed]) -> None:
        for app, size in freed:
            if app is not None:
                self.sizes[app] -= size or 0
                if self.sizes[app] <= 0:
                    del self.sizes[app]


class _ClaimKeys:
    """The `commits.Writer` of claims: None for each that was won, else what was there before.

    With the first of them what expired under their keys and was forgotten.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    async def __call__(
        self, connection: AsyncConnection, items: Sequence[Claim]
    ) -> list[tuple[Claimed | None, Sequence[_Freed]]]:
        """Claim them, the first of equal ones."""
        won, freed = await self._insert(connection, items)
        answers: list[Claimed | None] = []
        lost: list[int] = []
        for place, item in enumerate(items):
            answers.append(None)
            if item.id in won:
                won.discard(item.id)
            else:
                lost.append(place)
        if lost:
            there = await _read(connection, {items[place].id for place in lost})
            for place in lost:
                answers[place] = there[items[place].id]
        return [(answer, () if place else freed) for place, answer in enumerate(answers)]

    async def _insert(
        self, connection: AsyncConnection, items: Sequence[Claim]
    ) -> tuple[set[str], list[_Freed]]:
        now = self._clock()
        first: dict[str, Claim] = {}
        for item in items:
            first.setdefault(item.id, item)
        expired = delete(_table).where(_table.c.id.in_(first), _table.c.expires_at < now)
        freed = await connection.execute(expired.returning(_table.c.app, _table.c.size))
        gone = [_Freed(*row) for row in freed]
        statement = insert(connection, _table).on_conflict_do_nothing().returning(_table.c.id)
        rows = [dataclasses.asdict(item) for item in first.values()]
        return {row.id for row in await connection.execute(statement, rows)}, gone


async def settle_keys(
    connection: AsyncConnection, settlements: Sequence[Settlement]
) -> Sequence[None]:
    """Keep the answers of claims, or let their keys go; the `commits.Writer` of settlements."""
    let_go = [{_KEY: item.id} for item in settlements if item.answer is None]
    if let_go:
        await connection.execute(delete(_table).where(_table.c.id == bindparam(_KEY)), let_go)
    kept = [_values(item.id, item.answer) for item in settlements if item.answer is not None]
    if kept:
        # By bound parameters alone, each named as its column.
        await connection.execute(update(_table).where(_table.c.id == bindparam(_KEY)), kept)
    return [None] * len(settlements)


async def _withdraw(connection: AsyncConnection, batches: Sequence[Sequence[Claim]]) -> list[None]:
    """Let keys go that these claims hold; a `commits.Writer`."""
    statement = delete(_table).where(
        _table.c.id == bindparam(_KEY),
        _table.c.attempt == bindparam("by"),
        _table.c.expires_at.is_(None),
    )
    claims = [{_KEY: claim.id, "by": claim.attempt} for batch in batches for claim in batch]
    await connection.execute(statement, claims)
    return [None] * len(batches)


async def _let_claims_go(connection: AsyncConnection, asked: Sequence[None]) -> Sequence[None]:
    """Let all claims go that nobody settled; a `commits.Writer`."""
    await connection.execute(delete(_table).where(_table.c.expires_at.is_(None)))
    return asked


async def _measure(connection: AsyncConnection, asked: Sequence[None]) -> list[Counter[str]]:
    """Sum up what is kept for each app."""
    known = _table.c.app.is_not(None)
    summed = select(_table.c.app, func.sum(_table.c.size)).where(known).group_by(_table.c.app)
    sizes = {app: int(size or 0) for app, size in await connection.execute(summed)}
    return [Counter(sizes) for _ in asked]


async def _forget_expired(
    connection: AsyncConnection, items: Sequence[tuple[float, int]]
) -> list[list[_Freed]]:
    answers = []
    for now, number in items:
        some = select(_table.c.id).where(_table.c.expires_at < now).limit(number)
        forget = delete(_table).where(_table.c.id.in_(some))
        gone = await connection.execute(forget.returning(_table.c.app, _table.c.size))
        answers.append([_Freed(*row) for row in gone])
    return answers


async def _read(connection: AsyncConnection, ids: set[str]) -> dict[str, Claimed]:
    rows = await connection.execute(select(_table).where(_table.c.id.in_(ids)))
    return {row.id: _claimed(row) for row in rows}


def _claimed(row: Any) -> Claimed:
    if row.status is None:
        return Claimed(row.fingerprint, None)
    answer = KeptAnswer(row.status, row.body, row.location, row.expires_at)
    return Claimed(row.fingerprint, answer)


def _values(id_: str, answer: KeptAnswer) -> dict[str, Any]:
    return {
        _KEY: id_,
        "status": answer.status,
        "body": answer.body,
        "location": answer.location,
        "expires_at": answer.expires_at,
        "size": answer.size,
    }
