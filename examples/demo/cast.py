"""Everybody who takes part, and how they are started."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from examples.demo.page import fetch_autobahn
from examples.demo.programs import EXAMPLES, Program, free_port
from examples.demo.router import Router, start_router
from examples.demo.stage import DemoError, Stage

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from examples.demo.shops import Shop

TOKEN = "demo-token"  # noqa: S105 - of a bridge that listens on loopback, while the demo lasts

_READY_SECONDS = 30.0
_FIRST_USE_SECONDS = 300.0  # the router's own environment is made on first use
_FLASK_LOG = re.compile(r"\[[^]]*] INFO in \w+: ")


@dataclass
class Cast:
    """Where everybody is; programs join at `router`, users of the shop at `users_router`."""

    kind: Shop
    bridge: str
    router: str
    users_router: str
    shop: str
    http: httpx.AsyncClient
    stage: Stage


async def raise_curtain(
    kind: Shop, stage: Stage, programs: list[Program], http: httpx.AsyncClient, folder: Path
) -> Cast:
    """Start the router and the bridge, the supplier, the shop; in this order here, in any order."""
    await fetch_autobahn()
    given = await start_router(programs, kind, folder) if kind.knows_users else None
    bridge, router, environ = await start_bridge(programs, folder, given)
    port = free_port()
    users_router = given.for_browsers if given else router
    cast = Cast(kind, bridge, router, users_router, f"http://127.0.0.1:{port}", http, stage)
    environ["WAMP_BRIDGE_CALLBACK_URL"] = f"{cast.shop}/wamp/"
    environ["WAMP_BRIDGE_PREFIX"] = "com.shop"
    environ["SHOP_DATABASE"] = str(folder / "shop.db")
    environ["SHOP_ROUTER"] = users_router

    joined = asyncio.Event()

    async def supplier_says(line: str) -> None:
        if line == "joined the router":
            joined.set()
        else:
            await stage.say("supplier", line)

    command = [sys.executable, str(EXAMPLES / "peers" / "supplier.py"), router]
    supplier = await Program.start("the supplier", *command, tell=supplier_says)
    programs.append(supplier)
    await start_shop(programs, cast, port, environ)

    await supplier.until(joined, _READY_SECONDS)
    await announced(cast)
    return cast


async def start_shop(
    programs: list[Program], cast: Cast, port: int, environ: dict[str, str]
) -> None:
    """The shop, under its server."""

    async def shop_says(line: str) -> None:
        await cast.stage.say("shop", _FLASK_LOG.sub("", line))

    async def run(command: list[str]) -> Program:
        program = await Program.start(
            "the shop", *command, tell=shop_says, environ=environ, folder=cast.kind.folder
        )
        programs.append(program)
        return program

    *preparations, serving = cast.kind.commands(port)
    for command in preparations:
        preparing = await run(command)
        await preparing.succeed(_READY_SECONDS)
    await run(serving)


async def start_bridge(
    programs: list[Program], folder: Path, given: Router | None
) -> tuple[str, str, dict[str, str]]:
    """`wamp-bridge dev`: where bridge and router are, and what it prints for an app.

    Args:
        programs: To which it is added.
        folder: What it keeps is here.
        given: The router, if it isn't to start one.
    """
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
    command += ["--listen=127.0.0.1:0", f"--data={folder}"]
    command += [f"--router={given.for_programs}"] if given else ["--router-listen=127.0.0.1:0"]
    program = await Program.start("the bridge", *command, tell=bridge_says)
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
