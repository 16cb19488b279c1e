"""`Store`: what of the bridge survives the bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wamp_bridge_server.store.calls import CallRoom
from wamp_bridge_server.store.commits import Commits
from wamp_bridge_server.store.database import Database
from wamp_bridge_server.store.dead_letters import DeadLetterRoom
from wamp_bridge_server.store.deliveries import Deliveries
from wamp_bridge_server.store.events import EventLogs
from wamp_bridge_server.store.idempotency import KeyRoom
from wamp_bridge_server.store.nonces import Nonce, SpendNonces
from wamp_bridge_server.store.own_keys import write_own_keys
from wamp_bridge_server.store.rows import Change, read_endpoints, read_sources, write_changes
from wamp_bridge_server.store.sessions import read_sessions, write_sessions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wamp_bridge_server.store.records import EndpointRecord, Record, SourceRecord


class Store:
    """All that a bridge keeps, in a database.

    Made by `open`; safe for concurrent use. `deliveries`, `dead_letters`, `calls`, `keys` and
    `events` are rooms of their own.
    """

    def __init__(self, database: Database, commits: Commits) -> None:
        self._database = database
        self._commits = commits
        self._spend_nonces = SpendNonces()
        self.deliveries = Deliveries(database, commits)
        self.dead_letters = DeadLetterRoom(database, commits)
        self.calls = CallRoom(database, commits)
        self.keys = KeyRoom(commits)
        self.events = EventLogs(database, commits)

    @property
    def trouble(self) -> str | None:
        """Why it last refused, for a person; None since something was written again."""
        return self._database.trouble

    @classmethod
    async def open(cls, url: str, *, busy_timeout: float = 5.0) -> Store:
        """Open the store, make it if it isn't there, and bring its schema up to date.

        Args:
            url: `sqlite:///PATH`, relative to the process where it isn't absolute, or
                `sqlite:///:memory:`.
            busy_timeout: Seconds to wait when another process keeps the file locked.

        Raises:
            StoreError: It can't be used: another bridge has it open, it belongs to another
                program or to a newer version, it is damaged or can't be written.
        """
        database = Database(url, busy_timeout=busy_timeout)
        await database.open()
        return cls(database, Commits(database))

    async def endpoints(self) -> list[EndpointRecord]:
        """All endpoints, oldest first. Raises `StoreError`."""
        async with self._database.reading() as connection:
            return await read_endpoints(connection)

    async def sources(self) -> list[SourceRecord]:
        """All sources, oldest first. Raises `StoreError`."""
        async with self._database.reading() as connection:
            return await read_sources(connection)

    async def apply(self, *, put: Sequence[Record] = (), delete: Sequence[str] = ()) -> None:
        """Delete ids, then put records, all or nothing; on the disk when it returns.

        A record replaces the one with its id. An id that isn't there is no error, and a source's
        endpoints don't go with it: who deletes a source names them too.

        Raises:
            StoreError: Nothing of it was done.
            ValueError: The options of an endpoint are no JSON; nothing of it was done.
        """
        if put or delete:
            await self._commits.submit(write_changes, Change(tuple(put), tuple(delete)))

    async def spend_nonce(self, app: str, nonce: str, expires_at: float) -> bool:
        """Spend a nonce of an app; whether it was new. Spent for good when it returns.

        Args:
            app: The app's name.
            nonce: At most 300 characters.
            expires_at: Unix time in seconds from which on nobody could use it any more.

        Raises:
            StoreError: It may or may not be spent.
        """
        return await self._commits.submit(self._spend_nonces, Nonce(app, nonce, expires_at))

    async def sessions_until(self) -> dict[str, float]:
        """Until when each app's session was there, in Unix seconds. Raises `StoreError`."""
        async with self._database.reading() as connection:
            return await read_sessions(connection)

    async def note_sessions(self, until: Mapping[str, float]) -> None:
        """Note until when apps' sessions were there. Raises `StoreError`."""
        if until:
            await self._commits.submit(write_sessions, dict(until))

    async def own_key(self, name: str) -> bytes:
        """A key of the bridge's own, 32 random octets, made when it is first asked for.

        Raises:
            StoreError: It may or may not be made.
        """
        return await self._commits.submit(write_own_keys, name)

    async def close(self) -> None:
        """Write what waits, close the database and let its file go."""
        try:
            await self._commits.close()
        finally:
            await self._database.close()
