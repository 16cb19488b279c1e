"""Notices a router that fell silent. RawSocket has no keepalive of its own that one could use."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from wamp_bridge_server.backends.wamp.settings import Patience
    from wamp_bridge_server.backends.wamp.transport import Channel

_OVERSLEPT: Final = 1.0


class Watch:
    """Asks a silent router for a sign of life, and gives it up when none comes.

    Args:
        channel: The connection to watch.
        patience: How long silences may be.
        probe: Sends something that the router answers.
        give_up: Ends the session; is told why.
    """

    def __init__(
        self,
        channel: Channel,
        patience: Patience,
        probe: Callable[[], None],
        give_up: Callable[[str], None],
    ) -> None:
        self._channel = channel
        self._patience = patience
        self._probe = probe
        self._give_up = give_up
        self._loop = asyncio.get_running_loop()
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._wait(channel.last_received + patience.probe)

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, due: float) -> None:
        self._due = due
        self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        now, last = self._loop.time(), self._channel.last_received
        silence = now - last
        if self._channel.paused:
            self._wait(now + self._patience.probe)
        elif now - self._due > _OVERSLEPT:
            # We slept ourselves, and what arrived meanwhile is read after this.
            self._wait(now + _OVERSLEPT / 2)
        elif silence >= self._patience.silence:
            self._give_up(f"the router was silent for {silence:.0f} s")
        elif silence >= self._patience.probe:
            self._probe()
            self._wait(last + self._patience.silence)
        else:
            self._wait(last + self._patience.probe)
