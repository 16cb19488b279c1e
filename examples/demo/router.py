"""A router that asks the shop about its users."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from examples.demo.programs import Program, free_port
from examples.demo.stage import DemoError

from wamp_bridge_server.devrouter import RouterError, crossbar_executable
from wamp_bridge_server.devrouter.handshake import router_answers

if TYPE_CHECKING:
    from pathlib import Path

    from examples.demo.shops import Shop

_BROWSERS, _PROGRAMS = 8080, 8081  # in the shop's crossbar/config.json
_START_SECONDS = 60.0


@dataclass(frozen=True)
class Router:
    """Where it is joined."""

    for_browsers: str
    for_programs: str


async def start_router(programs: list[Program], kind: Shop, folder: Path) -> Router:
    """Crossbar, with the configuration that the shop brings, at free ports."""
    browsers, inside = free_port(), free_port()
    node = folder / "crossbar"
    node.mkdir()
    config = (kind.folder / "crossbar" / "config.json").read_text()
    config = config.replace(f'"port": {_BROWSERS}', f'"port": {browsers}')
    config = config.replace(f'"port": {_PROGRAMS}', f'"port": {inside}')
    (node / "config.json").write_text(config)

    async def router_says(_line: str) -> None:
        """What it says is shown if it doesn't start."""

    try:
        crossbar = await asyncio.to_thread(crossbar_executable, progress=tell_progress)
    except RouterError as error:
        raise DemoError(str(error)) from None
    command = [str(crossbar), "start", "--cbdir", str(node), "--loglevel", "warn"]
    program = await Program.start("the router", *command, tell=router_says)
    programs.append(program)
    answers = asyncio.Event()
    asking = asyncio.create_task(_ask(inside, answers))
    try:
        await program.until(answers, _START_SECONDS)
    finally:
        asking.cancel()
    return Router(f"ws://127.0.0.1:{browsers}/ws", f"ws://127.0.0.1:{inside}/ws")


def tell_progress(text: str) -> None:
    """Say what takes long."""
    print(f"  ... {text}", flush=True)


async def _ask(port: int, answers: asyncio.Event) -> None:
    """Ask it until it answers."""
    while not answers.is_set():
        if await asyncio.to_thread(router_answers, "127.0.0.1", port, "realm1"):
            answers.set()
        await asyncio.sleep(0.05)
