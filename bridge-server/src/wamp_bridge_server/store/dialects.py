"""What SQLite and PostgreSQL have in common, and SQLAlchemy's common constructs lack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.dialects import sqlite

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.ext.asyncio import AsyncConnection


def insert(connection: AsyncConnection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can be given an ON CONFLICT, in the dialect of a connection."""
    if connection.dialect.name == "postgresql":
        # It takes long to import, and no store needs it so far.
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert  # noqa: PLC0415

        return postgresql_insert(table)
    return sqlite.insert(table)
