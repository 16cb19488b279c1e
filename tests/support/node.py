"""Libraries from npm, for tests of what JavaScript makes of the bridge."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PACKAGE = Path(__file__).with_name("npm")

NEEDED = (
    "this test needs the programs node and npm, which are not on this machine's PATH; "
    "install Node.js"
)


def npm_package(folder: Path, package: Path = _PACKAGE) -> Path:
    """Install what `package-lock.json` pins into a folder; no script of a package is run.

    Args:
        folder: Where to; all files of the package come there, too.
        package: Where the lock is.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.fail(NEEDED, pytrace=False)
    for file in package.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"npm could not install the packages:\n{done.stderr}", pytrace=False)
    return folder


def verdicts_of_npm(package: Path, requests: Sequence[Mapping[str, Any]]) -> list[bool | str]:
    """What npm's `standardwebhooks` says of requests: true, or why not.

    Args:
        package: Of `npm_package`.
        requests: Each with `secret`, `body` and `headers`.
    """
    done = subprocess.run(
        ["node", "verify.cjs"],
        cwd=package,
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    verdicts: list[bool | str] = json.loads(done.stdout)
    return verdicts
