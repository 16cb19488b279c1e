"""Takes away what is kept no longer: dead letters, publications, calls, and answers under keys."""

from __future__ import annotations

import asyncio
import math
import time
from functools import partial
from typing import TYPE_CHECKING

import structlog

from wamp_bridge_server.store import StoreError
from wamp_bridge_server.tasks import lasting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wamp_bridge_server.callbacks.outbox import Outbox
    from wamp_bridge_server.config import DeliveryConfig
    from wamp_bridge_server.store import Store

RECEIVED_SECONDS = 3600.0
"""How long it is known which publications were received."""

BITE = 200
"""So many rows are deleted at once; others who write come between."""

KEPT_CALLS = 100_000
"""How many calls of an app are kept that have ended, give or take `COUNTED_AT`."""

COUNTED_AT = 1_000
"""How many calls an app begins before its ended ones are counted."""

ROUND_SECONDS = 10.0
_BREATH_SECONDS = 0.02

log = structlog.get_logger("wamp_bridge.cleaning")


class Cleaning:
    """Cleans the store, a little at a time.

    Args:
        store: What is cleaned.
        outbox: Counts the dead letters.
        policy_of: How long an app's dead letters are kept.
        kept_by: How long those of its subscriptions are that say otherwise, by their ids.
        clock: Unix seconds.
    """

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        policy_of: Callable[[str], DeliveryConfig],
        kept_by: Callable[[str], dict[str, float]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._policy_of = policy_of
        self._kept_by = kept_by
        self._clock = clock
        self._started = -math.inf
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Clean now and then."""
        self._started = self._clock()
        self._task = lasting(self._run, "cleaning")

    async def close(self) -> None:
        """Clean no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def clean(self) -> None:
        """Take away all that is too old by now. Raises `StoreError`."""
        now, store = self._clock(), self._store
        # Not at once after a start: what was received before it tells what the gap is.
        if self._started < now - RECEIVED_SECONDS:
            await _in_bites(partial(store.deliveries.forget_received, now - RECEIVED_SECONDS))
        await _in_bites(partial(store.keys.forget_expired, now))
        await _in_bites(partial(store.calls.forget_expired, now))
        for app in store.calls.grown(COUNTED_AT):
            await _in_bites(partial(store.calls.forget_beyond, app, KEPT_CALLS))
        for app, stock in [*self._outbox.stocks.items()]:
            if stock.dead:
                await self._clean_app(app)

    async def _clean_app(self, app: str) -> None:
        now, own = self._clock(), self._kept_by(app)
        for lane, seconds in own.items():
            await self._delete(app, now - seconds, lane, ())
        await self._delete(app, now - self._policy_of(app).dead_letters, None, tuple(own))

    async def _delete(
        self, app: str, before: float, lane: str | None, but: tuple[str, ...]
    ) -> None:
        deleted = 0
        while True:
            number, size = await self._store.dead_letters.delete_old(
                app, before, lane=lane, but=but, number=BITE
            )
            self._outbox.stocks[app].bury(-number, -size)
            deleted += number
            if number < BITE:
                break
            await asyncio.sleep(_BREATH_SECONDS)
        if deleted:
            log.info("old dead letters deleted", app=app, deliveries=deleted)

    async def _run(self) -> None:
        while True:
            try:
                await self.clean()
            except StoreError as error:
                self._outbox.counting.doubt()  # it may have deleted dead letters all the same
                log.warning("the store can't be cleaned now", reason=str(error))
            await asyncio.sleep(ROUND_SECONDS)


async def _in_bites(forget: Callable[..., Awaitable[int]]) -> None:
    forgotten = BITE
    while forgotten == BITE:
        forgotten = await forget(number=BITE)
        await asyncio.sleep(_BREATH_SECONDS)
