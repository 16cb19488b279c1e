"""The schema: made by migrations alone, and never touched when it isn't known."""

# ruff: noqa: ASYNC240 - a small local file blocks nobody here

from __future__ import annotations

import sqlite3
import sys
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from wamp_bridge_server.store import Store, StoreError
from wamp_bridge_server.store.migrate import migrations
from wamp_bridge_server.store.schema import NEWEST, VERSION_TABLE, metadata

if TYPE_CHECKING:
    from pathlib import Path


async def test_the_migrations_make_what_the_tables_say(url: str) -> None:
    await (await Store.open(url)).close()
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_heads() == (NEWEST,)
        assert ScriptDirectory.from_config(migrations()).get_heads() == [NEWEST]
        found = inspect(connection)
        indexes = {index["name"] for table in metadata.tables for index in found.get_indexes(table)}
    engine.dispose()
    assert indexes == {str(i.name) for table in metadata.tables.values() for i in table.indexes}


def test_every_step_can_be_taken_back(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        config = migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        command.downgrade(config, "base")
        assert inspect(connection).get_table_names() == [VERSION_TABLE]
    engine.dispose()


async def test_a_schema_of_a_newer_version_is_left_alone(url: str, path: Path) -> None:
    await (await Store.open(url)).close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"its schema \(9999\) is newer than this version"):
        await Store.open(url)
    assert path.read_bytes() == before


async def test_another_programs_database_is_left_alone(url: str, path: Path) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TABLE auth_user (id INTEGER)")
    connection.close()
    with pytest.raises(StoreError, match=r"belongs to another program \(its tables: auth_user\)"):
        await Store.open(url)
    connection = sqlite3.connect(path)
    tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()
    assert tables == [("auth_user",)]


async def test_a_migration_that_fails_leaves_nothing(
    url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("half way")

    with monkeypatch.context() as patched:
        patched.setattr("alembic.runtime.migration.HeadMaintainer.update_to_step", fail)
        with pytest.raises(RuntimeError, match="half way"):
            await Store.open(url)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    connection.close()
    await (await Store.open(url)).close()


async def test_a_store_that_is_up_to_date_is_opened_without_alembic(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await Store.open(url)).close()
    monkeypatch.setitem(sys.modules, "wamp_bridge_server.store.migrate", None)
    await (await Store.open(url)).close()
