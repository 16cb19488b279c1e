"""Crossbar as a child process that ends with us, however we end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from wamp_bridge_server.devrouter.config import node_config
from wamp_bridge_server.devrouter.environment import LOG_TAIL, crossbar_executable
from wamp_bridge_server.devrouter.errors import RouterError
from wamp_bridge_server.devrouter.handshake import router_answers
from wamp_bridge_server.devrouter.ports import free_port, obstacle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

_POLL: Final = 0.05
_KEPT_SETTINGS: Final = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "USER")


class CrossbarRouter:
    """A Crossbar with one realm, speaking RawSocket and WebSocket (at `/ws`) on one port.

    Its methods block: starting takes some 3 s, and a minute or two more where the private
    environment has to be made first. Not for several threads, save that `stop` may be called from
    another one to cut a `start` short. Needs a POSIX system.

    Args:
        host: Address to listen at.
        port: Port to listen at; 0 takes a free one, which is then kept over restarts.
        realm: Name of the realm.
        directory: Where the node's files and its log are kept; by default a temporary directory.
        executable: Another `crossbar` than the one of the private environment.
        roles: See `node_config`.
        auth: See `node_config`.
        web: See `node_config`.
        store: See `node_config`.
        realms: See `node_config`.
        transports: See `node_config`.
        progress: Is told, in a sentence, what takes long.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        realm: str = "realm1",
        directory: Path | None = None,
        executable: Path | None = None,
        roles: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
        auth: Mapping[str, Any] | None = None,
        web: Mapping[str, Mapping[str, Any]] | None = None,
        store: Mapping[str, Any] | None = None,
        realms: Sequence[str] = (),
        transports: Sequence[Mapping[str, Any]] = (),
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.realm = realm
        self._given_directory = directory
        self._directory: Path | None = None
        self._executable = executable
        self._roles = roles
        self._auth = auth
        self._web = web
        self._store = store
        self._realms = realms
        self._transports = transports
        self._progress = progress
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._group: int | None = None

    @property
    def url(self) -> str:
        """The RawSocket address, `rs://HOST:PORT`."""
        return f"rs://{self._authority}"

    @property
    def websocket_url(self) -> str:
        """The WebSocket address, `ws://HOST:PORT/ws`."""
        return f"ws://{self._authority}/ws"

    @property
    def _authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def running(self) -> bool:
        """Whether the process is there; a suspended one is."""
        return self._supervisor is not None and self._supervisor.poll() is None

    @property
    def log(self) -> str:
        """The end of what the router wrote since it was started."""
        if self._directory is None:
            return ""
        with suppress(FileNotFoundError):
            return (self._directory / "router.log").read_text(errors="replace")[-LOG_TAIL:]
        return ""

    def start(self, *, timeout: float = 60.0) -> None:
        """Start the router and return when it lets sessions in.

        Raises:
            RouterError: The environment can't be made, the address can't be listened on, the router
                ended or did not answer within `timeout` seconds.
        """
        if self.running:
            return
        executable = self._executable or crossbar_executable(progress=self._progress)
        reason = obstacle(self.host, self.port)
        if reason is not None:
            raise RouterError(f"cannot start the router at {self._authority}: {reason}")
        if self.port == 0:
            self.port = free_port(self.host)
        try:
            self._spawn(executable)
            self._wait_until_ready(timeout)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the router; returns when all its processes are gone."""
        supervisor, self._supervisor, self._group = self._supervisor, None, None
        if supervisor is not None:
            with supervisor:
                # The end of its input tells the supervisor to end the router and itself.
                if supervisor.stdin is not None:
                    supervisor.stdin.close()
                supervisor.wait()
        if self._given_directory is None and self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def kill(self) -> None:
        """End the router at once, as `kill -9` of all its processes."""
        self._signal(signal.SIGKILL)
        self.stop()

    def suspend(self) -> None:
        """Stop the router's processes (SIGSTOP): connections stay open, nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let suspended processes go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def wait(self) -> int:
        """Wait until the router ends by itself; its exit status."""
        if self._supervisor is None:
            return 0
        return self._supervisor.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _spawn(self, executable: Path) -> None:
        self._directory = self._given_directory or Path(tempfile.mkdtemp(prefix="wamp-bridge-"))
        node = self._directory / ".crossbar"
        node.mkdir(parents=True, exist_ok=True)
        # Left by a router that was killed; its process id may be another program's by now.
        (node / "node.pid").unlink(missing_ok=True)
        config = node_config(
            host=self.host,
            port=self.port,
            realm=self.realm,
            roles=self._roles,
            auth=self._auth,
            web=self._web,
            store=self._store,
            realms=self._realms,
            transports=self._transports,
        )
        # It holds the tickets and secrets of those who may join.
        target = os.open(node / "config.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(target, "w") as file:
            json.dump(config, file)
        command = [str(executable), "start", "--cbdir", str(node), "--loglevel", "warn"]
        with (
            as_file(files(__package__).joinpath("supervisor.py")) as program,
            (self._directory / "router.log").open("wb") as log,
        ):
            self._supervisor = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-I", "-S", str(program), *command],
                # Nothing else of ours: what we know of tokens and secrets is not the router's.
                env={key: os.environ[key] for key in _KEPT_SETTINGS if key in os.environ},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
            said = self._supervisor.stdout.readline() if self._supervisor.stdout else b""
        if not said.strip().isdigit():
            raise RouterError(f"cannot start the router {executable}", self.log)
        self._group = int(said)

    def _wait_until_ready(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not router_answers(self.host, self.port, self.realm):
            supervisor = self._supervisor
            if supervisor is None:
                raise RouterError("the router was stopped while it started")
            if supervisor.poll() is not None:
                raise RouterError("the router ended while it started", self.log)
            if time.monotonic() > deadline:
                raise RouterError(f"the router did not answer within {timeout:g} s", self.log)
            time.sleep(_POLL)

    def _signal(self, number: signal.Signals) -> None:
        if self._group is not None and self.running:
            with suppress(ProcessLookupError):
                os.killpg(self._group, number)
