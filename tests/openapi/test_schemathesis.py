"""Schemathesis finds nothing: all its checks, stateful, on the bridge in a process of its own.

`nox -s schemathesis` has it think of 100,000 cases, by another seed each time.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

import pytest

from openapi.exploring import explore, served

if TYPE_CHECKING:
    from pathlib import Path

CASES = int(os.environ.get("SCHEMATHESIS_CASES", "1"))
SHORT = "--seed=1", "--generation-deterministic", "-n1"
EXAMPLES_A_RUN = 300


def options() -> tuple[str, ...]:
    """How much is asked in a run."""
    if CASES == 1:
        return SHORT
    return f"--seed={secrets.randbelow(2**31)}", f"-n{EXAMPLES_A_RUN}"


async def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    cases = 0
    while cases < CASES:
        folder = tmp_path / str(cases)
        folder.mkdir()
        async with served(folder) as (bridge, app):
            found = await explore(bridge.url, app.url, folder, *options())
            if not found.well:
                pytest.fail(found.text, pytrace=False)
            assert app.posted  # it came as far as the apps
        cases += found.cases
        print(f"{cases} cases")
