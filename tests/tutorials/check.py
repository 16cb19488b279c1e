"""Follows each framework's tutorial as a newcomer does, and says how long that takes.

Run by `nox -s tutorials`: from a fresh clone, with an empty home, so that everything is installed
and the router's environment is made. Counted until the first call is answered, which must be within
five minutes, and until the end of the page.

Arguments are names of frameworks; all of them if there are none.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from repository.lot import ROOT
from repository.pages import heading_line
from repository.player import PORTS, Player, free_ports

PAGES = {"flask": "tutorial", "django": "django", "fastapi": "fastapi", "pyramid": "pyramid"}
CALLED = "Call it"  # the heading below which a call is answered first
FIVE_MINUTES = 300.0


def main(names: list[str]) -> int:
    """Follow the tutorials; the exit status."""
    slow = []
    for name in names or PAGES:
        page = ROOT / "docs" / f"{PAGES[name]}.md"
        with tempfile.TemporaryDirectory(prefix="wamp-bridge-newcomer-") as folder:
            answered, over = follow(page, Path(folder))
        print(
            f"{name}: a call was answered after {answered:.0f} s, the end came after {over:.0f} s"
        )
        if answered > FIVE_MINUTES:
            slow.append(name)
    if slow:
        print(f"not within {FIVE_MINUTES:.0f} s: {', '.join(slow)}")
    return 1 if slow else 0


def follow(page: Path, folder: Path) -> tuple[float, float]:
    """Do all that the page says; the seconds until the first call, and until the end."""
    home, clone, work = (folder / name for name in ("home", "clone", "work"))
    home.mkdir()
    work.mkdir()
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    begin = time.monotonic()
    answered = 0.0
    called = heading_line(page, CALLED)
    with Player(work, free_ports(PORTS), newcomer=(clone, home)) as player:
        for block in player.steps(page):
            if block.is_output and block.line > called and not answered:
                answered = time.monotonic() - begin
    return answered, time.monotonic() - begin


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
