"""The real bridge in a process of its own, at a real router, to be killed and started again."""

from __future__ import annotations

import base64
import hashlib
import json
import signal
import sys
from typing import TYPE_CHECKING, Any, Self

from support.clients import answers, plain_http
from support.processes import Child, free_port, listening
from support.waiting import eventually_sync

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    import httpx

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


class ServedBridge:
    """`wamp-bridge serve`, with the apps `shop` and `bank`, whose tokens are `token-of-NAME`.

    Args:
        folder: For its store and its configuration, which outlive the process.
        router_url: The router that it is to join; may be away.
        program: What Python is to run, in place of `-m wamp_bridge_server`.
        settings: More of the configuration, from its next table on.
        shop: More lines of the section of that app.
        callbacks: Where the apps' callbacks may go.
        environ: More variables.
    """

    def __init__(
        self,
        folder: Path,
        router_url: str,
        *,
        program: Sequence[str] = ("-m", "wamp_bridge_server"),
        settings: str = "",
        shop: Sequence[str] = (),
        callbacks: str = "127.0.0.1:*",
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = folder
        self._program = program
        self._port = free_port()
        self._child: Child | None = None
        self._config = folder / "bridge.toml"
        text = _config(folder, self._port, router_url, shop, callbacks)
        self._config.write_text(text + settings)
        self._environ = {"TEST_SECRET": SECRET, **(environ or {})}
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
            self._child.__exit__(kind, error, traceback)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return "127.0.0.1", self._port

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
        child = Child(*command, environ=self._environ, folder=self._folder)
        self._child = child

        def live() -> bool:
            assert child.running, child.output
            # Whether it listens costs less to ask.
            return listening(self._port) and answers(self.url + "health/live")

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
        eventually_sync(lambda: answers(self.url + "health/ready"), within=within)

    def check_log(self) -> None:
        """Fail where it logged an error of its own, or the loss of a session at the router."""
        lines = [json.loads(line) for line in self.output.splitlines()]
        failed = [line for line in lines if line["level"] not in {"info", "warning"}]
        assert not failed, json.dumps(failed, indent=1)
        assert "left" not in {line["event"] for line in lines}

    def client(self, app: str = "shop", **options: Any) -> httpx.AsyncClient:
        """An HTTP client that asks as an app."""
        headers = {"Authorization": f"Bearer token-of-{app}"}
        return plain_http(self.url, headers=headers, **options)


def _config(folder: Path, port: int, router_url: str, shop: Sequence[str], callbacks: str) -> str:
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
            f'callbacks = ["{callbacks}"]',
            *(shop if app == "shop" else ()),
        ]
    return "\n".join(lines) + "\n"
