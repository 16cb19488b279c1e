"""Nonces: the writer that lets each of them be spent once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete

from wamp_bridge_server.store.dialects import insert
from wamp_bridge_server.store.schema import nonces

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

_CLEANING_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Nonce:
    """A nonce of an app, to be kept until `expires_at`, in Unix seconds."""

    app: str
    text: str
    expires_at: float


class SpendNonces:
    """The `commits.Writer` of nonces: answers for each whether it was new.

    Now and then it takes away those that have expired, in the same transaction.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._cleaned_at = 0.0

    async def __call__(self, connection: AsyncConnection, items: Sequence[Nonce]) -> list[bool]:
        """Spend them, the first of equal ones."""
        await self._clean(connection)
        fresh = await self._insert(connection, {(item.app, item.text): item for item in items})
        answers = []
        for item in items:
            key = (item.app, item.text)
            answers.append(key in fresh)
            fresh.discard(key)
        return answers

    async def _insert(
        self, connection: AsyncConnection, items: dict[tuple[str, str], Nonce]
    ) -> set[tuple[str, str]]:
        statement = insert(connection, nonces).on_conflict_do_nothing()
        rows = [
            {"app": item.app, "nonce": item.text, "expires_at": item.expires_at}
            for item in items.values()
        ]
        inserted = await connection.execute(statement.returning(nonces.c.app, nonces.c.nonce), rows)
        return {(row.app, row.nonce) for row in inserted}

    async def _clean(self, connection: AsyncConnection) -> None:
        now = self._clock()
        if abs(now - self._cleaned_at) < _CLEANING_SECONDS:
            return
        await connection.execute(delete(nonces).where(nonces.c.expires_at < now))
        self._cleaned_at = now
