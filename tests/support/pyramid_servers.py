"""The ways in which Pyramid apps are served, each as a program with its arguments."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from support.flask_servers import app_environ
from support.processes import Child, free_port

if TYPE_CHECKING:
    from types import TracebackType

APPS = Path(__file__).with_name("apps")
FILES = ("pyramid_app.py", "pyramid_app.ini")

SERVERS = {
    "pserve": "pyramid.scripts.pserve pyramid_app.ini http_port={port}",
    "pserve-with-reloader": "pyramid.scripts.pserve --reload pyramid_app.ini http_port={port}",
    "pserve-of-wsgiref": (
        "pyramid.scripts.pserve --server-name wsgiref pyramid_app.ini http_port={port}"
    ),
    "pserve-of-gunicorn": (
        "pyramid.scripts.pserve --server-name gunicorn pyramid_app.ini http_port={port}"
    ),
    "waitress": "waitress --listen 127.0.0.1:{port} --call pyramid_app:create",
    "gunicorn-4-workers": "gunicorn pyramid_app:create() --bind 127.0.0.1:{port} --workers 4",
    "gunicorn-threads-preloaded": (
        "gunicorn pyramid_app:create() --bind 127.0.0.1:{port} --workers 2 --threads 4 --preload"
    ),
    "gunicorn-of-an-ini-file": (
        "gunicorn --paste pyramid_app.ini --paste-global http_port={port}"
        " --bind 127.0.0.1:{port} --workers 2"
    ),
}


class ServedApp:
    """The Pyramid app of `support/apps`, served in a process of its own.

    Args:
        server: One of `SERVERS`.
        bridge: The URL of its bridge.
        folder: Where it is copied to, and where its events are written.
        port: Where it is served; one that is free if left out.
    """

    def __init__(self, server: str, *, bridge: str, folder: Path, port: int = 0) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.source = f"{self.url}wamp/"
        self._events = folder / "events"
        self._events.touch()
        for name in FILES:
            (folder / name).write_text((APPS / name).read_text())
        environ = app_environ(bridge, self.source, folder)
        command = SERVERS[server].format(port=self.port).split()
        self.child = Child(sys.executable, "-m", *command, environ=environ, folder=folder)

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
        return self._events.read_text().splitlines()
