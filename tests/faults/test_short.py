"""The short form of what `nox -s faults` does at length."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from faults.killing import FEW, killing
from faults.network import network
from faults.report import table

if TYPE_CHECKING:
    from support.router import CrossbarRouter


async def test_nothing_is_lost_when_the_bridge_is_killed(router: CrossbarRouter) -> None:
    seed = random.randrange(10**6)
    async for row in killing(router, 2, random.Random(seed), longest=0.5):
        assert row.wrong == [], f"seed {seed}"
        assert row.reckoning.arrived > FEW


async def test_nothing_is_lost_when_the_router_is_cut_off(router: CrossbarRouter) -> None:
    async for row in network(router, ["cut"], ["bridge_to_router"], seconds=1):
        assert row.wrong == []
        assert "nothing" in table([row])
