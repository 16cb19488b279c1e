"""Programs that the demo starts, listens to and ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from examples.demo.stage import SCENE_SECONDS, DemoError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

EXAMPLES = Path(__file__).resolve().parent.parent

_FAREWELL_SECONDS = 10.0
_LAST_WORDS_SECONDS = 1.0
_PORTS = (10_000, 32_768)  # above what services have, below what Linux gives to connections


class PeerError(DemoError):
    """A small WAMP program ended with an error, which it has printed."""


class Program:
    """A program that the demo has started; `tell` gets its lines, and the last few are kept."""

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        self.name = name
        self.tail: list[str] = []
        self._process = process
        self._reader: asyncio.Task[None] | None = None
        self._ending = False
        self._has_succeeded = False

    @classmethod
    async def start(
        cls,
        name: str,
        *command: str,
        tell: Callable[[str], Awaitable[None]],
        environ: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> Program:
        """Start it, in a process group of its own so that Ctrl-C is the demo's to handle."""
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environ or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        program = cls(process, name)
        program._reader = asyncio.create_task(program._read(tell))
        return program

    async def _read(self, tell: Callable[[str], Awaitable[None]]) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        async for line in self._process.stdout:
            text = line.decode(errors="replace").rstrip()
            self.tail = [*self.tail[-19:], text]
            if not self._ending:  # farewells are of no interest
                await tell(text)

    async def until(self, event: asyncio.Event, seconds: float) -> None:
        """Wait for something that it brings about."""
        happened = asyncio.create_task(event.wait())
        ended = asyncio.create_task(self._process.wait())
        await asyncio.wait({happened, ended}, timeout=seconds, return_when="FIRST_COMPLETED")
        happened.cancel()
        ended.cancel()
        if not event.is_set():
            raise DemoError(f"{self.name} didn't start:\n" + "\n".join(self.tail))

    async def succeed(self, seconds: float) -> None:
        """Wait for its end."""
        try:
            async with asyncio.timeout(seconds):
                status = await self._process.wait()
        except TimeoutError:
            raise DemoError(f"{self.name} took longer than {seconds:g} s") from None
        if status != 0:
            if self._reader is not None:
                await self._reader
            raise DemoError(f"{self.name} didn't start:\n" + "\n".join(self.tail))
        self._has_succeeded = True

    async def outlast(self) -> None:
        """Wait for an end that it shouldn't have; for ever where it was to end, and did."""
        status = await self._process.wait()
        if self._has_succeeded:
            await asyncio.Event().wait()
        if self._reader is not None:  # which those whom it leaves behind may keep busy
            await asyncio.wait({self._reader}, timeout=_LAST_WORDS_SECONDS)
        how = f"with status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"
        raise DemoError(f"{self.name} has ended {how}:\n" + "\n".join(self.tail))

    async def stop(self) -> None:
        """End it by its pid: kindly, then its whole group."""
        self._ending = True
        if self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    await self._process.wait()
            except TimeoutError:
                os.killpg(self._process.pid, signal.SIGKILL)
                await self._process.wait()
        elif not self._has_succeeded:
            with contextlib.suppress(ProcessLookupError):  # it may have left nobody behind
                os.killpg(self._process.pid, signal.SIGKILL)
        if self._reader is not None:
            await self._reader


async def outlast(programs: Sequence[Program]) -> None:
    """Go on as long as all of them do.

    Raises:
        DemoError: One has ended; says which, and what it said last.
    """
    watching = [asyncio.create_task(program.outlast()) for program in programs]
    try:
        await asyncio.gather(*watching)
    finally:
        for each in watching:
            each.cancel()


async def run_peer(script: str, *arguments: str) -> Any:
    """Run one of the small WAMP programs of examples/peers to its end; what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / "peers" / script),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SCENE_SECONDS):
            output, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise DemoError(f"{script} had no answer within {SCENE_SECONDS:g} s") from None
    if process.returncode != 0:
        raise PeerError(f"{script}: {errors.decode().strip()}")
    return json.loads(output) if output.strip() else None


def free_port() -> int:
    """A port that nobody listens on; the bridge must know it before the shop starts.

    None of those that systems give to outgoing connections, of which one might have it before the
    program that it is meant for.
    """
    while True:
        port = random.randrange(*_PORTS)  # noqa: S311 - no secret
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
