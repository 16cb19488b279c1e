"""Processes are stopped and killed under load, and go on or are started again."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from faults.network import having
from faults.proxy import Refuse
from faults.recovery import suffer
from faults.scene import set_up

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from faults.report import Row
    from faults.scene import Scene
    from support.router import CrossbarRouter


async def processes(router: CrossbarRouter, seconds: float) -> AsyncIterator[Row]:
    """Stop each process, and kill each but the bridge, for so many seconds."""
    for name, trouble in TROUBLES.items():
        async with set_up(router) as scene:
            yield await suffer(scene, name, trouble(scene), seconds)


@asynccontextmanager
async def _bridge_stopped(scene: Scene) -> AsyncIterator[None]:
    with _stopped(scene.bridge.pid):
        yield


@asynccontextmanager
async def _app_stopped(scene: Scene) -> AsyncIterator[None]:
    with _stopped(scene.app.pid):
        yield


@asynccontextmanager
async def _app_killed(scene: Scene) -> AsyncIterator[None]:
    scene.app.kill()
    # Nobody listens there, and who connects is to see that.
    async with having(scene.bridge_to_app, Refuse()):
        yield
        await asyncio.to_thread(scene.app.start)


@asynccontextmanager
async def _router_stopped(scene: Scene) -> AsyncIterator[None]:
    scene.router.suspend()
    try:
        yield
    finally:
        scene.router.resume()


@asynccontextmanager
async def _router_killed(scene: Scene) -> AsyncIterator[None]:
    scene.heard = False
    await asyncio.to_thread(scene.router.kill)
    yield
    await asyncio.to_thread(scene.router.start)
    await scene.subscribed()


@contextmanager
def _stopped(pid: int) -> Iterator[None]:
    os.killpg(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(pid, signal.SIGCONT)


TROUBLES: dict[str, Callable[[Scene], AbstractAsyncContextManager[None]]] = {
    "bridge: SIGSTOP": _bridge_stopped,
    "router: SIGSTOP": _router_stopped,
    "router: kill -9": _router_killed,
    "app: SIGSTOP": _app_stopped,
    "app: kill -9": _app_killed,
}
