"""Between the network and the disk: what arrived for the apps and is not kept yet.

It is bounded for each app. Where the disk takes nothing, what is here is tried again, and the app's
session is read no further, so that the rest waits at the router. What there is no room for is
refused, counted and told of.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

import structlog

from wamp_bridge_server.store import Arrival, EventRecord, StoreError
from wamp_bridge_server.tasks import lasting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wamp_bridge_server.callbacks.outbox import Outbox
    from wamp_bridge_server.config import DeliveryConfig
    from wamp_bridge_server.services.logs import Logs
    from wamp_bridge_server.store import Store

PAUSE_NUMBER, PAUSE_BYTES = 5_000, 8 * 1024 * 1024
"""So much of an app's that is not kept yet, and its session is read no further for now."""

MOST_NUMBER, MOST_BYTES = 20_000, 64 * 1024 * 1024
"""So much, and no more is taken: what came before the session could be held up fits in here."""

_BATCH = 500
_AGAIN_SECONDS = 0.5
_FLUSH_SECONDS = 5.0
_TOLD_SECONDS = 10.0

log = structlog.get_logger("wamp_bridge.inbox")


class _Queue:
    """What arrived for one app and is not kept yet."""

    def __init__(self) -> None:
        self.waiting: deque[Arrival | EventRecord] = deque()
        self.size = 0
        self.paused = False
        self.again = False  # what comes first may be kept already
        self.drained = asyncio.Event()  # since somebody began to wait for that
        self.task: asyncio.Task[None] | None = None

    def beyond(self, number: int, size: int) -> bool:
        return len(self.waiting) >= number or self.size >= size


class _Refusals:
    """What an app was refused, told of now and then."""

    def __init__(self) -> None:
        self.number = 0
        self.told_at = float("-inf")


class Inbox:
    """Keeps what arrives, and then tells the outbox, and the logs that streams follow.

    Args:
        store: Where it is kept.
        outbox: Sends it.
        logs: Are told of what is kept in them.
        policy_of: How much is kept for an app.
        pause: Has an app's session read no further, or go on.
    """

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        logs: Logs,
        policy_of: Callable[[str], DeliveryConfig],
        pause: Callable[[str, bool], None],
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._logs = logs
        self._policy_of = policy_of
        self._pause = pause
        self._queues: dict[str, _Queue] = {}
        self._refusals: dict[str, _Refusals] = {}
        self._closing = False

    @property
    def waiting(self) -> int:
        """How many are not kept yet."""
        return sum(len(queue.waiting) for queue in self._queues.values())

    def has_room(self, app: str, number: int = 1, size: int = 0) -> bool:
        """Whether so much more may be kept for an app."""
        queue = self._queues.get(app)
        if queue is not None:
            if queue.beyond(MOST_NUMBER, MOST_BYTES):
                return False
            number, size = number + len(queue.waiting), size + queue.size
        return self._outbox.stocks[app].has_room(self._policy_of(app), number, size)

    async def calm(self, app: str) -> None:
        """Wait until not much of an app's is to be kept, for one who has more than a session."""
        number, size = PAUSE_NUMBER // 2, PAUSE_BYTES // 2
        while (queue := self._queues.get(app)) and queue.beyond(number, size):
            queue.drained.clear()
            await queue.drained.wait()

    def put(self, arrival: Arrival | EventRecord) -> None:
        """Have a delivery, or an event of a log, kept and then sent; or refuse it.

        A delivery is refused where the app has no room for it, and either where the disk takes
        nothing and too much waits. In logs, old events make room for new ones.
        """
        app, uri, size = _of(arrival)
        queue = self._queues.get(app)
        if isinstance(arrival, Arrival):
            room = self.has_room(app, 1, size)
        else:
            room = queue is None or not queue.beyond(MOST_NUMBER, MOST_BYTES)
        if not room:
            self._refuse(app, uri)
            return
        if queue is None:
            queue = self._queues[app] = _Queue()
            queue.task = lasting(partial(self._run, app, queue), "inbox")
        queue.waiting.append(arrival)
        queue.size += size
        if queue.beyond(PAUSE_NUMBER, PAUSE_BYTES):
            if not queue.paused:
                log.warning("events are held up", app=app, waiting=len(queue.waiting))
            queue.paused = True
            self._pause(app, True)  # again, for the session may be another by now

    async def close(self) -> None:
        """Keep what is here, as far as the store takes it; nothing comes any more."""
        self._closing = True
        tasks = [queue.task for queue in self._queues.values() if queue.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=_FLUSH_SECONDS)
        if lost := self.waiting:
            log.error("events are lost", events=lost, reason=self._store.trouble)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, app: str, queue: _Queue) -> None:
        while queue.waiting:
            batch = [queue.waiting[index] for index in range(min(_BATCH, len(queue.waiting)))]
            again, queue.again = queue.again, True  # it may be kept, whatever the store says
            try:
                await self._keep(batch, again=again)
            except StoreError:  # which the store has told of
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            queue.again = False
            for arrival in batch:
                queue.waiting.popleft()
                queue.size -= _of(arrival)[2]
            queue.drained.set()
            if queue.paused and not queue.beyond(PAUSE_NUMBER // 2, PAUSE_BYTES // 2):
                queue.paused = False
                self._pause(app, False)
        del self._queues[app]

    async def _keep(self, batch: Sequence[Arrival | EventRecord], *, again: bool) -> None:
        """Keep both kinds, in one commit where both are there."""
        arrivals = [each for each in batch if isinstance(each, Arrival)]
        events = [each for each in batch if isinstance(each, EventRecord)]
        if not events:
            kept, logged = await self._store.deliveries.keep(arrivals), []
        elif not arrivals:
            kept, logged = [], await self._store.events.append(events)
        else:
            kept, logged = await asyncio.gather(
                self._store.deliveries.keep(arrivals), self._store.events.append(events)
            )
        self._outbox.kept((record for record in kept if record is not None), again=again)
        self._logs.kept(events, logged, again=again)

    def _refuse(self, app: str, uri: str) -> None:
        self._outbox.stocks[app].refused += 1
        refusals = self._refusals.setdefault(app, _Refusals())
        refusals.number += 1
        if (now := time.monotonic()) - refusals.told_at < _TOLD_SECONDS:
            return
        log.error(
            "events refused: as much is kept for the app as may be",
            app=app,
            uri=uri,
            refused=refusals.number,
        )
        refusals.number, refusals.told_at = 0, now


def _of(arrival: Arrival | EventRecord) -> tuple[str, str, int]:
    """Whose it is, of which URI, and how large."""
    if isinstance(arrival, Arrival):
        record = arrival.delivery
        return record.app, record.uri, len(record.body)
    return arrival.app, arrival.topic, len(arrival.body)
