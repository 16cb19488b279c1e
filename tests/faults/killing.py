"""The bridge is killed at random moments under load, again and again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from faults.load import loaded
from faults.recovery import settled
from faults.report import Row
from faults.scene import set_up

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator

    from faults.scene import Scene
    from support.router import CrossbarRouter


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
        yield await _kill_often(scene, rounds, chance, longest)


async def _kill_often(scene: Scene, rounds: int, chance: random.Random, longest: float) -> Row:
    async with loaded(scene):
        for _ in range(rounds):
            back = asyncio.create_task(scene.subscribed())
            await asyncio.sleep(chance.uniform(0, longest))
            back.cancel()
            await asyncio.wait([back])
            await scene.kill_bridge()
            await scene.start_bridge()
        await scene.subscribed()
    return Row(f"kill -9 of the bridge, {rounds} times", await settled(scene))
