"""Pyramid apps, and modules for their scans to find."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from support.pyramid_shop import Shop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "APP", "TOKEN", "SECRET", "CALLBACK_URL", "PREFIX", "TIMEOUT", "ANNOUNCE"):
        monkeypatch.delenv(f"WAMP_BRIDGE_{name}", raising=False)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Yield what writes modules for a scan to find, and returns their package's name."""
    name = f"scanned_{tmp_path.name}"
    monkeypatch.syspath_prepend(tmp_path)

    def write(**modules: str) -> str:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").touch()
        for module, source in modules.items():
            (folder / f"{module}.py").write_text(source)
        return name

    yield write
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[module]
