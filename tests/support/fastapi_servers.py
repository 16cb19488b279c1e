"""The ways in which FastAPI and Starlette apps are served, each as a program with its arguments."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from support.flask_servers import app_environ
from support.processes import Child, free_port

if TYPE_CHECKING:
    from types import TracebackType

APPS = Path(__file__).with_name("apps")
FILES = ("fastapi_app.py", "starlette_app.py")

SERVERS = {
    "uvicorn": "uvicorn fastapi_app:app --port {port}",
    "uvicorn-of-a-factory": "uvicorn --factory fastapi_app:create --port {port}",
    "uvicorn-3-workers": "uvicorn fastapi_app:app --port {port} --workers 3",
    "uvicorn-with-reloader": "uvicorn fastapi_app:app --port {port} --reload",
    "uvicorn-without-lifespan": "uvicorn fastapi_app:app --port {port} --lifespan off",
    "uvicorn-within-a-script": "fastapi_app {port}",
    "fastapi-dev": "fastapi dev fastapi_app.py --port {port}",
    "gunicorn-2-workers": (
        "gunicorn fastapi_app:app --bind 127.0.0.1:{port} --workers 2"
        " --worker-class uvicorn_worker.UvicornWorker"
    ),
    "starlette": "uvicorn starlette_app:app --port {port}",
}


class ServedApp:
    """An app of `support/apps`, served in a process of its own.

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
        self.folder = folder
        (folder / "events").touch()
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
        """The texts that its topic has brought, in all its processes, and what it notes."""
        return (self.folder / "events").read_text().splitlines()
