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

CASES = int(os.environ.get("SCHEMATHESIS_CASES", "0"))
A_RUN = 400
"""How many examples each operation is given in each of many runs."""


async def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    async with served(tmp_path) as (bridge, app):
        found = await explore(
            bridge.url, app.url, tmp_path, "--seed=1", "--generation-deterministic", "-n1"
        )
        if not found.well:
            pytest.fail(found.text, pytrace=False)
        assert found.cases > 1000
        assert app.posted  # it came as far as the apps


@pytest.mark.skipif(not CASES, reason="nox -s schemathesis")
async def test_schemathesis_finds_nothing_in_many_cases(tmp_path: Path) -> None:
    cases = 0
    while cases < CASES:
        folder = tmp_path / str(cases)
        folder.mkdir()
        seed = secrets.randbelow(2**31)
        async with served(folder) as (bridge, app):
            found = await explore(
                bridge.url, app.url, folder, f"--seed={seed}", f"-n{A_RUN}", "--workers=2"
            )
        if not found.well:
            pytest.fail(found.text, pytrace=False)
        cases += found.cases
        print(f"{cases} cases")
