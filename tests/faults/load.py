"""A steady load on a scene: events, asynchronous calls, and calls that the app serves."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp

from faults.scene import LOOSE, ORDERED, PATIENCE, SERVED, TOKEN, WORK
from support.peers import ApplicationError, joined

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable

    from faults.scene import Scene
    from support.peers import Peer

WORK_SECONDS = 0.3
AT_ONCE = 50
_RETRY_SECONDS = 0.1


class Load:
    """Goes on whatever happens to the parts, and tells the ledger of each promise.

    Args:
        scene: Whom it loads.
        events: Events a second, half of them on each topic.
        calls: Calls a second in each direction.
    """

    def __init__(self, scene: Scene, events: float = 100, calls: float = 5) -> None:
        self._scene = scene
        self._events = events
        self._calls = calls
        self._callbacks = f"http://127.0.0.1:{scene.bridge_to_app.port}/"
        self.statuses: Counter[int] = Counter()
        """What the bridge answered the app's calls; 0 is no answer."""
        self.served = 0
        """Calls that the app answered to a WAMP caller."""
        self.failed = 0
        """Calls to the app that ended in an error."""

    async def run(self, end: asyncio.Future[None]) -> None:
        """Load the scene until this has ended."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._at_the_router(end))
            group.create_task(_until([end], self._at_the_bridge()))

    async def _at_the_router(self, end: asyncio.Future[None]) -> None:
        """Publish, serve and call as a WAMP client, which joins again when the router is back."""
        while not end.done():
            try:
                async with joined(self._scene.router.url) as peer:
                    await peer.register(WORK, self._work)
                    await _until([end, peer.session.is_gone], self._as_a_peer(peer))
            except OSError:
                await asyncio.sleep(_RETRY_SECONDS)

    async def _as_a_peer(self, peer: Peer) -> None:
        async with asyncio.TaskGroup() as group:
            for topic in (ORDERED, LOOSE):
                group.create_task(self._publish(peer, topic))
            group.create_task(_steadily(self._calls, lambda: self._call_app(peer)))

    async def _publish(self, peer: Peer, topic: str) -> None:
        ledger = self._scene.ledger
        async for _ in _beats(self._events / 2):
            number, heard = self._next(topic), self._scene.heard
            publication = await peer.publish(topic, number)
            ledger.published(topic, number, publication, heard=heard)

    def _next(self, name: str) -> int:
        number = self._scene.numbers[name]
        self._scene.numbers[name] += 1
        return number

    async def _work(self, number: int) -> int:
        self._scene.ledger.made[number] += 1
        await asyncio.sleep(random.uniform(0, WORK_SECONDS))
        return number

    async def _call_app(self, peer: Peer) -> None:
        try:
            await peer.call(SERVED, 1)
            self.served += 1
        except ApplicationError:
            self.failed += 1

    async def _at_the_bridge(self) -> None:
        """Call as an app, for an outcome that comes later."""
        url = f"http://127.0.0.1:{self._scene.app_to_bridge.port}/"
        async with aiohttp.ClientSession(url, headers=TOKEN, timeout=PATIENCE) as http:
            await _steadily(self._calls, lambda: self._call(http, self._next(WORK)))

    async def _call(self, http: aiohttp.ClientSession, number: int) -> None:
        body = {"params": [number], "callback": self._callbacks}
        try:
            async with http.post(f"call/{WORK}/", json=body) as response:
                answer = await response.json()
        except (aiohttp.ClientError, OSError, TimeoutError):
            self.statuses[0] += 1
            return
        self.statuses[response.status] += 1
        if response.status == HTTPStatus.ACCEPTED:
            self._scene.ledger.accepted.append(answer["id"])


async def _until(ends: Iterable[asyncio.Future[None]], work: Coroutine[Any, Any, None]) -> None:
    """Do this until one of these has ended."""
    task = asyncio.create_task(work)
    await asyncio.wait([task, *ends], return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


async def _steadily(rate: float, begin: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Begin something so many times a second, while not too much is under way."""
    free = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as group:
        async for _ in _beats(rate):
            await free.acquire()
            group.create_task(begin()).add_done_callback(lambda _: free.release())


async def _beats(rate: float) -> AsyncIterator[int]:
    """Beat so many times a second; what is missed is not made up for."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    for beat in itertools.count():
        yield beat
        due = max(due + 1 / rate, loop.time())
        await asyncio.sleep(due - loop.time())


@asynccontextmanager
async def loaded(scene: Scene, *, events: float = 100, calls: float = 5) -> AsyncIterator[Load]:
    """Load a scene for as long as this lasts."""
    load = Load(scene, events, calls)
    end = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(load.run(end))
    try:
        yield load
    finally:
        end.set_result(None)
        await task
