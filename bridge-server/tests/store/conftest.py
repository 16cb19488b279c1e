from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wamp_bridge_server.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the store's file will be."""
    return tmp_path / "bridge.db"


@pytest.fixture
def url(path: Path) -> str:
    """Return the URL of a store that isn't there yet."""
    return f"sqlite:///{path}"


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """Yield an open store that doesn't wait long for others' locks."""
    opened = await Store.open(url, busy_timeout=0.05)
    yield opened
    await opened.close()
