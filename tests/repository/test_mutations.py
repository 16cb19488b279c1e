"""Core still reads as `nox -s mutations` expects, which is run less often than this."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mutations.check import CORE, MUTATIONS, mutate

if TYPE_CHECKING:
    from pathlib import Path

    from mutations.check import Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_can_be_made(mutation: Mutation, tmp_path: Path) -> None:
    module = f"wamp_bridge/core/{mutation.module}.py"
    copy = tmp_path / module
    copy.parent.mkdir(parents=True)
    copy.write_bytes((CORE / module).read_bytes())
    mutate(tmp_path, mutation)
    compile(copy.read_bytes(), module, "exec")
