"""A source, and what is known of it at run time: whether it answers, and since when."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wamp_bridge_server.clock import Clock
    from wamp_bridge_server.services.apps import App
    from wamp_bridge_server.services.table import State
    from wamp_bridge_server.store import SourceRecord

FAILURES_TO_WITHDRAW = 3
FORGOTTEN_AFTER_SECONDS = 86_400.0
STEADY_SECONDS = 30.0
"""Who came back is not given up again within so long: flapping makes no storm at the router."""

_FIRST_RETRY_SECONDS = 0.25
"""A source that was just announced may not listen yet: it is asked again soon, then less often."""


@dataclass(slots=True, eq=False)
class Source:
    """A source with what is known of it at run time.

    `since` is the Unix time when its state began; the other moments are the clock's. `held` says
    that it is kept though it is silent, because most are.
    """

    app: App
    record: SourceRecord
    clock: Clock
    state: State = "pending"
    reason: str | None = "its manifest was not read yet"
    since: float = 0.0
    failures: int = 0
    eager: float | None = _FIRST_RETRY_SECONDS
    held: bool = False
    asked_at: float = -math.inf
    silent_since: float = math.inf
    withdrawn_at: float = math.inf
    returned_at: float = -math.inf
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    waiters: list[asyncio.Future[None]] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.since = self.clock.time()

    @classmethod
    def restored(cls, app: App, record: SourceRecord, clock: Clock) -> Source:
        """A source that the store kept.

        What it brought goes on being held, until its manifest says otherwise or it has been silent
        for as long as any source may be.
        """
        if record.seen_at is None:
            return cls(app, record, clock)
        reason = "its manifest was not read since the bridge was started"
        return cls(app, record, clock, state="suspect", reason=reason, eager=None)

    @property
    def key(self) -> tuple[str, str]:
        """The app and the URL: what names a source."""
        return self.record.app, self.record.url

    @property
    def known(self) -> bool:
        """Whether it has lived, and is not given up: its silence says something."""
        return self.state in {"live", "suspect"}

    @property
    def overdue(self) -> bool:
        """Whether it has been silent for so long that it is to be withdrawn."""
        return (
            self.failures >= FAILURES_TO_WITHDRAW
            and self.eager is None
            and self.clock.monotonic() - self.returned_at >= STEADY_SECONDS
        )

    @property
    def pardonable(self) -> bool:
        """Whether it may be kept though it is overdue: for a day at most."""
        return self.known and self.asked_at - self.silent_since < FORGOTTEN_AFTER_SECONDS

    @property
    def outlived(self) -> bool:
        """Whether it has been withdrawn for so long that it is to be forgotten."""
        named = self.record.url in self.app.config.sources
        return not named and self.clock.monotonic() - self.withdrawn_at > FORGOTTEN_AFTER_SECONDS

    def hurry(self) -> None:
        """It was announced: what doesn't answer yet is asked again soon."""
        if self.state != "live":
            self.eager = _FIRST_RETRY_SECONDS
        self.asked.set()

    def succeeded(self) -> None:
        """Its manifest was read."""
        now = self.clock.monotonic()
        if self.state == "withdrawn":
            self.returned_at = now
        self.asked_at = now
        self.failures, self.eager, self.held = 0, None, False
        self.silent_since = self.withdrawn_at = math.inf
        self._become("live", None)

    def failed(self, reason: str) -> None:
        """Its manifest could not be read."""
        self.asked_at = self.clock.monotonic()
        self.failures += 1
        self.silent_since = min(self.silent_since, self.asked_at)
        self.held = False
        self._become("suspect" if self.state == "live" else self.state, reason)

    def hold(self) -> None:
        """Keep it though it is overdue: it may be the bridge that is cut off."""
        self.held = True
        self.reason = f"{self.reason} Most sources are silent, so the bridge may be cut off."

    def give_up(self) -> None:
        """Take it for gone."""
        self.withdrawn_at = min(self.withdrawn_at, self.asked_at)
        self._become("withdrawn", self.reason)

    def pause(self, longest: float) -> float:
        """Seconds from one reading to the next."""
        if self.state == "live" or self.eager is None:
            return longest
        pause, self.eager = self.eager, self.eager * 2
        if pause >= longest:
            self.eager = None
        return min(pause, longest)

    def described(self) -> dict[str, Any]:
        """Itself as answers show it (protocol, section 1)."""
        return {
            "id": self.record.id,
            "url": self.record.url,
            "state": self.state,
            "reason": self.reason,
            "since": self.since,
        }

    def _become(self, state: State, reason: str | None) -> None:
        if state != self.state:
            self.since = self.clock.time()
        self.state, self.reason = state, reason
