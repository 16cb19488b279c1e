"""Follows a page of the documentation word for word, as its reader does.

Files are written, commands are typed into terminals, and what appears is compared with what the
page shows: `...` there stands for anything. Only the ports of URLs are changed, so that pages
don't meet.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from repository.pages import blocks
from support import leaks
from support.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType

    from repository.pages import Block

DEADLINE = 60.0  # seconds
FIRST_USE = 600.0  # the router's environment may have to be made
_END = "--- end of a command ---"

# The ports that a reader has: the bridge's, the router's, `flask run`'s, a plain app's and two
# more for Django, Pyramid's.
PORTS = ("8181", "8080", "5000", "8000", "8001", "8002", "6543")


class NotAsShown(AssertionError):  # noqa: N818 - named for what the page isn't
    """What appeared isn't what the page shows."""


class Terminal:
    """A shell that commands are typed into; its output is read as it comes."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=folder,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._folder = folder
        self._lines: list[str] = []
        self._seen = 0
        self._ended = False
        self._patience = DEADLINE
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._shell.stdout is not None
        for line in self._shell.stdout:
            with self._news:
                self._lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def start(self, command: str) -> None:
        """Type a command; a line will tell its end."""
        assert self._shell.stdin is not None
        self._patience = FIRST_USE if "wamp-bridge dev" in command else DEADLINE
        self._shell.stdin.write(f"{{ {command}\n}} </dev/null\n")
        self._shell.stdin.write(f"printf '\\n%s %s\\n' '{_END}' $?\n")
        self._shell.stdin.flush()

    def run(self, command: str) -> list[str]:
        """Type a command, wait for its end, and get what it wrote. It has to succeed."""
        self.start(command)
        end = time.monotonic() + self._patience
        with self._news:
            while not any(line.startswith(_END) for line in self._lines[self._seen :]):
                self._wait(end, f"the end of: {command}")
            output = self._lines[self._seen :]
        at = next(index for index, line in enumerate(output) if line.startswith(_END))
        self._seen += at + 1
        written = output[:at]
        while written and not written[-1]:
            written.pop()
        if output[at] != f"{_END} 0":
            raise NotAsShown("\n".join([f"{command} failed:", *written]))
        return written

    def wait_for(self, shown: list[str]) -> None:
        """Wait until all these lines have appeared, in this order, others between them."""
        end = time.monotonic() + self._patience
        for line in (each for each in shown if each != "..."):  # any number of lines, also none
            pattern = _pattern(line)
            with self._news:
                while not self._find(pattern):
                    gone = any(new.startswith(_END) for new in self._lines[self._seen :])
                    self._wait(0 if gone else end, line)

    def exports(self) -> list[str]:
        """Find the `export` lines that a program printed for the reader to paste."""
        with self._news:
            return [line.strip() for line in self._lines if line.strip().startswith("export ")]

    def close(self) -> None:
        """Press Ctrl-C, and wait until all that was started here has ended."""
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        os.killpg(self._shell.pid, signal.SIGINT)
        try:
            self._reader.join(30)
            if self._reader.is_alive():
                raise NotAsShown("\n".join(["Ctrl-C did not end:", *self._lines]))
            leaks.hear("a terminal", "\n".join(self._lines).encode())
            leaks.hear_databases(self._folder)
        finally:
            if self._reader.is_alive():
                os.killpg(self._shell.pid, signal.SIGKILL)
                self._reader.join()
            self._shell.wait()
            assert self._shell.stdout is not None
            self._shell.stdout.close()

    def _find(self, pattern: re.Pattern[str]) -> bool:
        for index in range(self._seen, len(self._lines)):
            if pattern.fullmatch(self._lines[index]):
                self._seen = index + 1
                return True
        return False

    def _wait(self, end: float, what: str) -> None:
        left = end - time.monotonic()
        if self._ended or left <= 0 or not self._news.wait(left):
            raise NotAsShown("\n".join([f"{what!r} did not appear after:", *self._lines]))


class Player:
    """One reader, with as many terminals as the page names, in one folder.

    Args:
        folder: Where the reader works.
        ports: What is listened at in the place of the page's ports.
        newcomer: A clone of the repository, in which is installed what the page says, and the
            reader's home. Left out, all is installed already.
        router: The URL of one that runs, for `wamp-bridge dev` to take. Left out, that starts
            its own.
    """

    def __init__(
        self,
        folder: Path,
        ports: Mapping[str, int],
        *,
        newcomer: tuple[Path, Path] | None = None,
        router: str | None = None,
    ) -> None:
        self._folder = folder
        self._router = f"--router {router}" if router else "--router-listen 127.0.0.1:8080"
        self._ports = {number: str(port) for number, port in ports.items()}
        self._clone = newcomer[0] if newcomer else None
        self._terminals: dict[str, Terminal] = {}
        known = _at_home(newcomer[1]) if newcomer else _with_ours_installed()
        self._environ = {
            **os.environ,
            **known,
            "PYTHONUNBUFFERED": "1",
            "FLASK_RUN_PORT": self._ports.get("5000", "5000"),
            "CURL_HOME": str(folder / ".curl"),
        }
        # On a screen curl shows no progress; here it would.
        (folder / ".curl").mkdir()
        (folder / ".curl" / ".curlrc").write_text("silent\nshow-error\n", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # The last opened first: an app before the bridge that it talks to.
        for terminal in reversed(self._terminals.values()):
            terminal.close()

    def play(self, page: Path) -> None:
        """Do all that the page says."""
        for _ in self.steps(page):
            pass

    def steps(self, page: Path) -> Iterator[Block]:
        """Do what the page says, block by block; each when it is done."""
        written: list[str] | None = None  # by the block before; None where it goes on running
        last = ""
        for block in blocks(page):
            if block.language == "bash":
                last = block.caption
                written = self._type(block)
            elif block.is_output:
                self._compare(block, written, last)
            elif "." in block.caption:
                path = self._folder / block.caption
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("a" if block.adds else "w", encoding="utf-8") as file:
                    file.write(self._ported(block.text))
            yield block

    def _type(self, block: Block) -> list[str] | None:
        written: list[str] = []
        if block.installs and self._clone is None:
            return written
        terminal = self._terminal(block.caption, installs=block.installs)
        *commands, last = [self._ported(self._listening(text)) for text in block.commands()]
        for command in commands:
            written += terminal.run(command)
        if block.stays:
            terminal.start(last)
            return None
        return written + terminal.run(last)

    def _compare(self, block: Block, written: list[str] | None, last: str) -> None:
        expected = self._ported(block.text).splitlines()
        if written is None or block.caption:
            self._terminal(block.caption or last).wait_for(expected)
        elif not _alike(written, expected):
            shown = "\n".join(written)
            raise NotAsShown(f"line {block.line}: not as shown, but:\n{shown}")

    def _terminal(self, name: str, *, installs: bool = False) -> Terminal:
        if name not in self._terminals:
            folder = self._clone if installs and self._clone else self._folder
            terminal = Terminal(folder, self._environ)
            if self._clone and not installs:
                terminal.run(f". {self._clone}/venv/bin/activate")
            pasted = [line for other in self._terminals.values() for line in other.exports()]
            self._terminals[name] = terminal
            for line in pasted:
                terminal.run(line)
        return self._terminals[name]

    def _listening(self, command: str) -> str:
        """Give `wamp-bridge dev` and `runserver` the ports that the reader would leave out."""
        command = command.replace("manage.py runserver", "manage.py runserver 127.0.0.1:8000")
        options = f"--listen 127.0.0.1:8181 {self._router}"
        return command.replace("wamp-bridge dev", f"wamp-bridge dev {options}")

    def _ported(self, text: str) -> str:
        place = (
            r"(//127\.0\.0\.1:|--port "
            r"|(?:--bind |runserver |-?listen |listen = |_LISTEN=)127\.0\.0\.1:)"
        )
        for number, port in self._ports.items():
            text = re.sub(rf"{place}{number}\b", rf"\g<1>{port}", text)
        return text


def free_ports(numbers: Iterable[str]) -> dict[str, int]:
    """Find a free port for each of a page's."""
    return {number: free_port() for number in numbers}


