"""Writes that must be made, though the store may be away for a while."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from wamp_bridge_server.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PAUSE_SECONDS = 1.0


class Persistence:
    """Tries writes until they are made, or until it is closed."""

    def __init__(self) -> None:
        self._closing = asyncio.Event()
        self._tasks: set[asyncio.Task[bool]] = set()

    async def write(self, write: Callable[[], Awaitable[object]]) -> bool:
        """Write, again and again where the store fails; False where it was closed before.

        Args:
            write: Raises `StoreError` where it has to be tried again.
        """
        while True:
            with contextlib.suppress(StoreError):  # which the store has told of
                await write()
                return True
            if await self._closed_within(PAUSE_SECONDS):
                return False

    def write_later(self, write: Callable[[], Awaitable[object]]) -> asyncio.Task[bool]:
        """Write, in a task of its own."""
        task = asyncio.create_task(self.write(write), name="persistence")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def write_soon(self, write: Callable[[], Awaitable[object]]) -> None:
        """Write; return when that is done, or has failed once and goes on by itself.

        A caller that is cancelled doesn't take it back.
        """
        tried = asyncio.Event()

        async def first() -> None:
            try:
                await write()
            finally:
                tried.set()

        self.write_later(first)
        await tried.wait()

    async def close(self) -> None:
        """Give up what can't be written now."""
        self._closing.set()
        await asyncio.gather(*self._tasks)

    async def _closed_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return False
        return True
