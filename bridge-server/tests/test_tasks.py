"""Tasks that last: nothing unforeseen ends them."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from wamp_bridge_server import tasks
from wamp_bridge_server.tasks import lasting


async def test_what_fails_is_told_and_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "PAUSE_SECONDS", 0.0)
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise RuntimeError("unforeseen")

    with capture_logs() as logs:
        await lasting(work, "working")
    assert begun == 3
    assert [(log["log_level"], log["task"], log["exc_info"]) for log in logs] == 2 * [
        ("error", "working", True)
    ]


async def test_it_can_be_cancelled() -> None:
    task = lasting(asyncio.Event().wait, "waiting")
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
