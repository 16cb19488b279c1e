"""The logs of events that streams follow: in the store, and the newest of them in memory too.

A stream reads on from a place of its own, from memory where it is near the end, else from the
store; so one that reads slowly costs no more than another. What it is shown is on the disk.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import structlog

from wamp_bridge_server.identifiers import new_id
from wamp_bridge_server.store import EventRecord, LogRecord, Room

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping, Sequence

    from wamp_bridge_server.clock import Clock
    from wamp_bridge_server.config import StreamConfig
    from wamp_bridge_server.store import Match, Store

TAIL_NUMBER, TAIL_BYTES = 500, 1024 * 1024
"""How much of a log is in memory, too."""

TAILS_BYTES = 64 * 1024 * 1024
"""How much of all logs together."""

_RECORD_BYTES = 600

PAGE_NUMBER, PAGE_BYTES = 100, 1024 * 1024
"""How much is read at once from the store."""

BITE = 200
"""So many rows are deleted at once; others who write come between."""

log = structlog.get_logger("wamp_bridge.streams")


class Log:
    """A log, and those who wait for what comes next in it.

    Attributes:
        record: What the store has of it.
        newest: The `seq` of its last event that is known of.
        floor: All behind this `seq` is kept.
        ended: Whether it is kept no longer.
    """

    def __init__(self, record: LogRecord, newest: int) -> None:
        self.record = record
        self.newest = newest
        self.floor = record.floor
        self.ended = False
        self._tail: deque[EventRecord] = deque()
        self._tail_bytes = 0
        self._tail_from: float = newest  # all behind this one is in the tail
        self._waiters: set[asyncio.Event] = set()

    @property
    def weight(self) -> int:
        """How much of memory it takes, in bytes."""
        return self._tail_bytes + len(self._tail) * _RECORD_BYTES

    def place(self, seq: int) -> str:
        """A place in it, as streams tell it: `id` of an event."""
        return f"{self.record.id}-{seq}"

    def seq_of(self, place: str) -> int | None:
        """The `seq` of a place, None where it is none of this log's."""
        name, _, number = place.rpartition("-")
        if name != self.record.id or not number.isdecimal() or not number.isascii():
            return None
        seq = int(number[:20])
        return seq if seq <= self.newest else None

    def add(self, record: EventRecord) -> None:
        """Take an event in that is kept."""
        if math.isinf(self._tail_from):
            self._tail_from = record.seq - 1
        self.newest = record.seq
        self._tail.append(record)
        self._tail_bytes += len(record.body)
        while len(self._tail) > TAIL_NUMBER or self._tail_bytes > TAIL_BYTES:
            old = self._tail.popleft()
            self._tail_bytes -= len(old.body)
            self._tail_from = old.seq

    def forget_tail(self) -> None:
        """Have all read from the store: it may hold what isn't known of here."""
        self._tail.clear()
        self._tail_bytes = 0
        self._tail_from = math.inf

    def has_all_behind(self, seq: int) -> bool:
        """Whether no event behind a place was deleted that one who is there hasn't got."""
        return seq >= self.floor or seq >= self._tail_from

    def in_memory(self, seq: int) -> list[EventRecord] | None:
        """Events behind a place, None where the store is to be asked."""
        if seq < self._tail_from:
            return None
        behind: deque[EventRecord] = deque()
        for record in reversed(self._tail):
            if record.seq <= seq:
                break
            behind.appendleft(record)
        return [behind.popleft() for _ in range(min(PAGE_NUMBER, len(behind)))]

    def tell(self) -> None:
        """Wake those up that wait."""
        for waiter in self._waiters:
            waiter.set()

    def join(self, waiter: asyncio.Event) -> None:
        """Have somebody woken up when something came."""
        self._waiters.add(waiter)

    def part(self, waiter: asyncio.Event) -> None:
        """Wake them up no more."""
        self._waiters.discard(waiter)


class Logs:
    """All logs.

    Args:
        store: Keeps them.
        clock: What time it is.
        policy_of: How much is kept for an app.
    """

    def __init__(
        self, store: Store, clock: Clock, policy_of: Callable[[str], StreamConfig]
    ) -> None:
        self._store = store
        self._clock = clock
        self.policy_of = policy_of
        self.by_id: dict[str, Log] = {}
        self._weight = 0  # or less, where some have ended

    async def start(self) -> None:
        """Take in what the store kept. Raises `StoreError`."""
        for record, newest in await self._store.events.all():
            self.by_id[record.id] = Log(record, newest)

    async def open(self, app: str, uri: str, match: Match) -> Log:
        """Keep a log of what none is known of. Raises `StoreError`."""
        record = LogRecord(
            id=new_id("log"), app=app, uri=uri, match=match, created_at=self._clock.time()
        )
        record = await self._store.events.open(record)
        made = self.by_id[record.id] = Log(record, record.floor)
        return made

    async def end(self, ended: Log) -> None:
        """Keep a log no longer, nor its events. Raises `StoreError`."""
        ended.ended = True
        ended.tell()
        while await self._store.events.end(ended.record.id, BITE) == BITE:
            pass
        self.by_id.pop(ended.record.id, None)

    async def behind(self, log: Log, seq: int) -> list[EventRecord]:
        """Some events behind a place, none where it is the end. Raises `StoreError`."""
        known = log.in_memory(seq)
        if known is not None:
            return known
        found, floor = await self._store.events.after(
            log.record.id, seq, number=PAGE_NUMBER, size=PAGE_BYTES
        )
        log.floor = max(log.floor, floor)  # also where who deletes is about to say so
        if found:
            log.newest = max(log.newest, found[-1].seq)
        return found

    def kept(
        self, events: Sequence[EventRecord], kept: Sequence[EventRecord | None], *, again: bool
    ) -> None:
        """Be told what is kept of some events: each with its `seq`, or that it was there before.

        Args:
            events: Those that came.
            kept: What became of each.
            again: Whether they may have been kept by a write that seemed to fail.
        """
        told: set[Log] = set()
        for event, record in zip(events, kept, strict=True):
            into = self.by_id.get(event.log)
            if into is None:
                continue  # ended meanwhile
            before = into.weight
            if record is not None:
                into.add(record)
            elif again:
                into.forget_tail()
            self._weight += into.weight - before
            told.add(into)
        self._bound_tails()
        for each in told:
            each.tell()

    async def clean(self) -> None:
        """Delete what is too old or too much. Raises `StoreError`."""
        for app in {each.record.app for each in self.by_id.values()}:
            policy = self.policy_of(app)
            before = self._clock.time() - policy.keep
            room = Room(app, before, policy.most, policy.most_bytes, BITE)
            gone = BITE
            while gone == BITE:
                gone, floors = await self._store.events.trim(room)
                self._raise_floors(floors)

    def _bound_tails(self) -> None:
        """Forget of what is in memory that of the logs which are quiet for longest."""
        if self._weight <= TAILS_BYTES:
            return
        logs = sorted(self.by_id.values(), key=lambda log: log.newest)
        self._weight = sum(each.weight for each in logs)
        for each in logs:
            if self._weight <= TAILS_BYTES:
                break
            self._weight -= each.weight
            each.forget_tail()

    def _raise_floors(self, floors: Mapping[str, int]) -> None:
        for identifier, floor in floors.items():
            if identifier in self.by_id:
                log_of = self.by_id[identifier]
                log_of.floor = max(log_of.floor, floor)
