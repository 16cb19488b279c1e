"""Takes a changed configuration while the bridge runs: at SIGHUP, and when a file changed.

The files are looked at a few times a second: that works on every file system, also where a file is
replaced by another through a link, as Kubernetes does.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import structlog

from wamp_bridge_server.config import ConfigError, Problem, load

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from wamp_bridge_server.bridge import Bridge
    from wamp_bridge_server.config import Config

LOOK_SECONDS = 0.2

_Stamps = dict["Path", tuple[int, ...] | None]

log = structlog.get_logger("wamp_bridge.cli")


class Hangup:
    """Notes that a SIGHUP came; what is called for it."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def __call__(self) -> None:
        self._event.set()

    async def wait(self, within: float) -> bool:
        """Whether one came since the last time, or within so many seconds."""
        try:
            async with asyncio.timeout(within):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Watch:
    """Keeps a bridge by its configuration.

    Args:
        bridge: The bridge, started.
        config: What it was started with.
        path: The file that says it; None where the environment says all.
        hangup: Tells of each SIGHUP.
    """

    def __init__(self, bridge: Bridge, config: Config, path: Path | None, hangup: Hangup) -> None:
        self._bridge = bridge
        self._config = config
        self._path = path
        self._hangup = hangup
        self._files: set[Path] = set() if path is None else {path}
        self._read_at: _Stamps = {}

    async def run(self) -> None:
        """Watch until cancelled."""
        if await asyncio.to_thread(_pipes, self._files):
            self._read_at = await asyncio.to_thread(_stamps, self._files)
        else:
            await self._reload(told=False)  # it may have changed while the bridge was starting
        before = self._read_at
        while True:
            asked = await self._hangup.wait(LOOK_SECONDS)
            now = await asyncio.to_thread(_stamps, self._files)
            # A file that is still being written is let alone until it stands still.
            if asked or (now != self._read_at and now == before):
                await self._reload(told=asked)
                now = self._read_at
            before = now

    async def _reload(self, *, told: bool) -> None:
        try:
            config = await self._read()
            fixed = await self._bridge.reload(config)
        except ConfigError as error:
            for problem in error.problems:
                log.error(  # noqa: TRY400 - no bug of ours
                    "configuration not taken, nothing is changed",
                    where=problem.where,
                    key=problem.key,
                    problem=problem.message,
                )
            return
        if config == self._config and not told:
            return  # a certificate's file changed, or nothing that counts
        self._config = config
        log.info("configuration taken", apps=len(config.apps))
        for key in fixed:
            log.warning("takes another start, and is left as it was", key=key)

    async def _read(self) -> Config:
        """The configuration, and how its files looked before it was read."""
        while True:
            self._read_at = await asyncio.to_thread(_stamps, self._files)
            for path in await asyncio.to_thread(_pipes, self._files):
                # Who reads one again may wait without end.
                raise ConfigError([Problem(str(path), "", "is no file that can be read again")])
            found: set[Path] = set()
            try:
                config = await asyncio.to_thread(load, self._path, os.environ, files=found)
            except ConfigError:
                if self._knew(found):
                    raise
            else:
                if self._knew(found):
                    return config

    def _knew(self, found: set[Path]) -> bool:
        """Whether all files were known; else they are from now on."""
        known, self._files = self._files, self._files | found
        return found <= known


def _pipes(files: Iterable[Path]) -> list[Path]:
    """Those that are there, and are no files as others."""
    return [path for path in files if path.exists() and not path.is_file()]


def _stamps(files: Iterable[Path]) -> _Stamps:
    """What changes with a file; None where there is none."""
    stamps: _Stamps = {}
    for path in files:
        try:
            found = path.stat()
        except OSError:
            stamps[path] = None
        else:
            stamps[path] = (
                found.st_mtime_ns,
                found.st_ctime_ns,
                found.st_size,
                found.st_ino,
                found.st_dev,
            )
    return stamps
