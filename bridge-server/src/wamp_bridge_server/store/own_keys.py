"""Keys that the bridge made up for itself; the same after a restart, and on all nodes."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlalchemy import select

from wamp_bridge_server.store import dialects
from wamp_bridge_server.store.schema import own_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

_BYTES = 32


async def write_own_keys(connection: AsyncConnection, names: Sequence[str]) -> list[bytes]:
    """The keys of these names, each made where there was none."""
    made = [{"name": name, "key": secrets.token_bytes(_BYTES)} for name in dict.fromkeys(names)]
    await connection.execute(dialects.insert(connection, own_keys).on_conflict_do_nothing(), made)
    rows = await connection.execute(select(own_keys).where(own_keys.c.name.in_(names)))
    keys = {row.name: row.key for row in rows}
    return [keys[name] for name in names]
