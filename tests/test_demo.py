"""The demo, as a newcomer sees it."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest
from examples.demo import __main__ as demo_program
from examples.demo import page
from examples.demo.programs import Program
from examples.demo.shops import SHOPS

from support.processes import Child, listening
from support.waiting import eventually_sync

ROOT = Path(__file__).resolve().parent.parent
DIRECTIONS = [
    "WAMP calls {}",
    "{} calls WAMP",
    "{} calls WAMP, with a callback",
    "WAMP publishes to {}",
    "{} publishes to WAMP",
]
WITH_USERS = [*DIRECTIONS, "{}'s users join WAMP"]


@pytest.mark.parametrize("name", SHOPS)
def test_each_direction_works_and_what_to_try_works_when_pasted(name: str) -> None:
    shop = SHOPS[name]
    directions = WITH_USERS if shop.knows_users else DIRECTIONS
    with Child(sys.executable, "-m", "examples.demo", name, "--stay", folder=ROOT) as demo:
        demo.line_with("All of it goes on until Ctrl-C", within=300)
        shown = [line.strip() for line in demo.lines]
        assert [direction.format(shop.framework) for direction in directions] == [
            line.removesuffix("works").rstrip() for line in shown if line.endswith("  works")
        ]
        demo.line_with("registrations/")
        lines = [line.strip() for line in demo.lines]
        pasted = [line for line in lines if line.startswith(("curl", sys.executable))]
        assert len(pasted) == 8 + shop.knows_users
        for line in pasted:
            answer = subprocess.run(
                ["bash", "-c", line.replace("curl ", "curl --fail -sS ")],
                capture_output=True,
                text=True,
                check=False,
            )
            assert answer.returncode == 0, (line, answer.stderr)
        demo.line_with("hears that the shop sold 9 x tea")

        ports = {int(port) for port in re.findall(r"://127\.0\.0\.1:(\d+)/", demo.output)}
        assert len(ports) == 3 + shop.knows_users
        assert all(map(listening, ports))
        assert demo.stop(signal.SIGINT) == 0, demo.output
        eventually_sync(lambda: not any(map(listening, ports)))
        assert "Traceback" not in demo.output
        assert demo.lines[-1] == "ended"


@pytest.mark.parametrize(
    ("npm", "seconds", "reason"),
    [
        (None, 60.0, "npm is not installed"),
        ("echo no network; exit 1", 60.0, "npm didn't install autobahn-js\nno network"),
        ("exec /bin/sleep 60", 0.1, "npm didn't install autobahn-js within 0.1 s"),
    ],
    ids=["absent", "fails", "hangs"],
)
async def test_without_what_npm_brings_only_the_page_is_not_live(
    npm: str | None,
    seconds: float,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if npm is not None:
        (tmp_path / "npm").write_text(f"#!/bin/sh\n{npm}\n")
        (tmp_path / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(page, "AUTOBAHN", tmp_path / "autobahn.min.js")
    monkeypatch.setattr(page, "_NPM_SECONDS", seconds)
    await page.fetch_autobahn()
    assert f"the page won't be live: {reason}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("end", "how"),
    [("raise SystemExit(3)", "with status 3"), ("os.kill(os.getpid(), 9)", "by SIGKILL")],
)
async def test_a_demo_that_stays_tells_of_a_program_that_ends_and_ends_too(
    end: str, how: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    running = asyncio.Event()

    async def told(_line: str) -> None:
        running.set()

    async def raise_curtain(_kind: Any, _stage: Any, programs: list[Program], *_: Any) -> Any:
        async def run(name: str, code: str) -> Program:
            program = await Program.start(name, sys.executable, "-c", code, tell=told)
            programs.append(program)
            return program

        await (await run("the preparation", "")).succeed(20)
        stays = await run("the bridge", "print('here', flush=True); import time; time.sleep(600)")
        await stays.until(running, 20)
        await run("the shop", f"import os; print('its last line', flush=True); {end}")

    monkeypatch.setattr(demo_program, "raise_curtain", raise_curtain)
    monkeypatch.setattr(demo_program, "scenes", lambda _kind: {"all": None})
    monkeypatch.setattr(demo_program, "play", AsyncMock(return_value=True))
    for shown in ("who_is_who", "what_to_try"):
        monkeypatch.setattr(demo_program, shown, lambda _cast: "")
    async with asyncio.timeout(60):
        assert await demo_program.until_told_to_end(SHOPS["flask"], stay=True) == 1
    assert capsys.readouterr().err == f"\nthe shop has ended {how}:\nits last line\n"
