"""What core exports, what can be imported and what the reference describes is the same."""

from __future__ import annotations

import re

import wamp_bridge.core
from repository.lot import ROOT


def test_exports_are_sorted_and_can_be_imported() -> None:
    names = wamp_bridge.core.__all__
    assert names == sorted(names)
    assert all(hasattr(wamp_bridge.core, name) for name in names)


def test_the_reference_describes_every_export_once() -> None:
    page = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    described = re.findall(r"^\.\. auto\w+:: (\w+)$", page, re.MULTILINE)
    assert sorted(described) == sorted(wamp_bridge.core.__all__)
