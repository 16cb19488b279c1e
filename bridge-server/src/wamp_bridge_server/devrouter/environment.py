"""The private environment that Crossbar runs in: made once, kept in the user's cache."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wamp_bridge_server.devrouter.errors import RouterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOG_TAIL: Final = 4000
"""Characters of a failing program's output that its error carries."""

_COMPLETE: Final = "complete"

_BUILD_SETTINGS: Final = {
    # Sources that would otherwise need a C compiler, and a NumPy of the same major version as the
    # one they were built against; Crossbar only needs to import them.
    "PYBJDATA_NO_EXTENSION": "1",
    "PYUBJSON_NO_EXTENSION": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
}

_FOREIGN_SETTINGS: Final = (
    # Settings of the surrounding shell that would put the packages elsewhere or run other code.
    "PIP_CONSTRAINT",
    "PIP_PREFIX",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_USER",
    "PYTHONHOME",
    "PYTHONPATH",
    "VIRTUAL_ENV",
)


def cache_directory() -> Path:
    """Return the user's cache directory for this project, which need not exist yet."""
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given) / "wamp-bridge"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "wamp-bridge"
    return Path.home() / ".cache" / "wamp-bridge"


def crossbar_executable(
    *, cache: Path | None = None, progress: Callable[[str], None] | None = None
) -> Path:
    """Return Crossbar's executable; on first use this makes its environment, in a minute or two.

    Safe when several processes ask at once (one makes it, the others wait) and when an earlier
    attempt was cut short (it is begun anew).

    Args:
        cache: Where environments are kept; `cache_directory()` by default.
        progress: Is told, in a sentence, what takes long.

    Raises:
        RouterError: The environment can't be made.
    """
    requirements = files(__package__).joinpath("requirements.txt").read_bytes()
    directory = (cache or cache_directory()) / f"crossbar-{_key(requirements)}"
    if not _is_complete(directory):
        try:
            directory.parent.mkdir(parents=True, exist_ok=True)
            with _locked(directory.with_name(f"{directory.name}.lock")):
                if not _is_complete(directory):
                    _make(directory, requirements, progress or _ignore)
        except OSError as error:
            raise RouterError(
                f"cannot make Crossbar's environment in {directory}: {error}"
            ) from error
    return directory / "bin" / "crossbar"


def _ignore(message: str) -> None:
    """Take progress nobody asked for."""


def _key(requirements: bytes) -> str:
    # An environment holds links into the Python that made it, so each Python has its own.
    python = f"{sys.version}|{sys.base_prefix}|{sys.platform}".encode()
    digest = hashlib.sha256(requirements + b"\0" + python).hexdigest()[:16]
    return f"py{sys.version_info.major}.{sys.version_info.minor}-{digest}"


def _is_complete(directory: Path) -> bool:
    return (directory / _COMPLETE).exists() and (directory / "bin" / "python").exists()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    # The kernel gives the lock back when its holder dies, so nothing is ever left locked.
    with path.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(directory: Path, requirements: bytes, progress: Callable[[str], None]) -> None:
    progress(
        "making a private environment for the Crossbar router, on first use only "
        f"(a minute or two): {directory}"
    )
    if directory.exists():
        shutil.rmtree(directory)
    _run([sys.executable, "-m", "venv", str(directory)], "python -m venv")
    pinned = directory / "requirements.txt"
    pinned.write_bytes(requirements)
    python = str(directory / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    _run([*install, "--requirement", str(pinned)], "pip install")
    (directory / _COMPLETE).touch()
    progress("the Crossbar router's environment is ready")


def _run(command: list[str], name: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in _FOREIGN_SETTINGS}
    done = subprocess.run(  # noqa: S603 - our own Python, our own arguments
        command,
        env=environment | _BUILD_SETTINGS,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise RouterError(
            f"cannot make Crossbar's environment: {name} ended with status {done.returncode}",
            done.stdout[-LOG_TAIL:],
        )
