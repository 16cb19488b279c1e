"""What happens to disks and databases: locked by another process, no room left."""

from __future__ import annotations

import contextlib
import resource
import sqlite3
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from faults.recovery import suffer
from faults.scene import set_up

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from faults.report import Row
    from faults.scene import Scene
    from support.router import CrossbarRouter


async def disks(router: CrossbarRouter, seconds: float) -> AsyncIterator[Row]:
    """Have each of them for so many seconds."""
    for name, trouble in TROUBLES.items():
        async with set_up(router) as scene:
            yield await suffer(scene, name, trouble(scene), seconds)


@asynccontextmanager
async def _locked(scene: Scene) -> AsyncIterator[None]:
    """Another process writes, and doesn't come to an end."""
    with contextlib.closing(sqlite3.connect(scene.bridge.database, timeout=30)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.rollback()


@asynccontextmanager
async def _full(scene: Scene) -> AsyncIterator[None]:
    """No file of the bridge's can grow: the nearest to a full disk that needs no privilege."""
    pid = scene.bridge.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


TROUBLES: dict[str, Callable[[Scene], AbstractAsyncContextManager[None]]] = {
    "database: locked": _locked,
    "disk: full": _full,
}
