"""What is wanted while there is no router."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from support.listening import Listening
from support.processes import free_port
from wamp_bridge_server.backends.wamp import WampBackend
from wamp_bridge_server.services.reconciler import Reconciler
from wamp_bridge_server.services.table import Table
from wamp_bridge_server.store import EndpointRecord

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

import pytest


@pytest.fixture
async def away() -> AsyncIterator[WampBackend]:
    """A backend whose router refuses connections."""
    backend = WampBackend(f"rs://127.0.0.1:{free_port()}")
    await backend.start(Listening())
    yield backend
    await backend.close()


@pytest.mark.parametrize("known", [False, True])
async def test_nobody_waits_for_a_router_that_is_known_to_be_away(
    away: WampBackend, known: bool
) -> None:
    if known:
        await away.session("shop").attempted()
    table = Table()
    reconciler = Reconciler(table, away)
    record = EndpointRecord(
        id="reg_1",
        app="shop",
        kind="procedure",
        uri="com.shop.pay",
        match="exact",
        url="http://127.0.0.1/",
        created_at=0.0,
    )
    group = table.put(record).group
    reconciler.touch([group])
    async with asyncio.timeout(60):
        await reconciler.settle([group], within=3600)
    assert group.held is None
    assert "refused" in (group.delay or "")
    await reconciler.close()
