"""A lane: what waits for one recipient, most of it in the store, and some of it in hand.

Of what waits in the store, those that were never tried are read in the order in which they came,
from `cursor` on; those that failed when they are due. An ordered lane reads both in one order and
has one on its way at most; one that failed stays in hand, and holds up the rest.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from wamp_bridge_server.callbacks.recipients import Recipient
    from wamp_bridge_server.store import DeliveryRecord, LaneCount

HAND = 100
"""How many of a lane are in memory at most; more where its recipient takes more at once."""
HAND_BYTES = 1024 * 1024
ALL_HANDS_BYTES = 64 * 1024 * 1024
"""What all lanes have in hand together at most, save that each may have one."""
STRAINED = 10
"""So many failures running, and a lane goes gently: one at a time, and not at once."""
GENTLE_SECONDS, MOST_GENTLE_SECONDS = 0.05, 1.0


class Hands:
    """What all lanes have in hand together, in bytes."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = 0

    @property
    def room(self) -> bool:
        """Whether there is room for more; each lane may have one in any case."""
        return self.size < ALL_HANDS_BYTES


class Lane:
    """What waits for a recipient.

    `due_at` is when the next that failed is due, in Unix seconds, as far as is known; None where
    none is. `behind` says whether the store may have some that were never tried behind `cursor`.
    `epoch` is another one whenever what was in hand went back, so that what was being read then is
    no use. While it is `hastening`, all that failed is being made due, and nothing is sent; that
    begins when the `awaited` are written. `gone` is why nothing is sent any more. `number` and
    `size` count all that waits. `unsettled` has those of whose attempts some are not written yet,
    and how many.
    """

    __slots__ = (
        "app",
        "awaited",
        "behind",
        "cursor",
        "due_at",
        "ending",
        "epoch",
        "failures",
        "gone",
        "hand",
        "hand_bytes",
        "hands",
        "hastening",
        "name",
        "newest",
        "number",
        "ordered",
        "paused_until",
        "reading",
        "recipient",
        "rescan",
        "running",
        "size",
        "sooner",
        "timer",
        "unsettled",
    )

    def __init__(self, app: str, name: str, recipient: Recipient | None, hands: Hands) -> None:
        self.app = app
        self.name = name
        self.recipient = recipient
        self.ordered = recipient is not None and recipient.ordered
        self.number = 0
        self.size = 0
        self.hand: deque[DeliveryRecord] = deque()
        self.hand_bytes = 0
        self.hands = hands
        self.running: dict[int, asyncio.Task[None]] = {}
        self.unsettled: dict[int, int] = {}
        self.cursor = 0
        self.newest = 0
        self.behind = False
        self.rescan = False
        self.epoch = 0
        self.due_at: float | None = None
        self.sooner: float | None = None
        self.failures = 0
        self.paused_until = 0.0
        self.gone: str | None = None
        self.hastening = False
        self.awaited: set[int] = set()
        self.reading: asyncio.Task[None] | None = None
        self.ending: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None

    @property
    def held(self) -> tuple[int, ...]:
        """Those whose rows say less than is known here."""
        return (*self.running, *self.unsettled, *(record.seq for record in self.hand))

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """What is being done for it."""
        others = (self.reading, self.ending)
        return [*self.running.values(), *(task for task in others if task is not None)]

    @property
    def quiet(self) -> bool:
        """Whether nothing is on its way, and nothing known that the store is not told."""
        return not self.running and not self.unsettled and self.reading is None

    @property
    def exhausted(self) -> bool:
        """Whether nothing more is to be read, as far as is known; `number` alone may err."""
        return self.number <= 0 and not (self.hand or self.behind or self.due_at is not None)

    @property
    def width(self) -> int:
        """How many may be on their way at once."""
        if self.recipient is None or self.ordered or self.failures >= STRAINED:
            return 1
        return self.recipient.concurrency

    @property
    def limit(self) -> int:
        """How many may be in hand."""
        return max(HAND, 2 * self.width)

    def counted(self, count: LaneCount | None) -> None:
        """Take note of how much waits in it, as the store counted."""
        self.number, self.size = (count.number, count.size) if count is not None else (0, 0)

    def start_over(self) -> None:
        """Read what waits from its beginning, as soon as nothing is on its way."""
        self.empty_hand()
        self.cursor, self.behind, self.rescan = 0, True, True
        self.due_at = 0.0

    def empty_hand(self) -> None:
        """Leave what is in hand to the store."""
        self.epoch += 1
        # In a lane without order, those that failed before are found again by when they are due.
        again = [r.seq for r in self.hand if self.ordered or not r.attempts]
        if again:
            self.cursor, self.behind = min(again) - 1, True
        if len(again) < len(self.hand):
            self.due_at = 0.0
        self.hand.clear()
        self._weigh(-self.hand_bytes)

    def told(self, record: DeliveryRecord, *, room: bool) -> bool:
        """Take note of one that was kept just now; whether it was taken in hand."""
        self.newest = max(self.newest, record.seq)
        if record.seq <= self.cursor:
            return False  # it was read already
        if self.behind or not room or not self._fits(record):
            self.behind = True
            return False
        self.cursor = record.seq
        self._take_in(record)
        return True

    def read(self, records: list[DeliveryRecord], last: float | None, cursor: int) -> None:
        """Take in what was read in the order of arrival.

        Args:
            records: Those to be sent.
            last: None where the page was the last one.
            cursor: The `seq` that the page reached.
        """
        for record in records:
            self._take_in(record)
        self.cursor = max(self.cursor, cursor)
        self.behind = last is not None or self.newest > self.cursor
        self.rescan = False
        if self.ordered:
            head = self.hand[0] if self.hand else None
            self.due_at = head.due_at if head is not None and head.attempts else None

    def read_due(self, records: list[DeliveryRecord], due_at: float | None) -> None:
        """Take in what was due, and when the next is."""
        for record in records:
            self._take_in(record)
        self.due_at, self.sooner = _earlier(due_at, self.sooner), None

    def fails_until(self, due_at: float) -> None:
        """Take note of one that the store keeps until it is due again."""
        self.due_at = _earlier(self.due_at, due_at)
        if self.reading is not None:  # which may not have seen it
            self.sooner = _earlier(self.sooner, due_at)

    def next(self, now: float) -> DeliveryRecord | None:
        """The one to be sent now, if any may."""
        if not self.hand or len(self.running) >= self.width or self.paused_until > now:
            return None
        if self.ordered and self.due_at is not None and self.due_at > now:
            return None
        record = self.hand.popleft()
        self._weigh(-len(record.body))
        if self.ordered:
            self.due_at = None
        return record

    def wants(self, now: float) -> bool:
        """Whether more is to be read."""
        if self.reading is not None or self.paused_until > now:
            return False
        if 2 * len(self.hand) > self.limit or (self.hand and 2 * self.hand_bytes > HAND_BYTES):
            return False
        due = self.due_at is not None and self.due_at <= now
        if self.rescan:
            return self.quiet and (due or self.due_at is None)
        if self.ordered:
            return self.behind and (due or self.due_at is None)
        return self.behind or due

    def wakes_at(self, now: float) -> float | None:
        """When there will be something to do for it, as far as is known."""
        if self.paused_until > now:
            return self.paused_until
        return self.due_at if self.due_at is not None and self.due_at > now else None

    def succeeded(self) -> None:
        """One arrived."""
        self.failures = 0
        self.paused_until = 0.0

    def failed(self, now: float) -> None:
        """One failed: where many do running, hold back a little."""
        self.failures += 1
        if self.failures >= STRAINED and not self.ordered:
            more = min(self.failures - STRAINED, 10)
            self.paused_until = now + min(GENTLE_SECONDS * 2**more, MOST_GENTLE_SECONDS)

    def put_back(self, record: DeliveryRecord, due_at: float) -> None:
        """Keep the head of an ordered lane until it is due; what is behind it, the store keeps."""
        if self.rescan:
            return  # it will be found again
        self.empty_hand()
        self.cursor, self.behind = record.seq, self.behind or self.newest > record.seq
        self._take_in(record)
        self.due_at = due_at

    def _fits(self, record: DeliveryRecord) -> bool:
        if not self.hand:
            return True
        within = self.hand_bytes + len(record.body) <= HAND_BYTES
        return within and len(self.hand) < self.limit

    def _take_in(self, record: DeliveryRecord) -> None:
        self.hand.append(record)
        self._weigh(len(record.body))

    def _weigh(self, size: int) -> None:
        self.hand_bytes += size
        self.hands.size += size


def _earlier(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
