"""The demo, as a newcomer sees it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

from support.processes import Child, listening
from support.waiting import eventually_sync

ROOT = Path(__file__).resolve().parent.parent
DIRECTIONS = [
    "WAMP calls Flask",
    "Flask calls WAMP",
    "Flask calls WAMP, with a callback",
    "WAMP publishes to Flask",
    "Flask publishes to WAMP",
]


def test_each_direction_works_and_what_to_try_works_when_pasted() -> None:
    with Child(sys.executable, "-m", "examples.demo", "--stay", folder=ROOT) as demo:
        demo.line_with("All of it goes on until Ctrl-C", within=300)
        shown = [line.strip() for line in demo.lines]
        assert [f"{name:<33}  works" for name in DIRECTIONS] == [
            line for line in shown if line.endswith("  works")
        ]
        demo.line_with("registrations/")
        lines = [line.strip() for line in demo.lines]
        pasted = [line for line in lines if line.startswith(("curl", sys.executable))]
        assert len(pasted) == 8
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
        assert len(ports) == 3
        assert all(map(listening, ports))
        assert demo.stop(signal.SIGINT) == 0, demo.output
        eventually_sync(lambda: not any(map(listening, ports)))
        assert "Traceback" not in demo.output
        assert demo.lines[-1] == "ended"
