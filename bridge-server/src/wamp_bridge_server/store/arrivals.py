"""Deliveries as they come: each publication is kept once for a subscription."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, insert, select

from wamp_bridge_server.store import dialects
from wamp_bridge_server.store.schema import deliveries, received

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from wamp_bridge_server.store.records import Arrival, DeliveryRecord

_LOOKED_UP = 500


async def write_arrivals(
    connection: AsyncConnection, arrivals: Sequence[Arrival]
) -> list[DeliveryRecord | None]:
    """Write deliveries in the transaction of a writer; see `Deliveries.keep`."""
    kept = await _write_new(connection, arrivals)
    # Of the others some may be known to be kept by nobody: a commit can fail that was made.
    others = [a.delivery.id for a in arrivals if a.delivery.id not in kept]
    kept |= await kept_before(connection, others)
    return [
        dataclasses.replace(arrival.delivery, seq=kept[arrival.delivery.id])
        if arrival.delivery.id in kept
        else None
        for arrival in arrivals
    ]


async def kept_before(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, int]:
    """The `seq` of those of some deliveries that are kept, by their ids."""
    kept: dict[str, int] = {}
    for start in range(0, len(ids), _LOOKED_UP):
        some = deliveries.c.id.in_(ids[start : start + _LOOKED_UP])
        rows = await connection.execute(select(deliveries.c.id, deliveries.c.seq).where(some))
        kept.update((row.id, row.seq) for row in rows)
    return kept


async def _write_new(connection: AsyncConnection, arrivals: Sequence[Arrival]) -> dict[str, int]:
    """Write those whose publications are new; the `seq` of each, by its id."""
    new = await _unseen(connection, arrivals)
    rows = [_row(arrival.delivery) for arrival in new]
    if not rows:
        return {}
    # Which of them has which number is told by their ids, whatever order they come back in.
    statement = insert(deliveries).returning(deliveries.c.id, deliveries.c.seq)
    return {row.id: row.seq for row in await connection.execute(statement, rows)}


async def _unseen(connection: AsyncConnection, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Those whose publications are new, the first of equal ones."""
    wanted = {
        (arrival.subscription, arrival.publication): arrival
        for arrival in reversed(arrivals)
        if arrival.publication is not None
    }
    rows = [
        {
            "subscription": subscription,
            "publication": publication,
            "received_at": arrival.delivery.created_at,
        }
        for (subscription, publication), arrival in wanted.items()
    ]
    new = set()
    if rows:
        statement = dialects.insert(connection, received).on_conflict_do_nothing()
        returned = statement.returning(received.c.subscription, received.c.publication)
        for row in await connection.execute(returned, rows):
            new.add(id(wanted[row.subscription, row.publication]))
    return [a for a in arrivals if a.publication is None or id(a) in new]


async def write_forgetting(
    connection: AsyncConnection, items: Sequence[tuple[float, int]]
) -> list[int]:
    """Forget publications that were received before a time: some; how many those were."""
    answers = []
    for before, number in items:
        old = (
            select(received.c.subscription, received.c.publication)
            .where(received.c.received_at < before)
            .limit(number)
        )
        rows = [{"s": row[0], "p": row[1]} for row in await connection.execute(old)]
        if rows:
            statement = delete(received).where(
                received.c.subscription == bindparam("s"), received.c.publication == bindparam("p")
            )
            await connection.execute(statement, rows)
        answers.append(len(rows))
    return answers


def _row(record: DeliveryRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "app": record.app,
        "lane": record.lane,
        "type": record.type,
        "uri": record.uri,
        "match": record.match,
        "size": len(record.body),
        "created_at": record.created_at,
        "due_at": record.due_at,
        "attempts": record.attempts,
        "last_status": record.last_status,
        "last_error": record.last_error,
        "dead_at": record.dead_at,
        "body": record.body,
    }
