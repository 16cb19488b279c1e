"""One bridge for each SQLite file: a lock beside it that goes when its process goes."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from wamp_bridge_server.store.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path


class FileLock:
    """Holds `NAME.lock` beside a database for as long as this process lives.

    The system drops the lock with its holder, also after a kill -9. The file stays: to delete it
    could let two processes hold locks on two files of one name. It is not the database itself
    that is locked, because closing any descriptor of that would drop SQLite's own locks
    (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    """

    def __init__(self, database: Path) -> None:
        # Two names of one file (a link, a relative path) have one lock.
        real = database.resolve()
        self._path = real.with_name(real.name + ".lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            StoreError: Another process (or another store of this one) has it.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"{self._path} can't be opened: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            who = f" (process {holder})" if holder else ""
            raise StoreError(
                f"another bridge{who} has it open; stop that one, or give this one a store of "
                "its own"
            ) from error
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let the lock go; nothing happens when it isn't held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
