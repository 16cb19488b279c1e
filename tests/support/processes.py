"""Programs that tests start, talk with and end."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from support import leaks
from support.waiting import eventually_sync

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

_FAREWELL_SECONDS = 10.0
_TOLD_LINES = 40
# Above what services have, below what Linux gives to connections.
_FIRST_PORT, _PORTS, _SHARES = 10_000, 22_768, 16
_given: set[int] = set()


class Child:
    """A program in a process group of its own; what it writes is read as it comes.

    Args:
        *command: The program and its arguments.
        environ: Put over this process's environment; None takes a variable away.
        folder: Where it runs.
    """

    def __init__(
        self, *command: str, environ: Mapping[str, str | None] | None = None, folder: Path
    ) -> None:
        self._command, self._folder = command, folder
        merged = {**os.environ, "PYTHONUNBUFFERED": "1", **(environ or {})}
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env={name: value for name, value in merged.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        status = self._process.poll()
        self.stop()
        if error is not None:
            state = "ran" if status is None else f"had ended with status {status}"
            told = "\n".join(self.lines[-_TOLD_LINES:])
            error.add_note(f"{' '.join(self._command)} {state} and had written:\n{told}")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def line_with(self, text: str, *, within: float = 20.0) -> str:
        """Wait for a line that holds a text."""

        def found() -> str | None:
            if self._process.poll() is not None:
                self._reader.join(_FAREWELL_SECONDS)
                assert text in self.output, f"ended without {text!r}:\n{self.output}"
            return next((line for line in self.lines if text in line), None)

        return eventually_sync(found, within=within) or ""

    def wait(self, *, within: float = 30.0) -> int:
        """Wait for its end by itself; its exit status."""
        status = self._process.wait(within)
        self._close()
        return status

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """End it and its children, kindly first; its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signum)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_FAREWELL_SECONDS)
        self._kill_group()
        self._close()
        return self._process.returncode

    def kill(self) -> None:
        """End it and its children with no chance to say anything."""
        self._kill_group()
        self._close()

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_FAREWELL_SECONDS)

    def _close(self) -> None:
        self._reader.join(_FAREWELL_SECONDS)
        if self._process.stdout is not None and not self._process.stdout.closed:
            self._process.stdout.close()
            leaks.hear("what a program wrote", self.output.encode())
            leaks.hear_databases(self._folder)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))


def program(name: str) -> str:
    """A command that was installed beside this Python."""
    return str(Path(sys.executable).with_name(name))


def free_port() -> int:
    """A port of the loopback interface that nobody listens on, given once only.

    None of those that the system gives to outgoing connections, of which one might have it before
    the program that it is meant for; and none that a test in another process beside this one gets.
    """
    share = _PORTS // _SHARES
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _SHARES
    first = _FIRST_PORT + worker * share
    while True:
        port = random.randrange(first, first + share)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port


def listening(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
