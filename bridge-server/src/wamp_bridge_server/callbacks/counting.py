"""Counts anew how much waits, after commits of which nobody knows whether they were made."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wamp_bridge_server.store import StoreError
from wamp_bridge_server.tasks import lasting

if TYPE_CHECKING:
    from collections.abc import Callable

    from wamp_bridge_server.store import Store
    from wamp_bridge_server.store.deliveries import Counts

_AGAIN_SECONDS = 0.5


class Counting:
    """Has the store count when what is counted here may be wrong.

    Args:
        store: What is counted.
        counted: Told of how much there is, between two commits.
    """

    def __init__(self, store: Store, counted: Callable[[Counts], None]) -> None:
        self._store = store
        self._counted = counted
        self._doubtful = False
        self._task: asyncio.Task[None] | None = None

    def doubt(self) -> None:
        """Have it counted anew: the store failed, and may have done all the same what it was to."""
        self._doubtful = True
        if self._task is None or self._task.done():
            self._task = lasting(self._run, "counting deliveries")

    async def close(self) -> None:
        """Count no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while self._doubtful:
            if self._store.trouble is not None:  # until something was written: this writes nothing
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            try:
                counts = await self._store.deliveries.counts()
            except StoreError:  # which the store has told of
                continue
            self._doubtful = False
            self._counted(counts)
