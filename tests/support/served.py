"""The real bridge in a process of its own, at a real router, to be killed and started again."""

from __future__ import annotations

import base64
import hashlib
import signal
import sys
from typing import TYPE_CHECKING, Any, Self

import httpx

from support.processes import Child, free_port, listening
from support.waiting import eventually_sync

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


class ServedBridge:
    """`wamp-bridge serve`, with the apps `shop` and `bank`, whose tokens are `token-of-NAME`.

    Args:
        folder: For its store and its configuration, which outlive the process.
        router_url: The router that it is to join; may be away.
        program: What Python is to run, in place of `-m wamp_bridge_server`.
        settings: More of the configuration, from its next table on.
    """

    def __init__(
        self,
        folder: Path,
        router_url: str,
        *,
        program: Sequence[str] = ("-m", "wamp_bridge_server"),
        settings: str = "",
    ) -> None:
        self._folder = folder
        self._program = program
        self._port = free_port()
        self._child: Child | None = None
        self._config = folder / "bridge.toml"
        self._config.write_text(_config(folder, self._port, router_url) + settings)
        self.url = f"http://127.0.0.1:{self._port}/"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._child is not None:
            self._child.stop()

    @property
    def pid(self) -> int:
        """Of the process that serves."""
        assert self._child is not None
        return self._child.pid

    @property
    def output(self) -> str:
        """What it logged since it was started."""
        return self._child.output if self._child is not None else ""

    def start(self) -> None:
        """Start it, and wait until it answers; its router may be away."""
        command = [sys.executable, *self._program, "serve", "--config", str(self._config)]
        child = Child(*command, environ={"TEST_SECRET": SECRET}, folder=self._folder)
        self._child = child

        def live() -> bool:
            assert child.running, child.output
            if not listening(self._port):  # which costs less to ask
                return False
            try:
                return httpx.get(self.url + "health/live", trust_env=False).is_success
            except httpx.TransportError:
                return False

        try:
            eventually_sync(live, within=20)
        except AssertionError:
            child.kill()
            raise

    def stop(self) -> int:
        """End it kindly; its exit status."""
        assert self._child is not None
        return self._child.stop(signal.SIGTERM)

    def kill(self) -> None:
        """End it with `kill -9`."""
        assert self._child is not None
        self._child.kill()

    def wait_until_ready(self, within: float = 20.0) -> None:
        """Wait until it has joined the router."""

        def ready() -> bool:
            return httpx.get(self.url + "health/ready", trust_env=False).is_success

        eventually_sync(ready, within=within)

    def client(self, app: str = "shop", **options: Any) -> httpx.AsyncClient:
        """An HTTP client that asks as an app."""
        headers = {"Authorization": f"Bearer token-of-{app}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, trust_env=False, **options)


def _config(folder: Path, port: int, router_url: str) -> str:
    lines = [
        f'listen = "127.0.0.1:{port}"',
        "[router]",
        f'url = "{router_url}"',
        "[store]",
        f'url = "sqlite:///{folder / "bridge.db"}"',
    ]
    for app in ("shop", "bank"):
        digest = hashlib.sha256(f"token-of-{app}".encode()).hexdigest()
        lines += [
            f"[apps.{app}]",
            f'tokens = ["sha256:{digest}"]',
            'secrets = ["env:TEST_SECRET"]',
            'callbacks = ["127.0.0.1:*"]',
        ]
    return "\n".join(lines) + "\n"
