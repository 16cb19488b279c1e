"""What became of attempts, on its way into the store.

It is written in batches, and again until it is written. Until then the rows say less than is known,
so their lanes don't read them; and where the store takes nothing for long, nothing more is sent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from wamp_bridge_server.store import StoreError
from wamp_bridge_server.tasks import lasting

if TYPE_CHECKING:
    from collections.abc import Callable

    from wamp_bridge_server.callbacks.lanes import Lane
    from wamp_bridge_server.store import DeliveryRecord, FailedAttempt
    from wamp_bridge_server.store.deliveries import Deliveries

MOST = 10_000
"""So many that are not written, and nothing more is sent."""

_BATCH = 500
_LINGER_SECONDS = 0.02
"""Nobody waits for it, and a commit costs the same for one as for many."""
_AGAIN_SECONDS = 0.5


class Settling:
    """Writes what became of attempts.

    Args:
        deliveries: Where.
        settled: Told of each when it is written.
        doubt: Told when some are written that may have been before.
    """

    def __init__(
        self,
        deliveries: Deliveries,
        settled: Callable[[Outcome], None],
        doubt: Callable[[], None],
    ) -> None:
        self._deliveries = deliveries
        self._settled = settled
        self._doubt = doubt
        self._again = False
        self._waiting: deque[Outcome] = deque()
        self._something = asyncio.Event()
        self._closing = False
        self._task = lasting(self._run, "settling deliveries")

    @property
    def full(self) -> bool:
        """Whether so much waits to be written that nothing more should be sent."""
        return len(self._waiting) >= MOST

    def put(self, outcome: Outcome) -> None:
        """Have an attempt's end written."""
        unsettled = outcome.lane.unsettled
        unsettled[outcome.seq] = unsettled.get(outcome.seq, 0) + 1
        self._waiting.append(outcome)
        self._something.set()

    async def close(self, within: float) -> int:
        """Write what waits, as far as that can be done in so many seconds; how many are left."""
        self._closing = True
        self._something.set()
        await asyncio.wait([self._task], timeout=within)
        self._task.cancel()
        await asyncio.wait([self._task])
        return len(self._waiting)

    async def _run(self) -> None:
        while self._waiting or not self._closing:
            if not self._waiting:
                self._something.clear()
                await self._something.wait()
                if not self._closing:
                    await asyncio.sleep(_LINGER_SECONDS)
                continue
            batch = [*islice(self._waiting, _BATCH)]
            again, self._again = self._again, True  # it may be written, whatever the store says
            try:
                await self._write(batch)
            except StoreError:  # which the store has told of
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            for outcome in batch:
                self._waiting.popleft()
                left = outcome.lane.unsettled.pop(outcome.seq) - 1
                if left:
                    outcome.lane.unsettled[outcome.seq] = left
                self._settled(outcome)
            self._again = False
            if again:
                self._doubt()

    async def _write(self, batch: list[Outcome]) -> None:
        arrived = [outcome for outcome in batch if outcome.failed is None]
        await self._deliveries.settle(
            arrived=[outcome.seq for outcome in arrived],
            tried=[outcome.seq for outcome in arrived if outcome.tried],
            failed=[outcome.failed for outcome in batch if outcome.failed is not None],
        )


class Outcome:
    """How an attempt ended: with an arrival, or as `failed` says. It holds no body."""

    __slots__ = ("failed", "lane", "seq", "size", "tried")

    def __init__(self, lane: Lane, record: DeliveryRecord, failed: FailedAttempt | None) -> None:
        self.lane = lane
        self.seq = record.seq
        self.size = len(record.body)
        self.tried = record.attempts > 0
        self.failed = failed
