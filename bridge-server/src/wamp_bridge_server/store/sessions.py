"""Until when the apps' sessions were there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from wamp_bridge_server.store.dialects import insert
from wamp_bridge_server.store.schema import sessions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


async def read_sessions(connection: AsyncConnection) -> dict[str, float]:
    """Until when each app's session was there, in Unix seconds."""
    rows = await connection.execute(select(sessions))
    return {row.app: row.until for row in rows}


async def write_sessions(
    connection: AsyncConnection, notes: Sequence[Mapping[str, float]]
) -> list[None]:
    """Write until when they were there, the later note over the earlier."""
    until = {app: at for note in notes for app, at in note.items()}
    if until:
        statement = insert(connection, sessions)
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=[sessions.c.app], set_={"until": statement.excluded.until}
            ),
            [{"app": app, "until": at} for app, at in until.items()],
        )
    return [None] * len(notes)
