"""One SQLite database: its connections, its transactions, and what can go wrong with its file."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import structlog
from sqlalchemy import URL, event
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from wamp_bridge_server.store.errors import StoreError, explain
from wamp_bridge_server.store.lock import FileLock
from wamp_bridge_server.store.schema import NEWEST, revisions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection

_PREFIX = "sqlite:///"
_MEMORY = ":memory:"

log = structlog.get_logger("wamp_bridge.store")


class Database:
    """An open database, migrated, and locked against a second bridge.

    Reading and writing raise `StoreError` alone for what the database does; `name` says in
    errors which it is. `trouble` is why it last refused, None since something was written again.
    """

    def __init__(self, url: str, *, busy_timeout: float = 5.0) -> None:
        """See `open`.

        Args:
            url: `sqlite:///PATH`, or `sqlite:///:memory:` which is gone when it is closed.
            busy_timeout: Seconds to wait for another process that keeps the file locked.

        Raises:
            StoreError: A URL of another kind.
        """
        scheme, _, _ = url.partition("://")
        if scheme.startswith("postgres"):
            raise StoreError("PostgreSQL comes with a later version; use sqlite:///PATH")
        path = url.removeprefix(_PREFIX)
        if not url.startswith(_PREFIX) or not path:
            raise StoreError("the URL of a store is sqlite:///PATH")
        self.name = f"store {path}"
        self.trouble: str | None = None
        self._path = None if path == _MEMORY else Path(path)
        self._lock = FileLock(self._path) if self._path else None
        self._inode: tuple[int, int] | None = None
        # A database in memory has one connection, on which two users would see each other's
        # half-done transactions. A file's readers need not wait for its writer.
        self._turn = asyncio.Lock() if self._path is None else None
        self._engine = _engine(path, busy_timeout)

    async def open(self) -> None:
        """Lock the file, make it if need be, and bring its schema up to date.

        Raises:
            StoreError: Another bridge has it, or it can't be used; nothing stays open.
        """
        try:
            if self._lock:
                with self._named():
                    self._lock.acquire()
            if self._path:
                _make_private(self._path)
                self._check_names(self._path)
                self._try(self._path)
            async with self.transaction() as connection:
                with self._named():
                    await connection.run_sync(_bring_up_to_date)
            if self._path:
                self._inode = _inode(self._path)
        except BaseException:  # also when cancelled: the lock must not stay
            await self.close()
            raise

    async def close(self) -> None:
        """Close the connections and let the file go."""
        await self._engine.dispose()
        if self._lock:
            self._lock.release()

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that may write, committed at the end; undone when anything is raised.

        Raises:
            StoreError: What the database or its file refused, in particular at the commit.
        """
        async with self._noting_trouble():
            async with self._connection("BEGIN IMMEDIATE") as connection, connection.begin():
                yield connection
                self._check_file()
            if self.trouble is not None:
                log.info("the store works again", store=self.name)
                self.trouble = None

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that reads, and sees one state of the database all along.

        Raises:
            StoreError: What the database or its file refused.
        """
        async with (
            self._noting_trouble(),
            self._connection("BEGIN") as connection,
            connection.begin(),
        ):
            yield connection

    @contextlib.asynccontextmanager
    async def _noting_trouble(self) -> AsyncIterator[None]:
        try:
            yield
        except StoreError as error:
            # What a row or a statement did is its author's affair.
            if not isinstance(error.__cause__, IntegrityError | DataError):
                if self.trouble is None:
                    log.error("the store fails", reason=str(error))  # noqa: TRY400 - no bug
                self.trouble = str(error)
            raise

    @contextlib.asynccontextmanager
    async def _connection(self, begin: str) -> AsyncIterator[AsyncConnection]:
        async with self._turn or contextlib.nullcontext():
            self._check_file()  # before anything is connected to what stands there in its place
            try:
                async with self._engine.connect() as connection:
                    await connection.execution_options(wamp_bridge_begin=begin)
                    yield connection
            except DBAPIError as error:
                raise StoreError(f"{self.name}: {explain(error.orig)}") from error
            except NoConnection as error:
                raise StoreError(f"{self.name}: too many read it at once") from error

    @contextlib.contextmanager
    def _named(self) -> Any:
        try:
            yield
        except StoreError as error:
            raise StoreError(f"{self.name}: {error}") from error

    def _try(self, path: Path) -> None:
        # aiosqlite leaves the thread of a connection that can't be made to end by itself, maybe
        # after the loop: so see here whether one can be.
        try:
            sqlite3.connect(path).close()
        except sqlite3.Error as error:
            raise StoreError(f"{self.name}: {explain(error)}") from error

    def _check_names(self, path: Path) -> None:
        # By another name another bridge would find neither our lock nor SQLite's journal
        # (https://www.sqlite.org/howtocorrupt.html, section 2.5).
        if path.is_file() and (names := path.stat().st_nlink) > 1:
            raise StoreError(
                f"{self.name}: its file has {names} names (hard links); leave it this one, or "
                "give the bridge a copy"
            )

    def _check_file(self) -> None:
        # SQLite goes on writing into a file that has lost its name, and all of it would be gone
        # at the next start.
        if self._path is None or self._inode is None:
            return
        try:
            same = _inode(self._path) == self._inode
        except OSError:
            same = False
        if not same:
            raise StoreError(
                f"{self.name}: its file was deleted or replaced under the running bridge; put it "
                "back, or start the bridge again"
            )


def _bring_up_to_date(connection: Connection) -> None:
    if revisions(connection) == {NEWEST}:
        return
    # Alembic takes longer to import than all else of a start, and mostly there is nothing to do.
    from wamp_bridge_server.store.migrate import upgrade  # noqa: PLC0415

    upgrade(connection)


def _make_private(path: Path) -> None:
    """Make the file, for its owner alone; SQLite gives the files beside it the same mode."""
    # It is there, or can't be made, of which SQLite will say why.
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _inode(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _url(path: str) -> URL:
    if path == _MEMORY:
        return URL.create("sqlite+aiosqlite", database=path)
    # Never made by connecting: what is made so is empty, where a file was that has lost its name.
    query = {"uri": "true", "mode": "rw"}
    return URL.create("sqlite+aiosqlite", database=f"file:{quote(path)}", query=query)


def _engine(path: str, busy_timeout: float) -> AsyncEngine:
    engine = create_async_engine(_url(path), connect_args={"timeout": busy_timeout})

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        # Transactions begin where we say so, migrations of the schema included; sqlite3 left to
        # itself begins them at the first write.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that will write takes its lock at the start: one that read first could
        # be refused later without waiting for `busy_timeout`.
        connection.exec_driver_sql(connection.get_execution_options()["wamp_bridge_begin"])

    return engine
