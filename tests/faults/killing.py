"""The bridge is killed at random moments under load, again and again."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

from faults.load import loaded
from faults.recovery import settled
from faults.report import Row
from faults.scene import LOOSE, ORDERED, set_up
from support.peers import joined
from support.router import running_router
from support.waiting import eventually

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator

    from faults.scene import Scene
    from support.router import CrossbarRouter


TOPICS = (ORDERED, LOOSE)
HISTORY = {
    "type": "memory",
    # More than is published: while Crossbar forgets the oldest, not all get the newest.
    "event-history": [{"uri": topic, "match": "exact", "limit": 10**7} for topic in TOPICS],
}
EARLY = 0.2
"""How many times in one the bridge is killed before it has started."""
FEW = 20
"""So many events arrive at least, however it goes."""


async def killing(
    router: CrossbarRouter, rounds: int, chance: random.Random, *, longest: float = 2.0
) -> AsyncIterator[Row]:
    """Kill the bridge with `kill -9` and start it again, so many times.

    Args:
        router: That it joins.
        rounds: How many times.
        chance: Of the moments.
        longest: Seconds that a round lasts at most, from when the bridge answers.
    """
    async with set_up(router) as scene:
        await _kill_often(scene, rounds, chance, longest)
        yield Row(f"kill -9 of the bridge, {rounds} times", await settled(scene))


async def killing_with_history(rounds: int, chance: random.Random) -> AsyncIterator[Row]:
    """Do the same at a router that keeps event history: there nothing at all is missed."""
    async with AsyncExitStack() as stack:
        router = await asyncio.to_thread(stack.enter_context, running_router(store=HISTORY))
        # Crossbar keeps what somebody got: somebody else, while the bridge is away.
        witness = await stack.enter_async_context(joined(router.url))
        for topic in TOPICS:
            await witness.subscribe(topic)
        scene = await stack.enter_async_context(set_up(router))
        await _kill_often(scene, rounds, chance, 2.0)
        scene.ledger.unheard.clear()
        found = await settled(scene)
        missed = (f"missed {found.uncommitted}",) if found.uncommitted else ()
        yield Row(f"the same {rounds} times, with event history", found, complaints=missed)


async def _kill_often(scene: Scene, rounds: int, chance: random.Random, longest: float) -> None:
    async with loaded(scene):
        for _ in range(rounds):
            if chance.random() < EARLY:
                await _kill_while_it_starts(scene, chance.uniform(0, longest))
                continue
            back = asyncio.create_task(scene.subscribed())
            await asyncio.sleep(chance.uniform(0, longest))
            back.cancel()
            await asyncio.wait([back])
            await scene.kill_bridge()
            await scene.start_bridge()
        await scene.subscribed()
        # However slow the machine and short the rounds: something must have been at stake.
        await eventually(lambda: scene.reckon().arrived > FEW, within=30)


async def _kill_while_it_starts(scene: Scene, seconds: float) -> None:
    await scene.kill_bridge()
    starting = asyncio.create_task(scene.start_bridge())
    await asyncio.sleep(seconds)
    await scene.kill_bridge()
    with suppress(AssertionError):  # it has ended, as was to be seen
        await starting
    await scene.kill_bridge()
    await scene.start_bridge()
