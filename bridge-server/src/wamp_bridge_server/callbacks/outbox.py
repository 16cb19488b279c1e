"""Deliveries: events and outcomes that must arrive at a callback URL (protocol, section 3).

Each recipient has a lane of its own, so that a slow or dead one delays no other. A lane sends up
to its recipient's concurrency at once, or one at a time in order; what fails is tried again on a
schedule. Deliveries wait in memory here: they do not outlive the process, and a lane that is full
gives up its oldest.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

import structlog

from wamp_bridge_server.callbacks.sender import SendError
from wamp_bridge_server.identifiers import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from wamp_bridge_server.callbacks.sender import Answer, Sender

SCHEDULE: tuple[float, ...] = (0, 5, 300, 1800, 7200, 18000, 36000, 36000)
"""Seconds to wait before each attempt, counted from the one before."""

JITTER = 0.2
ATTEMPT_SECONDS = 15.0
MAX_RETRY_AFTER_SECONDS = 3600.0
LANE_LIMIT = 10_000

log = structlog.get_logger("wamp_bridge.outbox")


class Recipient(Protocol):
    """Where deliveries go, and how. What it says may change while deliveries wait."""

    @property
    def lane(self) -> Hashable:
        """What tells this recipient from every other."""

    @property
    def app(self) -> str:
        """The app that owns it."""

    @property
    def url(self) -> str:
        """Its callback URL."""

    @property
    def resting(self) -> bool:
        """Whether it is withdrawn: nothing is sent then, and no attempt counted."""

    @property
    def ordered(self) -> bool:
        """Whether it takes one at a time, in the order of arrival."""

    @property
    def concurrency(self) -> int:
        """How many it takes at once."""


@dataclass(slots=True)
class Delivery:
    """One body on its way; `id` is the `webhook-id` of each attempt."""

    body: bytes
    about: str
    id: str = field(default_factory=lambda: new_id("msg"))
    attempts: int = 0


@dataclass(slots=True, eq=False)
class _Lane:
    recipient: Recipient
    waiting: deque[Delivery] = field(default_factory=deque)
    running: set[asyncio.Task[None]] = field(default_factory=set)
    timers: dict[str, tuple[asyncio.TimerHandle, Delivery]] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        return not (self.waiting or self.running or self.timers)


class Outbox:
    """Takes deliveries and sees to it that each arrives or is given up with a word."""

    def __init__(
        self,
        sender: Sender,
        declined: Callable[[Recipient], None],
        schedule: Sequence[float] = SCHEDULE,
    ) -> None:
        """Told who posts, whom to tell that a recipient answered 410 Gone, and the schedule."""
        self._sender = sender
        self._declined = declined
        self._schedule = schedule
        self._lanes: dict[Hashable, _Lane] = {}

    @property
    def waiting(self) -> int:
        """How many deliveries have not arrived yet."""
        return sum(
            len(lane.waiting) + len(lane.running) + len(lane.timers)
            for lane in self._lanes.values()
        )

    def put(self, recipient: Recipient, delivery: Delivery) -> None:
        """Take a delivery; it is sent as soon as its lane allows."""
        lane = self._lanes.get(recipient.lane)
        if lane is None:
            lane = self._lanes[recipient.lane] = _Lane(recipient)
        lane.waiting.append(delivery)
        if len(lane.waiting) > LANE_LIMIT:
            self._give_up(lane, lane.waiting.popleft(), "more deliveries wait than are kept")
        self._pump(lane)

    def resume(self, recipient: Recipient) -> None:
        """A recipient is back: all that waits for it is due at once, in order."""
        lane = self._lanes.get(recipient.lane)
        if lane is None:
            return
        for identifier in sorted(lane.timers, reverse=True):
            timer, delivery = lane.timers.pop(identifier)
            timer.cancel()
            lane.waiting.appendleft(delivery)
        self._pump(lane)

    def drop(self, recipient: Recipient) -> None:
        """A recipient was taken back: what waits for it is given up."""
        lane = self._lanes.pop(recipient.lane, None)
        if lane is None:
            return
        for timer, delivery in lane.timers.values():
            timer.cancel()
            self._give_up(lane, delivery, "its endpoint was taken back")
        lane.timers.clear()
        while lane.waiting:
            self._give_up(lane, lane.waiting.popleft(), "its endpoint was taken back")

    async def close(self) -> None:
        """Stop sending; says how many deliveries are lost with the process."""
        lost = self.waiting
        tasks = [task for lane in self._lanes.values() for task in lane.running]
        for lane in self._lanes.values():
            for timer, _ in lane.timers.values():
                timer.cancel()
        self._lanes.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if lost:
            log.warning("deliveries lost, for they are kept in memory only", deliveries=lost)

    def _pump(self, lane: _Lane) -> None:
        limit = 1 if lane.recipient.ordered else lane.recipient.concurrency
        blocked = lane.recipient.ordered and lane.timers
        while (
            lane.waiting
            and len(lane.running) < limit
            and not lane.recipient.resting
            and not blocked
        ):
            task = asyncio.create_task(self._attempt(lane, lane.waiting.popleft()))
            lane.running.add(task)
            task.add_done_callback(partial(self._attempted, lane))
        if lane.empty:
            self._lanes.pop(lane.recipient.lane, None)

    def _attempted(self, lane: _Lane, task: asyncio.Task[None]) -> None:
        lane.running.discard(task)
        if self._lanes.get(lane.recipient.lane) is lane:
            self._pump(lane)
        if not task.cancelled():
            task.result()

    async def _attempt(self, lane: _Lane, delivery: Delivery) -> None:
        delivery.attempts += 1
        recipient, wait = lane.recipient, 0.0
        started = time.monotonic()
        try:
            answer = await self._sender.post(
                recipient.app,
                recipient.url,
                delivery.body,
                message=delivery.id,
                attempt=delivery.attempts,
                within=ATTEMPT_SECONDS,
            )
        except SendError as error:
            reason = str(error)
        else:
            if answer.accepted:
                return
            reason = f"status {answer.status}"
            wait = _asked_wait(answer)
            if answer.status == HTTPStatus.GONE:
                self._give_up(lane, delivery, "the app answered 410 Gone")
                self._declined(recipient)
                return
        log.info(
            "delivery failed",
            delivery=delivery.id,
            about=delivery.about,
            app=recipient.app,
            attempt=delivery.attempts,
            reason=reason,
            seconds=round(time.monotonic() - started, 3),
        )
        self._again(lane, delivery, reason, wait)

    def _again(self, lane: _Lane, delivery: Delivery, reason: str, wait: float) -> None:
        if self._lanes.get(lane.recipient.lane) is not lane:
            self._give_up(lane, delivery, "its endpoint was taken back")
            return
        if delivery.attempts >= len(self._schedule):
            self._give_up(lane, delivery, reason)
            return
        spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, keeps no secret
        delay = max(self._schedule[delivery.attempts] * spread, wait)
        loop = asyncio.get_running_loop()
        lane.timers[delivery.id] = (loop.call_later(delay, self._due, lane, delivery), delivery)

    def _due(self, lane: _Lane, delivery: Delivery) -> None:
        del lane.timers[delivery.id]
        lane.waiting.appendleft(delivery)
        self._pump(lane)

    def _give_up(self, lane: _Lane, delivery: Delivery, reason: str) -> None:
        log.warning(
            "delivery given up",
            delivery=delivery.id,
            about=delivery.about,
            app=lane.recipient.app,
            attempts=delivery.attempts,
            reason=reason,
        )


def _asked_wait(answer: Answer) -> float:
    """Seconds that `Retry-After` asks for. A date there is not obeyed: the schedule holds then."""
    text = answer.retry_after or ""
    return min(float(text), MAX_RETRY_AFTER_SECONDS) if text.isdecimal() else 0.0
