"""The private environment: made once, also when many ask, also after a bad end."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from importlib.resources import files
from pathlib import Path

import pytest

from wamp_bridge_server.devrouter import RouterError, cache_directory, crossbar_executable
from wamp_bridge_server.devrouter import environment as module

REQUIREMENTS = files("wamp_bridge_server.devrouter").joinpath("requirements.txt").read_text()


class Making:
    """Stands in for venv and pip, which take a minute."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[str] = []
        self.fail_at: str | None = None
        monkeypatch.setattr(module, "_run", self.run)

    def run(self, command: list[str], name: str) -> None:
        self.steps.append(name)
        if name == self.fail_at:
            raise RouterError("no network", "the end of the log")
        if name == "python -m venv":
            binaries = Path(command[-1]) / "bin"
            binaries.mkdir(parents=True)
            (binaries / "python").touch()
        else:
            (Path(command[0]).parent / "crossbar").touch()


@pytest.fixture
def making(monkeypatch: pytest.MonkeyPatch) -> Making:
    return Making(monkeypatch)


def test_it_is_made_once_and_says_so(making: Making, tmp_path: Path) -> None:
    said: list[str] = []
    first = crossbar_executable(cache=tmp_path, progress=said.append)
    assert first.exists()
    assert making.steps == ["python -m venv", "pip install"]
    assert str(first.parent.parent) in said[0]
    assert crossbar_executable(cache=tmp_path, progress=said.append) == first
    assert making.steps == ["python -m venv", "pip install"]
    assert len(said) == 2


def test_other_requirements_or_another_python_make_another(
    making: Making, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = crossbar_executable(cache=tmp_path)
    monkeypatch.setattr(sys, "version", "another")
    assert crossbar_executable(cache=tmp_path) != first
    assert len(making.steps) == 4


def test_half_of_one_is_made_anew(making: Making, tmp_path: Path) -> None:
    making.fail_at = "pip install"
    with pytest.raises(RouterError) as caught:
        crossbar_executable(cache=tmp_path)
    assert str(caught.value) == "no network\nthe end of the log"
    making.fail_at = None
    executable = crossbar_executable(cache=tmp_path)
    assert executable.exists()
    assert making.steps == ["python -m venv", "pip install"] * 2


def test_one_whose_python_is_gone_is_made_anew(making: Making, tmp_path: Path) -> None:
    executable = crossbar_executable(cache=tmp_path)
    executable.with_name("python").unlink()
    assert crossbar_executable(cache=tmp_path) == executable
    assert len(making.steps) == 4


def test_those_who_ask_at_once_wait_for_the_one_who_makes_it(
    making: Making, tmp_path: Path
) -> None:
    asking = threading.Barrier(4)
    found: list[Path] = []

    def ask() -> None:
        asking.wait()
        found.append(crossbar_executable(cache=tmp_path))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert making.steps == ["python -m venv", "pip install"]


@pytest.mark.usefixtures("making")
def test_a_lock_left_by_a_process_that_was_killed_is_no_lock(tmp_path: Path) -> None:
    executable = crossbar_executable(cache=tmp_path)
    executable.with_name("python").unlink()
    lock = next(tmp_path.glob("*.lock"))
    program = (
        "import fcntl, os, sys, signal; f = open(sys.argv[1], 'ab'); "
        "fcntl.flock(f, fcntl.LOCK_EX); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(lock)], check=False)
    assert crossbar_executable(cache=tmp_path) == executable


def test_a_cache_that_cannot_be_written_is_a_clear_error(making: Making, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(RouterError, match="cannot make Crossbar's environment"):
        crossbar_executable(cache=blocked)
    assert making.steps == []


def test_the_end_of_a_failing_programs_output_is_told() -> None:
    program = "print('first'); print('x' * 5000); print('what went wrong'); raise SystemExit(3)"
    with pytest.raises(RouterError, match="pip ended with status 3") as caught:
        module._run([sys.executable, "-c", program], "pip")
    assert caught.value.log.endswith("what went wrong\n")
    assert "first" not in caught.value.log


def test_the_cache_is_where_the_system_has_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_directory() == tmp_path / "cache" / "wamp-bridge"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_directory() == tmp_path / ".cache" / "wamp-bridge"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_directory() == tmp_path / "Library" / "Caches" / "wamp-bridge"


def test_every_requirement_is_pinned_and_hashed_and_no_host_is_named() -> None:
    entries = re.split(r"\n(?=\S)", REQUIREMENTS.strip())
    pinned = [entry for entry in entries if not entry.startswith("#")]
    assert any(entry.startswith("crossbar==26.10.1 ") for entry in pinned)
    for entry in pinned:
        assert re.match(r"[a-z0-9._-]+==\S+ ", entry), entry
        assert "--hash=sha256:" in entry, entry
    assert "://" not in REQUIREMENTS
    assert "index" not in REQUIREMENTS.splitlines()[1]
