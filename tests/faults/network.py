"""What networks do to connections, between every two parts."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from faults.proxy import PASS, Cut, Delay, Drip, HalfOpen, Refuse, Reset
from faults.recovery import suffer
from faults.scene import set_up

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from faults.proxy import Fault, Proxy
    from faults.report import Row
    from support.router import CrossbarRouter

WAYS = ("bridge_to_router", "bridge_to_app", "app_to_bridge")

# The bytes are such that a WAMP session has joined and is in use when it is reset, and that of the
# requests to the app some are over and one is not.
FAULTS: dict[str, Fault] = {
    "refuse": Refuse(),
    "reset": Reset(after=3000),
    "delay": Delay(0.5),
    "drip": Drip(size=50, pause=0.01),
    "half-open": HalfOpen(),
    "cut": Cut(after=0.7),
}


async def network(
    router: CrossbarRouter, faults: Iterable[str], ways: Iterable[str], seconds: float
) -> AsyncIterator[Row]:
    """Have these faults on these ways, one at a time, each for so many seconds."""
    for way in ways:
        for fault in faults:
            async with set_up(router) as scene:
                trouble = having(getattr(scene, way), FAULTS[fault])
                yield await suffer(scene, f"{way.replace('_', ' ')}: {fault}", trouble, seconds)


@asynccontextmanager
async def having(proxy: Proxy, fault: Fault) -> AsyncIterator[None]:
    """Have a proxy do this for as long as this lasts."""
    await proxy.become(fault)
    try:
        yield
    finally:
        await proxy.become(PASS)
