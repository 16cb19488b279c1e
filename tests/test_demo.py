"""The demo, as a newcomer sees it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
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
