"""Every attack in the table of docs/security.md has a test, and the tests that it names exist."""

from __future__ import annotations

import ast
import re

import pytest

from repository.lot import ROOT

PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("\n## Where this is tested\n")[2].partition("\n## ")[0]


def rows() -> list[list[str]]:
    """What is tried, what it meets, and which tests of which file try it."""
    lines = [line for line in TABLE.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row[0]))
def test_the_tests_that_the_table_names_exist(row: list[str]) -> None:
    _tried, _met, place, tests = row
    source = ast.parse((ROOT / place.strip("`")).read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    defined = {node.name for node in source.body if isinstance(node, functions)}
    texts = {node.value for node in ast.walk(source) if isinstance(node, ast.Constant)}
    named = re.findall(r"`(test_\w+)(?:\[([^]]+)\])?`", tests)
    assert named
    for name, case in named:
        assert name in defined
        assert not case or case in texts


def test_the_table_is_read() -> None:
    assert len(rows()) > 25
