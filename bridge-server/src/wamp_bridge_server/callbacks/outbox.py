"""Deliveries: events and outcomes that must arrive at a callback URL (protocol, section 3).

They are in the store before the outbox hears of them, and it sends nothing that isn't. Each
recipient has a lane of its own, so that a slow or dead one delays no other; a lane has a few in
hand, and the rest waits in the store. What fails is tried again on a schedule, which the store
knows too.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import structlog

from wamp_bridge_server.callbacks.attempts import Failed, attempt
from wamp_bridge_server.callbacks.counting import Counting
from wamp_bridge_server.callbacks.lanes import Hands, Lane
from wamp_bridge_server.callbacks.pages import read_more
from wamp_bridge_server.callbacks.schedule import wait_before
from wamp_bridge_server.callbacks.settling import Outcome, Settling
from wamp_bridge_server.callbacks.stock import Stocks
from wamp_bridge_server.store import FailedAttempt, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wamp_bridge_server.callbacks.recipients import Directory, Recipient
    from wamp_bridge_server.callbacks.sender import Sender
    from wamp_bridge_server.store import DeliveryRecord, LaneCount, Store
    from wamp_bridge_server.store.deliveries import Counts

TAKEN_BACK = "its endpoint was taken back"

_READERS = 4
_BITE = 500
_AGAIN_SECONDS = 0.5
_LONGEST_TIMER = 60.0
_SETTLING_SECONDS = 5.0

log = structlog.get_logger("wamp_bridge.outbox")


class Outbox:
    """Sees to it that each delivery arrives, or becomes a dead letter.

    Args:
        sender: Who posts.
        store: Where deliveries wait.
        directory: Who the recipients are.
        declined: Told which recipient answered 410 Gone.
        clock: Unix seconds.

    Attributes:
        stocks: How many deliveries each app has.
        counting: Counts them anew.
    """

    def __init__(
        self,
        sender: Sender,
        store: Store,
        directory: Directory,
        declined: Callable[[Recipient], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.stocks = Stocks()
        self._sender = sender
        self._store = store
        self._directory = directory
        self._declined = declined
        self._clock = clock
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._backlog: dict[tuple[str, str], LaneCount] = {}
        self._hands = Hands()
        self._readers = asyncio.Semaphore(_READERS)
        self._hurried: set[asyncio.Task[None]] = set()
        self.counting = Counting(store, self._recounted)
        self._settling = Settling(store.deliveries, self._settled, self.counting.doubt)
        self._closing = False

    @property
    def waiting(self) -> int:
        """How many deliveries have not arrived yet."""
        return sum(stock.waiting for stock in self.stocks.values())

    async def load(self) -> None:
        """Count what the store kept, before anything new comes. Raises `StoreError`."""
        self._counted(await self._store.deliveries.counts())

    def start(self) -> None:
        """Begin to send what the store kept. The recipients are known."""
        for app, name in [*self._backlog]:
            self._pump(self._lane(app, name))

    def kept(self, records: Iterable[DeliveryRecord], *, again: bool = False) -> None:
        """Take note of deliveries that the store has from now on.

        Args:
            records: In the order in which they came.
            again: They were to be kept before, and may be since then: whatever came, or was read,
                meanwhile.
        """
        touched: dict[Lane, None] = {}
        for record in records:
            size = len(record.body)
            self.stocks[record.app].wait(1, size)
            lane = self._lane(record.app, record.lane)
            lane.number += 1
            lane.size += size
            if again and lane not in touched:
                lane.start_over()
            resting = lane.recipient is None or lane.recipient.resting
            lane.told(record, room=not resting and self._hands.room)
            touched[lane] = None
        if again:
            self.counting.doubt()  # it may have been counted since then
        for lane in touched:
            self._pump(lane)

    def resume(self, recipient: Recipient) -> None:
        """A recipient is back: all that waits for it is due at once, in order."""
        lane = self._lanes.get((recipient.app, recipient.lane))
        if lane is None:
            return
        lane.succeeded()
        if lane.due_at is None and not lane.unsettled:
            self._pump(lane)
        elif not lane.hastening:
            lane.hastening = True  # or what was never tried would go before what was
            lane.awaited = set(lane.unsettled)
            if not lane.awaited:
                self._hurry(lane)

    def _hurry(self, lane: Lane) -> None:
        task = asyncio.create_task(self._hasten(lane), name="hasten deliveries")
        self._hurried.add(task)
        task.add_done_callback(self._hurried.discard)

    def resume_app(self, app: str) -> None:
        """An app is back: so are its recipients, save those that rest for another reason."""
        for lane in [*self._lanes.values()]:
            if lane.app == app and lane.recipient is not None and not lane.recipient.resting:
                self.resume(lane.recipient)

    def revived(self, app: str, lane: str, number: int, size: int) -> None:
        """Dead letters of an app wait again, in a lane."""
        self.stocks[app].die(-number, -size)
        waiting = self._lane(app, lane)
        waiting.number += number
        waiting.size += size
        waiting.start_over()
        self._pump(waiting)

    def drop(self, recipient: Recipient) -> None:
        """A recipient was taken back: what waits for it becomes dead letters."""
        key = recipient.app, recipient.lane
        if key in self._lanes or key in self._backlog:
            self._give_up(self._lane(*key))

    def stop(self) -> None:
        """Begin no more attempts; those under way end in their time."""
        self._closing = True

    async def idle(self) -> None:
        """Wait until no attempt is under way."""
        while tasks := [task for lane in self._lanes.values() for task in lane.running.values()]:
            await asyncio.wait(tasks)

    async def close(self) -> None:
        """Stop sending. An attempt that is cut doesn't count; what waits, waits in the store."""
        self._closing = True
        lanes = [*self._lanes.values()]
        tasks = [*self._hurried, *(task for lane in lanes for task in lane.tasks)]
        for lane in lanes:
            if lane.timer is not None:
                lane.timer.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if left := await self._settling.close(_SETTLING_SECONDS):
            log.warning("deliveries will be made again", deliveries=left, reason="store fails")
        await self.counting.close()
        self._lanes.clear()

    def _counted(self, counts: Counts) -> None:
        self.stocks.counted(counts)
        self._backlog = {(count.app, count.lane): count for count in counts.waiting}
        for lane in self._lanes.values():
            lane.counted(self._backlog.pop((lane.app, lane.name), None))

    def _recounted(self, counts: Counts) -> None:
        self._counted(counts)
        self.start()  # what was thought to be nothing

    # Lanes.

    def _lane(self, app: str, name: str) -> Lane:
        lane = self._lanes.get((app, name))
        if lane is not None:
            return lane
        recipient = self._directory.find(app, name)
        lane = self._lanes[app, name] = Lane(app, name, recipient, self._hands)
        count = self._backlog.pop((app, name), None)
        if count is not None:
            lane.number, lane.size = count.number, count.size
            lane.behind, lane.due_at = True, 0.0
        if recipient is None:
            self._give_up(lane)
        return lane

    def _pump(self, lane: Lane) -> None:
        """Send what may be sent now, read what is missing, and see when to look again."""
        if self._closing or self._lanes.get((lane.app, lane.name)) is not lane:
            return
        if lane.gone is not None:
            self._give_up(lane)
            return
        recipient = lane.recipient
        if recipient is None or recipient.resting:
            lane.empty_hand()
        elif not lane.hastening:
            self._send(lane, recipient)
        self._forget_if_empty(lane)

    def _send(self, lane: Lane, recipient: Recipient) -> None:
        if lane.ordered != recipient.ordered:
            lane.start_over()
            lane.ordered = recipient.ordered
        now = self._clock()
        while not self._settling.full and (record := lane.next(now)) is not None:
            task = asyncio.create_task(self._attempt(lane, recipient, record))
            lane.running[record.seq] = task
            task.add_done_callback(partial(self._attempted, lane, record))
        if lane.wants(now):
            lane.reading = asyncio.create_task(self._read(lane))
        self._wake(lane, now)

    def _wake(self, lane: Lane, now: float) -> None:
        if lane.timer is not None:
            lane.timer.cancel()
            lane.timer = None
        at = now + _AGAIN_SECONDS if self._settling.full else lane.wakes_at(now)
        if at is not None:
            # Not for too long at once, for the clock may be set.
            delay = min(max(at - now, 0.0) + 0.001, _LONGEST_TIMER)
            lane.timer = asyncio.get_running_loop().call_later(delay, self._pump, lane)

    def _forget_if_empty(self, lane: Lane) -> None:
        done = lane.number <= 0 if lane.gone is not None else lane.exhausted
        if done and lane.quiet and lane.ending is None:
            if lane.timer is not None:
                lane.timer.cancel()
            self._lanes.pop((lane.app, lane.name), None)

    # Attempts.

    async def _attempt(self, lane: Lane, recipient: Recipient, record: DeliveryRecord) -> None:
        policy = self._directory.policy(recipient)
        at, began = self._clock(), time.monotonic()
        try:
            failed = await attempt(self._sender, recipient, record, within=policy.timeout, now=at)
        except Exception as error:  # whatever it is, the delivery must not be forgotten over it
            log.exception("delivery fails", delivery=record.id, app=lane.app)
            failed = Failed(f"the bridge could not send it ({type(error).__name__})")
        if failed is None:
            lane.succeeded()
            self._settling.put(Outcome(lane, record, None))
            return
        seconds, number, wait = time.monotonic() - began, record.attempts + 1, None
        if lane.gone is None and not failed.gone:
            wait = wait_before(policy, number, failed.asked)
        noted = FailedAttempt(
            delivery=record.seq,
            number=number,
            at=at,
            seconds=seconds,
            status=failed.status,
            error=failed.error,
            answer=failed.answer,
            due_at=None if wait is None else at + seconds + wait,
        )
        self._failed(lane, record, noted)
        if failed.gone:
            self._declined(recipient)

    def _attempted(self, lane: Lane, record: DeliveryRecord, _task: asyncio.Task[None]) -> None:
        del lane.running[record.seq]
        self._pump(lane)

    def _failed(self, lane: Lane, record: DeliveryRecord, failed: FailedAttempt) -> None:
        log.info(
            "delivery failed",
            delivery=record.id,
            type=record.type,
            uri=record.uri,
            app=lane.app,
            attempt=failed.number,
            reason=failed.error,
            seconds=round(failed.seconds, 3),
        )
        self.stocks[lane.app].failed += 1
        lane.failed(self._clock())
        if failed.due_at is None:
            log.warning("dead letter", delivery=record.id, app=lane.app, reason=failed.error)
        elif lane.ordered:
            lane.put_back(replace(record, attempts=failed.number), failed.due_at)
        self._settling.put(Outcome(lane, record, failed))

    def _settled(self, outcome: Outcome) -> None:
        lane, failed = outcome.lane, outcome.failed
        if lane.awaited:
            lane.awaited.discard(outcome.seq)
            if not lane.awaited:
                self._hurry(lane)
        if failed is not None and failed.due_at is not None:
            if not lane.ordered:
                lane.fails_until(failed.due_at)
            self._pump(lane)
            return
        lane.number -= 1
        lane.size -= outcome.size
        stock = self.stocks[lane.app]
        if failed is None:
            stock.arrived += 1
            stock.wait(-1, -outcome.size)
        else:
            stock.die(1, outcome.size)
        if lane.ordered or lane.number <= 0 or lane.rescan or lane.gone is not None:
            self._pump(lane)

    # The store.

    async def _read(self, lane: Lane) -> None:
        try:
            async with self._readers:
                damaged = await read_more(self._store.deliveries, lane, self._clock())
        except StoreError:  # which the store has told of
            lane.paused_until = self._clock() + _AGAIN_SECONDS
        else:
            lane.number -= damaged
            self.stocks[lane.app].die(damaged, 0)
        finally:
            lane.reading = None
            self._pump(lane)

    async def _hasten(self, lane: Lane) -> None:
        """Make what failed before due at once; in bites, which others can come between."""
        while lane.gone is None:
            try:
                if not await self._store.deliveries.hasten(lane.app, lane.name, number=_BITE):
                    break
            except StoreError:  # which the store has told of
                await asyncio.sleep(_AGAIN_SECONDS)
        lane.hastening = False
        if lane.ordered:
            lane.empty_hand()  # a page that is being read may be older, and say when it was due
            lane.due_at = None
        else:
            lane.fails_until(0.0)
        self._pump(lane)

    def _give_up(self, lane: Lane) -> None:
        """Make dead letters of all that waits in a lane."""
        lane.gone = TAKEN_BACK
        lane.empty_hand()
        if lane.timer is not None:
            lane.timer.cancel()
        if lane.ending is None and not self._closing:
            lane.ending = asyncio.create_task(self._end(lane))

    async def _end(self, lane: Lane) -> None:
        try:
            while lane.number > len(lane.held):
                await self._end_some(lane)
        finally:
            lane.ending = None
        self._forget_if_empty(lane)

    async def _end_some(self, lane: Lane) -> None:
        try:
            counted, held = lane.number, lane.held
            number, size = await self._store.deliveries.give_up(
                lane.app, lane.name, TAKEN_BACK, self._clock(), number=_BITE, but=held
            )
        except StoreError:  # which the store has told of
            self.counting.doubt()
            await asyncio.sleep(_AGAIN_SECONDS)
            return
        if not number:
            if (lane.number, lane.held) == (counted, held):  # more than there are
                lane.number = len(held)
            return
        lane.number -= number
        lane.size -= size
        self.stocks[lane.app].die(number, size)
        log.warning("dead letters", app=lane.app, deliveries=number, reason=TAKEN_BACK)
