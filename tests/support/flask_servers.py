"""The ways in which Flask apps are served, each as a program with its arguments."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from support.bridges import SECRET, token_of
from support.processes import Child, free_port

if TYPE_CHECKING:
    from types import TracebackType

APPS = Path(__file__).with_name("apps")

SERVERS = {
    "flask-run": "flask --app plain:app run --port {port}",
    "flask-run-with-reloader": "flask --app plain:app run --port {port} --debug",
    "flask-run-of-a-factory": "flask --app factory run --port {port}",
    "app-run": "plain {port}",
    "gunicorn-1-worker": "gunicorn plain:app --bind 127.0.0.1:{port}",
    "gunicorn-1-worker-preloaded": "gunicorn plain:app --bind 127.0.0.1:{port} --preload",
    "gunicorn-2-workers": "gunicorn plain:app --bind 127.0.0.1:{port} --workers 2",
    "gunicorn-4-workers": "gunicorn plain:app --bind 127.0.0.1:{port} --workers 4",
    "gunicorn-4-workers-preloaded": (
        "gunicorn plain:app --bind 127.0.0.1:{port} --workers 4 --preload"
    ),
    "gunicorn-threads": "gunicorn plain:app --bind 127.0.0.1:{port} --workers 2 --threads 4",
    "gunicorn-of-a-factory": "gunicorn factory:create_app() --bind 127.0.0.1:{port} --workers 2",
    "gunicorn-gevent-preloaded": (
        "gunicorn plain:app --bind 127.0.0.1:{port} --workers 2 --worker-class gevent --preload"
    ),
    "waitress": "waitress --listen 127.0.0.1:{port} plain:app",
}


class ServedApp:
    """A Flask app of `support/apps`, served in a process of its own.

    Args:
        server: One of `SERVERS`.
        bridge: The URL of its bridge.
        folder: Where its events are written.
        apps: Where the app is, if not among those of `support/apps`.
        source: Where the bridge reaches its dispatcher, if not at this very server.
    """

    def __init__(
        self, server: str, *, bridge: str, folder: Path, apps: Path = APPS, source: str = ""
    ) -> None:
        self.port = port = free_port()
        self.url = f"http://127.0.0.1:{port}/"
        self.source = source or f"{self.url}wamp/"
        self._events = folder / "events"
        self._events.touch()
        environ = app_environ(bridge, self.source, folder)
        command = SERVERS[server].format(port=port).split()
        self.child = Child(sys.executable, "-m", *command, environ=environ, folder=apps)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.child.__exit__(kind, error, traceback)

    def events(self) -> list[str]:
        """The texts that its topic has brought, in all its processes."""
        return [line.split()[0] for line in self._events.read_text().splitlines()]


def app_environ(bridge: str, source: str, folder: Path) -> dict[str, str]:
    """What an app of `support/apps` finds in its environment."""
    return {
        "WAMP_BRIDGE_URL": bridge,
        "WAMP_BRIDGE_TOKEN": token_of("shop"),
        "WAMP_BRIDGE_SECRET": SECRET,
        "WAMP_BRIDGE_CALLBACK_URL": source,
        "WAMP_BRIDGE_PREFIX": "com.shop",
        "EVENTS_FILE": str(folder / "events"),
    }
