"""What holds for every source file, whoever wrote it."""

from __future__ import annotations

import ast
import re
import sys
from typing import TYPE_CHECKING

import pytest

from repository.lot import ROOT, python_files, show, tracked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_LINES = 400
CORE = ROOT / "packages/wamp-bridge-core/src/wamp_bridge/core"
FOR_PYTEST = (CORE / "testing/conformance", CORE / "testing/pytest_plugin.py")

# A path of somebody's machine, or the host of a package registry, helps nobody else.
PRIVATE = re.compile(
    r"(?<!\w)/(?:root|work)/\w"  # where somebody keeps a checkout
    r"|(?:pypi|pythonhosted|npmjs|crates)\.(?:org|io)"
    r"|(?:index|extra-index|find-links)[-_]?url",
    re.IGNORECASE,
)


def imported(path: Path) -> Iterator[str]:
    """Find the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    lengths = {
        show(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()
    }
    assert not {name: lines for name, lines in lengths.items() if lines > MAX_LINES}


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=show)
def test_core_imports_the_standard_library_and_httpx_alone(path: Path) -> None:
    """Save what is for tests that run under pytest, which core's extra `testing` brings."""
    allowed = {*sys.stdlib_module_names, "httpx"}
    if any(path.is_relative_to(each) for each in FOR_PYTEST):
        allowed.add("pytest")
    strangers = {
        name
        for name in imported(path)
        if name.split(".")[0] not in allowed and not name.startswith("wamp_bridge.core")
    }
    assert not strangers


def test_nothing_names_a_machine_or_a_registry() -> None:
    ours = [path for path in tracked() if path.name != "uv.lock"]
    found = []
    for path in ours:
        if show(path) == "tests/repository/test_sources.py":
            continue
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), 1
        ):
            if PRIVATE.search(line):
                found.append(f"{show(path)}:{number}: {line.strip()}")
    assert not found


def test_text_files_are_utf_8_with_unix_lines() -> None:
    for path in tracked():
        content = path.read_bytes()
        content.decode("utf-8")
        assert b"\r\n" not in content, show(path)
