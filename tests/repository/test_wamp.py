"""The table of WAMP's features: each row names a test, and the test is there."""

from __future__ import annotations

import re

import pytest

from repository.lot import ROOT

PAGE = ROOT / "docs" / "wamp.md"
ROWS = [
    line
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| Feature |")
]
_TEST = re.compile(r"<!-- test: (?P<path>[\w/.-]+)(::(?P<name>\w+))? -->")


def test_the_table_has_rows() -> None:
    assert len(ROWS) > 30


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_each_feature_has_a_test_that_exists(row: str) -> None:
    tests = list(_TEST.finditer(row))
    assert tests or "not yet" in row, "a row without a test is for what is still to come"
    for named in tests:
        source = (ROOT / named["path"]).read_text(encoding="utf-8")
        name = named["name"] or r"test_\w+"
        assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE), named[0]
