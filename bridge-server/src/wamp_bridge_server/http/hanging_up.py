"""Clients that go away before they are answered: what they asked for may be given up."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from wamp_bridge_server.errors import ClientGone
from wamp_bridge_server.http.connections import Connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web


@asynccontextmanager
async def while_connected(request: web.Request) -> AsyncIterator[None]:
    """Cancel what is within as soon as the client goes away.

    For what does no harm when it is cut short; all else goes on to its end, although nobody waits.

    Raises:
        ClientGone: It has gone.
    """
    connection = request.protocol
    assert isinstance(connection, Connection)  # noqa: S101 - there is no other kind
    if request.transport is None or request.transport.is_closing():
        raise ClientGone
    scope = asyncio.timeout(None)
    try:
        async with scope:
            connection.when_lost = partial(scope.reschedule, 0)
            try:
                yield
            finally:
                connection.when_lost = None
    except TimeoutError:
        if not scope.expired():
            raise
        raise ClientGone from None
