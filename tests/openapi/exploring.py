"""Schemathesis asks the bridge whatever `/openapi.json` lets it think of, in a process of its own.

The bridge has the memory backend and its apps may be called at one address alone, that of a server
of this test's, so that nothing that is made up leaves the machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from aiohttp import web

from support.served import ServedBridge
from support.servers import callback_server
from support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.servers import CallbackServer, Posted

DEAD = "com.explored.dead."
DEAD_LETTERS = 20
HERE = Path(__file__).parent
TESTS = HERE.parent


class Explored(NamedTuple):
    """What came of it: how many cases, whether all was well, and what there is to read."""

    cases: int
    well: bool
    text: str


def answer(posted: Posted) -> web.Response:
    """Answer as an app would: a procedure answers what it was given."""
    document = posted.document
    if document.get("topic", "").startswith(DEAD):
        return web.Response(status=HTTPStatus.GONE)
    if document["type"] == "manifest":
        procedures = {"com.explored.source": {"url": "rpc/"}}
        return web.json_response({"protocol": 1, "procedures": procedures})
    return web.Response(text=json.dumps(document.get("args", [])))


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[ServedBridge, CallbackServer]]:
    """Yield the bridge and the one place where it may call apps."""
    async with callback_server(answer) as app:
        bridge = ServedBridge(
            folder,
            "memory:",
            program=["-m", "openapi.bridge"],
            callbacks=urlsplit(app.url).netloc,
            environ={"PYTHONPATH": str(TESTS)},
        )
        with bridge:
            await make_dead_letters(bridge, app.url)
            yield bridge, app
            assert await asyncio.to_thread(bridge.stop) == 0
    bridge.check_log()


async def make_dead_letters(bridge: ServedBridge, url: str) -> None:
    """Have some, so that there is something to replay and to delete."""
    topics = [f"{DEAD}{number}" for number in range(DEAD_LETTERS)]
    async with bridge.client() as http:
        await http.post("/subscribe/", json={"endpoints": dict.fromkeys(topics, url)})
        for topic in topics:
            assert (await http.post(f"/publish/{topic}/", json={})).is_success

        async def dead() -> bool:
            answered = await http.get("/dead-letters/")
            return bool(answered.json()["total"] == DEAD_LETTERS)

        await eventually(dead)


async def explore(url: str, app_url: str, folder: Path, *options: str) -> Explored:
    """Run Schemathesis with all its checks; `options` say how much."""
    report = folder / "report.json"
    command = (
        *("-m", "schemathesis.cli", f"--config-file={HERE / 'schemathesis.toml'}"),
        *("run", f"{url}openapi.json", "--continue-on-failure", "--no-color"),
        *("--report=json", f"--report-json-path={report}", *options),
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TESTS), "APP_URL": app_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    counted = json.loads(report.read_text())["test_cases"]["generated"] if report.exists() else 0
    return Explored(counted, process.returncode == 0, output.decode())
