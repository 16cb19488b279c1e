"""What `wamp-bridge dev` keeps: in a folder that is given, or until it ends."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from wamp_bridge_server.cli._failures import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def data_folder(given: Path | None) -> Iterator[Path]:
    """The folder that was given, made if need be, or one that goes in the end."""
    if given is None:
        with tempfile.TemporaryDirectory(
            prefix="wamp-bridge-dev-", ignore_cleanup_errors=True
        ) as folder:
            yield Path(folder)
        return
    try:
        given.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(f"--data {given}: can't be made: {error.strerror}") from error
    yield given


def kept(folder: Path, name: str, make: Callable[[], str]) -> str:
    """What was made up before, so that an app can keep its settings; else a new one."""
    path = folder / name
    with contextlib.suppress(FileNotFoundError):
        return path.read_text("utf-8").strip()
    value = make()
    with open(path, "x", encoding="utf-8", opener=_private) as file:
        file.write(value + "\n")
    return value


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
