"""Rows that have expired are taken away in small bites, so that no write waits long for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Table, delete, select

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

CLEANING_SECONDS = 30.0
BITE = 500


class Expiry:
    """Cleans a table that has `id` and `expires_at`, indexed, null for what doesn't expire."""

    def __init__(self, table: Table, clock: Callable[[], float]) -> None:
        self._table = table
        self._clock = clock
        self._cleaned_at = 0.0

    async def clean(self, connection: AsyncConnection) -> None:
        """Take a bite, now and then; called by a writer, in its transaction."""
        now = self._clock()
        if abs(now - self._cleaned_at) < CLEANING_SECONDS:
            return
        column = self._table.c
        oldest = select(column.id).where(column.expires_at < now).order_by(column.expires_at)
        gone = await connection.execute(
            delete(self._table).where(column.id.in_(oldest.limit(BITE)))
        )
        if gone.rowcount < BITE:  # else the next writer takes the next one
            self._cleaned_at = now
