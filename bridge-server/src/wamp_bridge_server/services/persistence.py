"""Writes that must be made, though the store may be away for a while."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from wamp_bridge_server.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PAUSE_SECONDS = 1.0

log = structlog.get_logger("wamp_bridge.store")


class Persistence:
    """Tries writes until they are made, or until it is closed."""

    def __init__(self) -> None:
        self._closing = asyncio.Event()
        self._tasks: set[asyncio.Task[bool]] = set()

    async def write(self, what: str, write: Callable[[], Awaitable[object]]) -> bool:
        """Write, again and again where the store fails; False where it was closed before.

        Args:
            what: For the log.
            write: Raises `StoreError` where it has to be tried again.
        """
        failures = 0
        while True:
            try:
                await write()
            except StoreError as error:
                failures += 1
                if failures == 1:
                    log.error("store failed; trying again", what=what, reason=str(error))  # noqa: TRY400 - no bug
            else:
                if failures:
                    log.info("store works again", what=what, failures=failures)
                return True
            if await self._closed_within(PAUSE_SECONDS):
                return False

    async def write_soon(self, what: str, write: Callable[[], Awaitable[object]]) -> None:
        """Write; return when that is done, or has failed once and goes on by itself.

        A caller that is cancelled doesn't take it back.
        """
        tried = asyncio.Event()

        async def first() -> None:
            try:
                await write()
            finally:
                tried.set()

        task = asyncio.create_task(self.write(what, first), name=f"write {what}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
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
