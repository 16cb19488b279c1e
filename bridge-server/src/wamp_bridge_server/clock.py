"""What time it is, and waiting for it to pass.

What takes minutes or days goes by a clock that it is given, so that tests need not take as long.
Deadlines on the network go by the event loop's own.
"""

from __future__ import annotations

import asyncio
import time


class Clock:
    """The machine's clock."""

    def monotonic(self) -> float:
        """Seconds since some moment; never set back."""
        return time.monotonic()

    def time(self) -> float:
        """Unix time, in seconds."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait so many seconds."""
        await asyncio.sleep(seconds)

    async def wait(self, event: asyncio.Event, within: float) -> bool:
        """Wait for an event at most so many seconds; whether it came."""
        if event.is_set():
            return True
        waiting = asyncio.ensure_future(event.wait())
        pausing = asyncio.ensure_future(self.sleep(within))
        try:
            await asyncio.wait((waiting, pausing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            pausing.cancel()
        return event.is_set()
