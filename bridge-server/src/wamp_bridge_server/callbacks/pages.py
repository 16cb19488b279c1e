"""Takes some of what waits in the store in hand: what failed and is due, then what is fresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from wamp_bridge_server.callbacks.lanes import HAND_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wamp_bridge_server.callbacks.lanes import Lane
    from wamp_bridge_server.store.deliveries import Deliveries

DAMAGED = "its row in the store is damaged"

log = structlog.get_logger("wamp_bridge.outbox")


async def read_more(deliveries: Deliveries, lane: Lane, now: float) -> int:
    """Take more of a lane in hand.

    Args:
        deliveries: Where they wait.
        lane: For whom.
        now: Unix seconds.

    Returns:
        How many could not be read, and are dead letters now.

    Raises:
        StoreError: Nothing could be read.
    """
    room, epoch, damaged = HAND_BYTES if lane.hands.room else 1, lane.epoch, 0
    if not lane.ordered and lane.due_at is not None and lane.due_at <= now:
        page = await deliveries.due(
            lane.app, lane.name, now, number=lane.limit, size=room, but=lane.held
        )
        damaged += await _bury(deliveries, lane, page.damaged, now)
        if lane.epoch != epoch:
            return damaged
        lane.read_due(page.records, page.last)
        if page.last is not None and page.last <= now:
            return damaged  # what failed comes before what was never tried
    if lane.behind:
        newest = lane.newest
        page = await deliveries.after(
            lane.app, lane.name, lane.cursor, number=lane.limit, size=room, tried=lane.ordered
        )
        damaged += await _bury(deliveries, lane, page.damaged, now)
        if lane.epoch == epoch:
            last = page.records[-1].seq if page.records else 0
            reached = int(page.last) if page.last is not None else max(newest, last)
            lane.read(page.records, page.last, reached)
    return damaged


async def _bury(deliveries: Deliveries, lane: Lane, seqs: Sequence[int], now: float) -> int:
    if seqs:
        await deliveries.bury(seqs, DAMAGED, now)
        log.error("deliveries can't be read", app=lane.app, deliveries=[*seqs], reason=DAMAGED)
    return len(seqs)
