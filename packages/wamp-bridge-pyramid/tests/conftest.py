"""Pyramid apps, and modules for their scans to find."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from support.pyramid_shop import Shop
from wamp_bridge.adapters.pyramid._adapter import current
from wamp_bridge.core import Mount, Registry, WampBridgeBase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "APP", "TOKEN", "SECRET", "CALLBACK_URL", "PREFIX", "TIMEOUT", "ANNOUNCE"):
        monkeypatch.delenv(f"WAMP_BRIDGE_{name}", raising=False)


@pytest.fixture(autouse=True)
def _nobody_looks_out_afterwards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    mounts: list[Mount] = []

    def add_mount(*sources: Mapping[str, Any], registry: Registry | None = None) -> Mount:
        mounts.append(WampBridgeBase.add_mount(current, *sources, registry=registry))
        return mounts[-1]

    monkeypatch.setattr(current, "add_mount", add_mount)
    yield
    for mount in mounts:
        mount.close()


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
