"""The processes of a scene, and what can be seen of them from outside."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import sys
from pathlib import Path

from faults.ledger import Book
from support.processes import Child, free_port, listening
from support.served import ServedBridge
from support.waiting import eventually, eventually_sync

TESTS = Path(__file__).parents[1]


class App:
    """The app's process, and its book, which outlives it."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.book = Book(folder / "arrivals")
        self._folder = folder
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._child is not None
        return self._child.pid

    def start(self) -> None:
        """Start it, and wait until it listens."""
        program = [sys.executable, "-m", "faults.app", str(self.port)]
        environ = {"PYTHONPATH": str(TESTS)}
        arrivals = str(self._folder / "arrivals")
        child = Child(*program, arrivals, environ=environ, folder=self._folder)
        self._child = child

        def ready() -> bool:
            assert child.running, child.output
            return listening(self.port)

        eventually_sync(ready, within=20)

    def kill(self) -> None:
        """End it with `kill -9`."""
        if self._child is not None:
            self._child.kill()


class WatchedBridge(ServedBridge):
    """The bridge's process; its tasks, its memory and its open files can be seen.

    Args:
        folder: For its store and its configuration, which outlive the process.
        router_url: The router that it is to join.
        settings: More of the configuration.
    """

    def __init__(self, folder: Path, router_url: str, settings: str = "") -> None:
        self._tasks = folder / "tasks.json"
        self.database = folder / "bridge.db"
        program = (str(TESTS / "faults/watched.py"), str(self._tasks))
        super().__init__(folder, router_url, program=program, settings=settings)

    async def tasks(self) -> list[str]:
        """Its asyncio tasks, by the names of their functions."""
        self._tasks.unlink(missing_ok=True)
        os.kill(self.pid, signal.SIGUSR1)
        await eventually(self._tasks.exists)
        names: list[str] = json.loads(self._tasks.read_text(encoding="utf-8"))
        return names

    def open_files(self) -> int:
        """How many files and sockets it has open, but for its database, of which it has a pool."""
        found = 0
        for link in Path(f"/proc/{self.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                found += not str(link.readlink()).startswith(str(self.database))
        return found

    def memory(self) -> int:
        """Its resident memory in bytes."""
        pages = Path(f"/proc/{self.pid}/statm").read_text(encoding="utf-8").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def committed(self) -> dict[str, set[int]]:
        """The publications that it has stored, by topic.

        To be asked while it runs: who closes a database last changes its files.
        """
        found: dict[str, set[int]] = {}
        address = f"file:{self.database}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
            for topic, publication in database.execute(
                "SELECT endpoints.uri, publication FROM received"
                " JOIN endpoints ON endpoints.id = subscription"
            ):
                found.setdefault(topic, set()).add(publication)
        return found
