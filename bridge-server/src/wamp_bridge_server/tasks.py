"""Tasks that last as long as the bridge, or until there is nothing left for them to do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

PAUSE_SECONDS = 1.0

log = structlog.get_logger("wamp_bridge.tasks")


def lasting(work: Callable[[], Coroutine[Any, Any, object]], name: str) -> asyncio.Task[None]:
    """Begin a task that nothing unforeseen ends.

    Were it to end, the bridge would seem to be well and do nothing any more. So what goes wrong in
    it is logged, and after a pause it begins again with what there is to do.

    Args:
        work: Returns when it is done; it bears being begun again where it was left.
        name: The task's, for a person.
    """
    return asyncio.create_task(_last(work, name), name=name)


async def _last(work: Callable[[], Coroutine[Any, Any, object]], name: str) -> None:
    while True:
        try:
            await work()
        except Exception:
            log.exception("a task of the bridge failed, and begins again", task=name)
        else:
            return
        await asyncio.sleep(PAUSE_SECONDS)
