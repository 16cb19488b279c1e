"""The bridge under a steady load for long: its memory, its files and its tasks stay level.

A program, run by `nox -s soak`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from faults.load import loaded
from faults.recovery import settled
from faults.report import Row, table
from faults.scene import set_up
from support.router import running_router

if TYPE_CHECKING:
    from faults.scene import Scene
    from support.router import CrossbarRouter

GROWTH = 1.05
SPREAD = 1.5
"""How much more files and tasks there may be as a rule in the end than in the beginning; at one
moment there may be any number, as where a busy machine has calls pile up."""
SAMPLES = 60


@dataclass(frozen=True)
class Sample:
    """What the bridge has after so many seconds."""

    seconds: float
    memory: float
    """In MiB."""
    files: int
    tasks: int

    def __str__(self) -> str:
        megabytes = f"{self.memory:.1f} MiB"
        return f"{self.seconds:6.0f} s  {megabytes}  {self.files} files  {self.tasks} tasks"


async def soak(router: CrossbarRouter, minutes: float, events: float) -> Row:
    """Load the bridge for so long, with so many events a second."""
    loop = asyncio.get_running_loop()
    samples: list[Sample] = []
    async with set_up(router) as scene:
        async with loaded(scene, events=events):
            began = loop.time()
            for beat in range(1, SAMPLES + 1):
                await asyncio.sleep(began + beat * minutes * 60 / SAMPLES - loop.time())
                samples.append(await _sample(scene, loop.time() - began))
                print(samples[-1], flush=True)
        name = f"{minutes:g} minutes, {events:g} events/s"
        return Row(name, await settled(scene), complaints=tuple(_growth(samples)))


async def _sample(scene: Scene, seconds: float) -> Sample:
    bridge = scene.bridge
    memory = bridge.memory() / 2**20
    return Sample(seconds, memory, bridge.open_files(), len(await bridge.tasks()))


def _growth(samples: list[Sample]) -> list[str]:
    """What grew since a sixth of the time had passed, as 5 minutes are of 30."""
    begun = samples[len(samples) // 6 :]
    third = len(begun) // 3
    first, last = begun[:third], begun[-third:]
    found = []
    if last[-1].memory > first[0].memory * GROWTH:
        found.append(f"memory {first[0].memory:.1f} to {last[-1].memory:.1f} MiB")
    for name in ("files", "tasks"):
        less, more = (median(getattr(each, name) for each in some) for some in (first, last))
        if more > less * SPREAD:
            found.append(f"{name} {less:g} to {more:g}")
    return found


def main() -> int:
    """Run it; the exit status is 1 where something grew or was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--events", type=float, default=200, help="a second")
    told = parser.parse_args()
    with running_router() as router:
        row = asyncio.run(soak(router, told.minutes, told.events))
    print(table([row]))
    return int(bool(row.wrong))


if __name__ == "__main__":
    sys.exit(main())
