from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.servers import CallbackServer, callback_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def app() -> AsyncIterator[CallbackServer]:
    async with callback_server() as server:
        yield server
