"""Dead letters: what was given up, for its owner to read, to replay and to delete."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from wamp_bridge_server.errors import Conflict, NotFound
from wamp_bridge_server.store import DeadLetters, StoreError

if TYPE_CHECKING:
    from wamp_bridge_server.callbacks.outbox import Outbox
    from wamp_bridge_server.services.apps import App
    from wamp_bridge_server.services.table import Table
    from wamp_bridge_server.store import DeadLetter, DeadLetterGroup, FailedAttempt, Store

BITE = 500
"""So many are changed at once; others who write come between."""

log = structlog.get_logger("wamp_bridge.dead_letters")


class DeadLetterOffice:
    """The dead letters of all apps."""

    def __init__(self, store: Store, table: Table, outbox: Outbox) -> None:
        self._letters = store.dead_letters
        self._table = table
        self._outbox = outbox

    async def page(self, meant: DeadLetters, after: int, number: int) -> list[DeadLetter]:
        """Those that are meant, the oldest first, behind a `seq`. Raises `StoreError`."""
        return await self._letters.page(meant, after=after, number=number)

    async def count(self, meant: DeadLetters) -> int:
        """How many are meant. Raises `StoreError`."""
        return await self._letters.count(meant)

    async def one(self, app: App, identifier: str) -> tuple[DeadLetter, list[FailedAttempt]]:
        """A dead letter of an app, with its attempts.

        Raises:
            NotFound: The app has no such one.
            StoreError: It can't be read.
        """
        found = await self.page(_one(app, identifier), 0, 1)
        if not found:
            raise NotFound(f'This app has no dead letter "{identifier}".')
        return found[0], await self._letters.attempts(identifier)

    async def replay_one(self, app: App, identifier: str) -> int:
        """Have a dead letter wait again.

        Raises:
            NotFound: The app has no such one.
            Conflict: There is nobody any more whom it would be for.
            StoreError: It could not be done.
        """
        await self.one(app, identifier)
        replayed, _ = await self.replay(_one(app, identifier), None)
        return replayed

    async def replay(self, meant: DeadLetters, limit: int | None) -> tuple[int, int]:
        """Have dead letters wait again; each keeps its id.

        Args:
            meant: Which.
            limit: How many at most.

        Returns:
            How many, and how many of those meant are left because there is nobody any more whom
            they would be for.

        Raises:
            Conflict: All that are meant are so.
            StoreError: Some may wait again, others not.
        """
        replayed, left = 0, 0
        homeless: DeadLetterGroup | None = None
        for group in await self._letters.groups(meant):
            lane = self._lane(meant.app, group)
            if lane is None:
                left, homeless = left + group.number, group
                continue
            of_group = replace(meant, uri=group.uri)
            while limit is None or replayed < limit:
                bite = BITE if limit is None else min(BITE, limit - replayed)
                try:
                    number, size = await self._letters.replay(
                        of_group, group.lane, lane, time.time(), number=bite
                    )
                except StoreError:  # they may wait again, whatever it said
                    self._outbox.revived(meant.app, lane, 0, 0)
                    self._outbox.counting.doubt()
                    raise
                if not number:
                    break
                self._outbox.revived(meant.app, lane, number, size)
                replayed += number
        if homeless is not None and not replayed and limit != 0:
            raise Conflict(
                f'The app has no subscription of "{homeless.uri}" any more that this would go to; '
                "nothing was replayed."
            )
        if replayed:
            log.info("dead letters replayed", app=meant.app, deliveries=replayed)
        return replayed, left

    async def delete_one(self, app: App, identifier: str) -> None:
        """Delete a dead letter. Raises `NotFound` and `StoreError`."""
        await self.one(app, identifier)
        await self.delete(_one(app, identifier), None)

    async def delete(self, meant: DeadLetters, limit: int | None) -> int:
        """Delete dead letters: at most so many; how many they were. Raises `StoreError`."""
        deleted = 0
        while limit is None or deleted < limit:
            bite = BITE if limit is None else min(BITE, limit - deleted)
            try:
                number, size = await self._letters.delete(meant, number=bite)
            except StoreError:  # they may be gone, whatever it said
                self._outbox.counting.doubt()
                raise
            if not number:
                break
            self._outbox.stocks[meant.app].bury(-number, -size)
            deleted += number
        if deleted:
            log.info("dead letters deleted", app=meant.app, deliveries=deleted)
        return deleted

    def _lane(self, app: str, group: DeadLetterGroup) -> str | None:
        """Where dead letters of a group go now: to whom they were for, or who is there instead."""
        if group.type != "event" or group.lane in self._table.endpoints:
            return group.lane
        match = group.match or "exact"
        present = self._table.groups.get((app, "topic", group.uri, match))
        return present.endpoints[-1].lane if present is not None and present.endpoints else None


def _one(app: App, identifier: str) -> DeadLetters:
    return DeadLetters(app=app.name, id=identifier)
