"""The tables of new stores, which migrations make once and which are copied from then on.

Migrating takes longer than most of the tests that need a store, but are not about its making.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import create_engine

from wamp_bridge_server.store import migrate

if TYPE_CHECKING:
    import pytest
    from sqlalchemy import Connection

_upgrade = migrate.upgrade


def copy_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have stores that this process makes get the tables that migrations made first."""
    monkeypatch.setattr(migrate, "upgrade", _copy_or_upgrade)


def _copy_or_upgrade(connection: Connection) -> None:
    if connection.exec_driver_sql("SELECT 1 FROM sqlite_master LIMIT 1").first():
        _upgrade(connection)
        return
    for statement in _statements():
        connection.exec_driver_sql(statement)


@cache
def _statements() -> tuple[str, ...]:
    """What makes the tables, and says which version they are of."""
    engine = create_engine("sqlite://")
    try:
        with engine.connect() as connection:
            _upgrade(connection)
            connection.commit()
            made = connection.connection.driver_connection
            assert made is not None
            return tuple(each for each in made.iterdump() if each.startswith(("CREATE", "INSERT")))
    finally:
        engine.dispose()
