from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.request
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeVar

import pytest

from support import leaks
from support.waiting import eventually_sync

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

Found = TypeVar("Found")


class Program:
    """A `wamp-bridge` in a process of its own; what it writes is read as it comes."""

    def __init__(
        self, folder: Path, environ: Mapping[str, str], arguments: tuple[str, ...]
    ) -> None:
        # Nothing of the shell that runs the tests.
        own = {key: value for key, value in os.environ.items() if not key.startswith("WAMP_")}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "wamp_bridge_server", *arguments],
            cwd=folder,
            env={**own, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines))
            for stream, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: IO[str], lines: list[str]) -> None:
        with stream:
            lines.extend(line.rstrip("\n") for line in iter(stream.readline, ""))

    def logged(self, event: str, *, within: float = 20.0) -> dict[str, Any]:
        """Wait until it has logged an event."""
        return self._wait(
            lambda: next((line for line in self.logs() if line["event"] == event), None), within
        )

    def logs(self) -> list[dict[str, Any]]:
        """All that it has logged, which it does in JSON here."""
        return [json.loads(line) for line in list(self.err) if line.startswith("{")]

    def printed(self, start: str, *, within: float = 20.0) -> str:
        """Wait until it has printed a line that begins so; the line."""
        return self._wait(
            lambda: next((line for line in list(self.out) if line.startswith(start)), None), within
        )

    def _wait(self, condition: Callable[[], Found | None], within: float) -> Found:
        def met() -> Found | None:
            ended = self.process.poll() is not None
            value = condition()
            assert value or not ended, "\n".join(["it ended:", *self.out, *self.err])
            return value

        found = eventually_sync(met, within=within)
        assert found is not None
        return found

    def end(self, *signals: signal.Signals, within: float = 20.0) -> int:
        """Send signals, if any, and wait for its end; the exit status."""
        for number in signals:
            self.process.send_signal(number)
        status = self.process.wait(within)
        for reader in self._readers:
            reader.join()
        leaks.hear("what wamp-bridge wrote", "\n".join([*self.out, *self.err]).encode())
        return status


class Start(Protocol):
    def __call__(self, *arguments: str, **environ: str) -> Program: ...


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `wamp-bridge` with arguments and variables, in the test's own folder."""
    programs = []

    def start_one(*arguments: str, **environ: str) -> Program:
        programs.append(Program(tmp_path, environ, arguments))
        return programs[-1]

    yield start_one
    for program in programs:
        if program.process.poll() is None:
            program.process.kill()
        program.end()


class Ask(Protocol):
    def __call__(self, url: str, path: str, body: Any = None, *, token: str = ...) -> Any: ...


@pytest.fixture
def ask() -> Ask:
    """Ask a bridge as an app does; the answer's document."""

    def ask_bridge(url: str, path: str, body: Any = None, *, token: str = "shop-token") -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{url}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    return ask_bridge
