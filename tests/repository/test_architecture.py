"""The architecture page names every module there is, and none that isn't."""

from __future__ import annotations

import re

from repository.lot import ROOT, SOURCES


def test_the_architecture_names_every_module() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `([\w/]+\.py)` \| .", page, re.MULTILINE)
    modules = [
        path.relative_to(source).as_posix().replace("wamp_bridge_server/", "")
        for source in SOURCES
        for path in source.rglob("*.py")
        if path.name != "__init__.py"
    ]
    assert sorted(named) == sorted(module.removeprefix("wamp_bridge/") for module in modules)
