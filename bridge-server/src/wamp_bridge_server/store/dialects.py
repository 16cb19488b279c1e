"""What SQLite and PostgreSQL have in common, and SQLAlchemy's common constructs lack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.dialects import sqlite

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncConnection


def insert(connection: AsyncConnection, table: Table) -> sqlite.Insert:
    """An INSERT that can be given an ON CONFLICT, in the dialect of a connection."""
    if connection.dialect.name == "postgresql":
        # It takes long to import, and no store needs it so far.
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415

        return postgresql.insert(table)  # type: ignore[return-value] - the same methods
    return sqlite.insert(table)
