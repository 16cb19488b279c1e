"""Something happens to a scene under load; afterwards all must be as it was."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from faults.load import loaded
from faults.report import Row
from faults.scene import LOOSE, ORDERED
from support.waiting import eventually

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from faults.ledger import Reckoning
    from faults.load import Load
    from faults.scene import Scene

STILL_SECONDS = 0.5
WITHIN = 60.0
"""Seconds in which all must work again, all that is owed arrive, and all that is done with go."""


async def suffer(
    scene: Scene, name: str, trouble: AbstractAsyncContextManager[None], seconds: float
) -> Row:
    """Have a trouble for some seconds under load, and see that it passes.

    Args:
        scene: Whom it happens to.
        name: Of the trouble.
        trouble: Lasts for as long as its context.
        seconds: So long.
    """
    async with loaded(scene) as load:
        await _working(scene, load)
    await settled(scene)
    before = await _at_rest(scene)
    complaints: list[str] = []
    back: float | None = None
    async with loaded(scene) as load:
        async with trouble:
            await asyncio.sleep(seconds)
        try:
            back = await _working(scene, load)
        except AssertionError:
            complaints.append(f"not back within {WITHIN:g} s")
    reckoning = await settled(scene)
    complaints += await _left_behind(scene, before)
    complaints += _bad_answers(load)
    complaints += await _bad_end(scene)
    return Row(name, reckoning, back, tuple(complaints))


async def settled(scene: Scene) -> Reckoning:
    """Wait until nothing is owed or on its way, in vain if need be; what came of it all."""
    loop = asyncio.get_running_loop()
    found, since = scene.reckon(), loop.time()

    def still() -> bool:
        nonlocal found, since
        before, found = found, scene.reckon()
        if found != before:
            since = loop.time()
        return found.owed == 0 and loop.time() - since > STILL_SECONDS

    with suppress(AssertionError):  # the reckoning says what is missing
        await eventually(still, within=WITHIN)
    return scene.reckon()


async def _working(scene: Scene, load: Load) -> float:
    """Wait until what is begun from now on works, whichever it is; how many seconds that took."""
    loop = asyncio.get_running_loop()
    began, numbers, served = loop.time(), scene.numbers.copy(), load.served
    accepted = len(scene.ledger.accepted)

    def working() -> bool:
        calls = set(scene.ledger.accepted[accepted:])
        if load.served == served or not calls:
            return False
        arrivals = list(scene.app.book)
        lanes = {each.lane for each in arrivals if (each.number or 0) > numbers[each.lane]}
        return {ORDERED, LOOSE} <= lanes and any(each.about in calls for each in arrivals)

    await eventually(working, within=WITHIN)
    return loop.time() - began


@dataclass
class _Rest:
    """What the bridge has when nothing is asked of it."""

    tasks: Counter[str]
    files: int
    connections: list[int]


async def _rest_of(scene: Scene) -> _Rest:
    proxies = (scene.bridge_to_router, scene.bridge_to_app, scene.app_to_bridge)
    return _Rest(
        Counter(await scene.bridge.tasks()),
        scene.bridge.open_files(),
        [proxy.connections for proxy in proxies],
    )


async def _at_rest(scene: Scene) -> _Rest:
    """What it has when the connections to the app, which are kept for a second, are gone."""
    await eventually(lambda: scene.bridge_to_app.connections == 0, within=WITHIN)
    return await _rest_of(scene)


async def _left_behind(scene: Scene, before: _Rest) -> list[str]:
    """What there is more of than before, and doesn't go."""
    found: list[str] = []

    async def none() -> bool:
        now = await _rest_of(scene)
        tasks = sorted((now.tasks - before.tasks).elements())
        connections = zip(now.connections, before.connections, strict=True)
        found[:] = [f"left behind: task {task}" for task in tasks]
        if now.files > before.files:
            found.append(f"left behind: {now.files - before.files} files")
        if any(more > less for more, less in connections):
            found.append(f"left behind: connections {before.connections} to {now.connections}")
        return not found

    with suppress(AssertionError):
        await eventually(none, within=WITHIN)
    return found


def _bad_answers(load: Load) -> list[str]:
    """Errors of the bridge's own, but the one that says that it can't now."""
    return [
        f"answered {status}"
        for status in sorted(load.statuses)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.SERVICE_UNAVAILABLE
    ]


async def _bad_end(scene: Scene) -> list[str]:
    """What is wrong with how it ends, and what it logged that nobody had thought of."""
    status = await asyncio.to_thread(scene.bridge.stop)
    found = [f"ended with {status}"] * (status != 0)
    return found + ["logged a traceback"] * ("Traceback" in scene.bridge.output)