def _with_ours_installed() -> dict[str, str]:
    """The environment in which all that pages install is there: this program's own."""
    ours = str(Path(sys.executable).parent)
    return {"PATH": os.pathsep.join([ours, os.environ["PATH"]])}


def _at_home(home: Path) -> dict[str, str]:
    """The environment of one who has nothing yet, not even what this program runs in."""
    ours = str(Path(sys.executable).parent)
    path = [folder for folder in os.environ["PATH"].split(os.pathsep) if folder != ours]
    return {"HOME": str(home), "XDG_CACHE_HOME": "", "PATH": os.pathsep.join(path)}


def _pattern(line: str) -> re.Pattern[str]:
    """What a line may be: `...` is anything, and columns may be of another width."""
    anything = ".*".join(re.escape(part) for part in line.split("..."))
    return re.compile(re.sub(r"(\\ )+", " +", anything))


def _alike(written: list[str], expected: list[str]) -> bool:
    """Whether the lines are the expected ones; a line of `...` stands for any number of them."""
    if not expected:
        return not written
    if expected[0] == "...":
        return any(_alike(written[index:], expected[1:]) for index in range(len(written) + 1))
    matched = bool(written) and _pattern(expected[0]).fullmatch(written[0])
    return bool(matched) and _alike(written[1:], expected[1:])
