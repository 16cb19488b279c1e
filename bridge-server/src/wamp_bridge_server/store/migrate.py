"""Brings the schema of a database to the newest that this version knows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from wamp_bridge_server.store.errors import StoreError
from wamp_bridge_server.store.schema import VERSION_TABLE, revisions

if TYPE_CHECKING:
    from sqlalchemy import Connection


def migrations() -> Config:
    """Alembic's configuration; the scripts are files of this package, installed or not."""
    config = Config()
    config.set_main_option("path_separator", "os")
    # Alembic reads the option through configparser, to which a bare % is a reference.
    location = str(Path(__file__).with_name("migrations")).replace("%", "%%")
    config.set_main_option("script_location", location)
    return config


def upgrade(connection: Connection) -> None:
    """Take the steps that are missing, all of them or none, in the connection's transaction.

    Raises:
        StoreError: The database belongs to another program, or to a newer version of this one.
    """
    config = migrations()
    known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
    present = revisions(connection)
    if unknown := present - known:
        raise StoreError(
            f"its schema ({', '.join(sorted(unknown))}) is newer than this version of wamp-bridge "
            "knows; run the version that made it, or a later one"
        )
    if not present and (tables := set(inspect(connection).get_table_names()) - {VERSION_TABLE}):
        raise StoreError(
            f"it belongs to another program (its tables: {', '.join(sorted(tables)[:5])}); "
            "give the bridge a database of its own"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
