"""A clock that goes as fast as a test wants."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from typing import TYPE_CHECKING

from support.waiting import eventually
from wamp_bridge_server.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class FakeClock(Clock):
    """Stands still until it is told that time passes."""

    def __init__(self) -> None:
        self._started = super().time()
        self._passed = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        return self._passed

    def time(self) -> float:
        return self._started + self._passed

    async def sleep(self, seconds: float) -> None:
        awake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._passed + seconds, next(self._order), awake))
        await awake

    def pass_by(self, seconds: float) -> None:
        """Let time pass; whoever slept so long is awake then."""
        self._passed += seconds
        while self._sleepers and self._sleepers[0][0] <= self._passed:
            awake = heapq.heappop(self._sleepers)[2]
            if not awake.done():
                awake.set_result(None)

    async def until(self, condition: Callable[[], Awaitable[bool]], *, step: float = 1.0) -> float:
        """Let time pass, in steps, until a condition is met; how much that was.

        The network takes real time, so it may be more than it had to be, never less.
        """
        began = self._passed

        async def met() -> bool:
            if await condition():
                return True
            self.pass_by(step)
            return False

        await eventually(met)
        return self._passed - began
