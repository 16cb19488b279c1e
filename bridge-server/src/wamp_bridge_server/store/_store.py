"""`Store`: what of the bridge survives the bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wamp_bridge_server.store.calls import BeginCalls, Beginning, end_calls, read_call, read_pending
from wamp_bridge_server.store.commits import Commits
from wamp_bridge_server.store.database import Database
from wamp_bridge_server.store.idempotency import (
    Claim,
    ClaimKeys,
    Settlement,
    let_claims_go,
    settle_keys,
)
from wamp_bridge_server.store.nonces import Nonce, SpendNonces
from wamp_bridge_server.store.rows import Change, read_endpoints, read_sources, write_changes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wamp_bridge_server.store.calls import Ending
    from wamp_bridge_server.store.idempotency import Claimed
    from wamp_bridge_server.store.records import CallRecord, EndpointRecord, Record, SourceRecord


class Store:
    """All that a bridge keeps, in a database. Made by `open`; safe for concurrent use."""

    def __init__(self, database: Database, commits: Commits) -> None:
        self._database = database
        self._commits = commits
        self._spend_nonces = SpendNonces()
        self._claim_keys = ClaimKeys()
        self._begin_calls = BeginCalls()

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

    async def claim_key(self, claim: Claim) -> Claimed | None:
        """Claim an idempotency key; None where it was free and is claimed now, else what it has.

        Raises:
            StoreError: It may or may not be claimed.
        """
        return await self._commits.submit(self._claim_keys, claim)

    async def settle_key(self, settlement: Settlement) -> None:
        """Keep the answer to the request that claimed a key, or let the key go.

        Raises:
            StoreError: It is claimed as before.
        """
        await self._commits.submit(settle_keys, settlement)

    async def let_claims_go(self) -> None:
        """Let all keys go that are claimed: for a bridge that starts. Raises `StoreError`."""
        await self._commits.submit(let_claims_go, None)

    async def begin_call(self, call: CallRecord, settlement: Settlement | None = None) -> None:
        """Keep a call that is to be made, and settle the key of the request for it with it.

        Raises:
            StoreError: Nothing of it was done.
        """
        await self._commits.submit(self._begin_calls, Beginning(call, settlement))

    async def end_call(self, ending: Ending) -> bool:
        """Keep how a call ended; whether it was pending until then, for it ends once.

        Raises:
            StoreError: Nothing of it was done.
        """
        return await self._commits.submit(end_calls, ending)

    async def call(self, app: str, identifier: str) -> CallRecord | None:
        """An app's call, None where it has none of that id. Raises `StoreError`."""
        async with self._database.reading() as connection:
            return await read_call(connection, app, identifier)

    async def pending_calls(self) -> list[CallRecord]:
        """The calls that have not ended, oldest first. Raises `StoreError`."""
        async with self._database.reading() as connection:
            return await read_pending(connection)

    async def close(self) -> None:
        """Write what waits, close the database and let its file go."""
        try:
            await self._commits.close()
        finally:
            await self._database.close()
