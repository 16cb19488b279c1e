"""The distributions agree with one another and ship what they must."""

from __future__ import annotations

import os
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest
import uv_build

from repository.lot import DISTRIBUTIONS, ROOT, SOURCES, project, read, show

NAMES = [distribution.name for distribution in DISTRIBUTIONS]
VERSION = project(ROOT)["version"]


@pytest.fixture(scope="module", params=DISTRIBUTIONS, ids=NAMES)
def wheel(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> zipfile.ZipFile:
    """A distribution's wheel, built as an installer builds it."""
    folder: Path = request.param
    target = tmp_path_factory.mktemp("wheels")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        name = uv_build.build_wheel(str(target))
    return zipfile.ZipFile(target / name)


@pytest.mark.parametrize("folder", DISTRIBUTIONS, ids=NAMES)
def test_every_distribution_has_the_one_version(folder: Path) -> None:
    assert project(folder)["version"] == VERSION


def test_the_changelog_names_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {VERSION} " in text or f"## {VERSION}\n" in text


@pytest.mark.parametrize("folder", DISTRIBUTIONS, ids=NAMES)
def test_what_stands_on_core_pins_its_version(folder: Path) -> None:
    table = project(folder)
    needed = [name for name in table["dependencies"] if name.startswith("wamp-bridge")]
    expected = [] if table["name"] == "wamp-bridge-core" else [f"wamp-bridge-core=={VERSION}"]
    assert needed == expected


def test_the_workspace_installs_every_distribution() -> None:
    names = sorted(project(folder)["name"] for folder in DISTRIBUTIONS)
    assert sorted(project(ROOT)["dependencies"]) == names


@pytest.mark.parametrize("folder", [ROOT, *DISTRIBUTIONS], ids=["workspace", *NAMES])
def test_the_oldest_python_is_3_11(folder: Path) -> None:
    assert project(folder)["requires-python"] == ">=3.11"


def test_the_import_contracts_see_every_distribution() -> None:
    modules = {
        read(folder)["tool"]["uv"]["build-backend"]["module-name"] for folder in DISTRIBUTIONS
    }
    assert set(read(ROOT)["tool"]["importlinter"]["root_packages"]) == modules


def test_mypy_sees_every_distribution() -> None:
    path = read(ROOT)["tool"]["mypy"]["mypy_path"]
    assert {show(source) for source in SOURCES} <= set(path)


def test_nothing_depends_on_crossbar() -> None:
    """Its pins drag in releases of other libraries that are years old."""
    lock = (ROOT / "uv.lock").read_text(encoding="utf-8")
    assert 'name = "crossbar"' not in lock


@pytest.mark.parametrize("source", SOURCES, ids=NAMES)
def test_the_namespaces_have_no_init(source: Path) -> None:
    """With one, the first distribution on the path would hide all the others."""
    namespaces = [source / "wamp_bridge", source / "wamp_bridge" / "adapters"]
    found = [show(path / "__init__.py") for path in namespaces if (path / "__init__.py").exists()]
    assert not found


def test_a_wheel_ships_its_licence_its_types_and_all_its_modules(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    metadata_name = next(name for name in names if name.endswith(".dist-info/METADATA"))
    metadata = HeaderParser().parsestr(wheel.read(metadata_name).decode())
    folder = next(path for path in DISTRIBUTIONS if project(path)["name"] == metadata["Name"])
    source = folder / "src"

    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    licence = next(name for name in names if name.endswith(".dist-info/licenses/LICENSE"))
    assert wheel.read(licence) == (ROOT / "LICENSE").read_bytes()
    assert [name for name in names if name.endswith("/py.typed")]
    shipped = {name for name in names if ".dist-info/" not in name and not name.endswith("/")}
    assert shipped == {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
