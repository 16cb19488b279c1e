"""The architecture page names every folder and module there is, and none that isn't."""

from __future__ import annotations

import re

from repository.lot import ROOT, SOURCES, tracked

PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def test_the_architecture_names_every_folder_of_the_lot() -> None:
    block = PAGE.partition("## The lot\n")[2].partition("```text\n")[2].partition("```")[0]
    named = [line.split()[0] for line in block.splitlines()]
    folders = {
        "/".join(parts[: 2 if parts[0] == "packages" else 1]) + "/"
        for parts in (path.relative_to(ROOT).parts for path in tracked())
        if len(parts) > 1 and not parts[0].startswith(".")
    }
    assert sorted(named) == sorted(folders)


def test_the_architecture_names_every_module() -> None:
    named = re.findall(r"^\| `([\w/]+\.py)` \| .", PAGE, re.MULTILINE)
    modules = [
        path.relative_to(source).as_posix().replace("wamp_bridge_server/", "")
        for source in SOURCES
        for path in source.rglob("*.py")
        if path.name != "__init__.py"
    ]
    assert sorted(named) == sorted(module.removeprefix("wamp_bridge/") for module in modules)
