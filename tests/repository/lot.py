"""Where things stand in the repository, and how its parts are read."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = [*sorted(ROOT.glob("packages/*")), ROOT / "bridge-server"]
SOURCES = [distribution / "src" for distribution in DISTRIBUTIONS]


def read(folder: Path) -> dict[str, Any]:
    """Read a folder's pyproject.toml."""
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


def project(folder: Path) -> dict[str, Any]:
    """Read the `project` table of a folder's pyproject.toml."""
    table: dict[str, Any] = read(folder)["project"]
    return table


def tracked() -> list[Path]:
    """Find every file that git tracks and that is there."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    paths = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def python_files() -> list[Path]:
    """Find the Python sources of the distributions."""
    return [path for source in SOURCES for path in sorted(source.rglob("*.py"))]


def show(path: Path) -> str:
    """Name a path as people do: from the repository's root."""
    return path.relative_to(ROOT).as_posix()
