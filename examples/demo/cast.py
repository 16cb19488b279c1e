"""Everybody who takes part, and how they are started."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from examples.demo.programs import EXAMPLES, Program, free_port
from examples.demo.stage import DemoError, Stage

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

TOKEN = "demo-token"  # noqa: S105 - of a bridge that listens on loopback, while the demo lasts

_READY_SECONDS = 30.0
_FIRST_USE_SECONDS = 300.0  # the router's own environment is made on first use
_FLASK_LOG = re.compile(r"\[[^]]*] INFO in \w+: ")


@dataclass
class Cast:
    """Where everybody is."""

    bridge: str
    router: str
    shop: str
    http: httpx.AsyncClient
    stage: Stage


async def raise_curtain(
    stage: Stage, programs: list[Program], http: httpx.AsyncClient, folder: Path
) -> Cast:
    """Start the router and the bridge, the supplier, the shop; in this order here, in any order."""
    port = free_port()
    shop = f"http://127.0.0.1:{port}"
    bridge, router, environ = await start_bridge(programs, folder)
    environ["WAMP_BRIDGE_CALLBACK_URL"] = f"{shop}/wamp/"
    environ["SHOP_DATABASE"] = str(folder / "shop.db")
    cast = Cast(bridge, router, shop, http, stage)

    joined = asyncio.Event()

    async def supplier_says(line: str) -> None:
        if line == "joined the router":
            joined.set()
        else:
            await stage.say("supplier", line)

    async def shop_says(line: str) -> None:
        await stage.say("shop", _FLASK_LOG.sub("", line))

    command = [sys.executable, str(EXAMPLES / "peers" / "supplier.py"), router]
    supplier = await Program.start("the supplier", *command, tell=supplier_says)
    programs.append(supplier)
    gunicorn = ["gunicorn", "--workers=2", f"--bind=127.0.0.1:{port}", "--log-level=warning"]
    command = [sys.executable, "-m", *gunicorn, "--no-control-socket", "shop:app"]
    program = await Program.start(
        "the shop", *command, tell=shop_says, environ=environ, folder=EXAMPLES / "flask"
    )
    programs.append(program)

    await supplier.until(joined, _READY_SECONDS)
    await announced(cast)
    return cast


async def start_bridge(programs: list[Program], folder: Path) -> tuple[str, str, dict[str, str]]:
    """`wamp-bridge dev`: where bridge and router are, and what it prints for an app."""
    ready = asyncio.Event()
    environ: dict[str, str] = {}
    addresses: list[str] = []

    async def bridge_says(line: str) -> None:
        words = shlex.split(line) if line.startswith(("export ", "ready ")) else []
        if words[:1] == ["export"]:
            name, _, value = words[1].partition("=")
            environ[name] = value
        elif words[:1] == ["ready"]:
            addresses.extend(words[1:])
            ready.set()
        elif not ready.is_set():
            print(f"  ... {in_words(line)}", flush=True)

    command = [sys.executable, "-m", "wamp_bridge_server", "dev", f"--token={TOKEN}"]
    where = ["--listen=127.0.0.1:0", "--router-listen=127.0.0.1:0", f"--data={folder}"]
    program = await Program.start("the bridge", *command, *where, tell=bridge_says)
    programs.append(program)
    await program.until(ready, _FIRST_USE_SECONDS)
    bridge, router = addresses[:2]
    return bridge, router, environ


def in_words(line: str) -> str:
    """What a line of the bridge's log says, without what is for machines."""
    try:
        return str(json.loads(line)["event"])
    except (ValueError, KeyError, TypeError):
        return line


async def announced(cast: Cast) -> None:
    """Wait until the bridge has read what the shop offers."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    try:
        async with asyncio.timeout(_READY_SECONDS):
            for kind in ("registrations", "subscriptions"):
                states: set[str] = set()
                while states != {"live"}:
                    answer = await cast.http.get(f"{cast.bridge}{kind}/", headers=headers)
                    states = {entry["state"] for entry in answer.json()[kind]}
                    await asyncio.sleep(0.05)
    except TimeoutError:
        raise DemoError("the bridge didn't learn what the shop offers") from None
