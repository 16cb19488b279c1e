"""Progressive results between a callee that makes them and one who reads them in its own time."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, Self

from wamp_bridge_server.errors import Problem, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

MAX_WAITING_BYTES: Final = 4 * 1024 * 1024
"""Of one call; together they have what `Limits.progress_bytes` says."""
OVERHEAD_BYTES: Final = 128
"""What a text costs beside its octets, so that empty ones count, too."""


class StepRoom:
    """What all calls together may have waiting, in bytes."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0


class Steps:
    """The steps of one call that wait to be read. A context manager, which lets go of them.

    Where more wait than may, there will be no more: `take` then raises, and drops what waits.

    Args:
        room: What it has together with others.
        failed: Called when there will be no more, which nobody who is still busy reading learns
            from `take`.
    """

    def __init__(self, room: StepRoom, failed: Callable[[], object] = lambda: None) -> None:
        self._room = room
        self._failed = failed
        self._texts: deque[bytes] = deque()
        self._taken = 0
        self._problem: Problem | None = None
        self._ended = False
        self._news = asyncio.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended = True
        self.drop()

    def put(self, text: bytes) -> None:
        """Have a text wait; not after the end."""
        if not self._ended and not self.offer(text):
            self.fail(Unavailable("The callee makes progress faster than the client reads it."))

    def offer(self, text: bytes) -> bool:
        """Have a text wait where there is room for it; whether there was."""
        cost = len(text) + OVERHEAD_BYTES
        most = min(MAX_WAITING_BYTES - self._taken, self._room.most - self._room.taken)
        if self._ended or cost > most:
            return False
        self._texts.append(text)
        self._taken += cost
        self._room.taken += cost
        self._news.set()
        return True

    def fail(self, problem: Problem) -> None:
        """Take no more, and have `take` raise this at once."""
        if not self._ended:
            self._problem = problem
            self.end()
            self.drop()
            self._failed()

    def end(self) -> None:
        """Take no more; what waits is still there to be read."""
        self._ended = True
        self._news.set()

    async def take(self) -> bytes:
        """All that waits, in one; waits for some. Nothing when there is no more.

        Raises:
            Problem: What `fail` was given.
        """
        await self._news.wait()
        if self._problem is not None:
            raise self._problem
        text = b"".join(self._texts)
        self.drop()
        if not self._ended:
            self._news.clear()
        return text

    async def take_one(self) -> bytes | None:
        """The first that waits; waits for one. None when there is no more."""
        while not self._texts:
            if self._ended:
                return None
            self._news.clear()
            await self._news.wait()
        text = self._texts.popleft()
        cost = len(text) + OVERHEAD_BYTES
        self._taken -= cost
        self._room.taken -= cost
        return text

    def drop(self) -> None:
        """Let go of all that waits."""
        self._texts.clear()
        self._room.taken -= self._taken
        self._taken = 0
