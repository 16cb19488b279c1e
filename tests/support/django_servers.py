"""A fresh Django project, and the ways in which it is served."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from support.flask_servers import app_environ
from support.processes import Child, free_port

if TYPE_CHECKING:
    from types import TracebackType

APPS = Path(__file__).with_name("apps")

SERVERS = {
    "runserver": "manage.py runserver --noreload {port}",
    "runserver-with-reloader": "manage.py runserver {port}",
    "gunicorn-1-worker": "-m gunicorn mysite.wsgi --bind 127.0.0.1:{port}",
    "gunicorn-4-workers": "-m gunicorn mysite.wsgi --bind 127.0.0.1:{port} --workers 4",
    "gunicorn-threads-preloaded": (
        "-m gunicorn mysite.wsgi --bind 127.0.0.1:{port} --workers 2 --threads 4 --preload"
    ),
    "waitress": "-m waitress --listen 127.0.0.1:{port} mysite.wsgi:application",
    "uvicorn": "-m uvicorn mysite.asgi:application --port {port}",
    "uvicorn-2-workers": "-m uvicorn mysite.asgi:application --port {port} --workers 2",
    "uvicorn-with-reloader": "-m uvicorn mysite.asgi:application --port {port} --reload",
}

SETTINGS = """
INSTALLED_APPS += ["wamp_bridge.adapters.django", "shop"]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"wamp_bridge": {"handlers": ["console"], "level": "INFO"}},
}
"""

URLS = """
from wamp_bridge.adapters.django import dispatcher

urlpatterns += [path("wamp/", dispatcher)]
"""


def start_project(folder: Path) -> Path:
    """What `django-admin startproject` makes: `mysite` and its `manage.py`; the settings file."""
    command = [sys.executable, "-m", "django", "startproject", "mysite", str(folder)]
    subprocess.run(command, check=True)
    return folder / "mysite" / "settings.py"


def start_shop(folder: Path) -> Path:
    """A fresh project with one app, whose handlers are those of `support/apps/django_wamp.py`."""
    settings = start_project(folder)
    append(settings, SETTINGS)
    append(folder / "mysite" / "urls.py", URLS)
    shop = folder / "shop"
    shop.mkdir()
    (shop / "__init__.py").touch()
    (shop / "wamp.py").write_text((APPS / "django_wamp.py").read_text())
    return settings


def append(file: Path, text: str) -> None:
    """Add to the end of a file."""
    with file.open("a") as opened:
        opened.write(text)


class ServedProject:
    """A project in a folder, served in a process of its own.

    Args:
        server: One of `SERVERS`.
        bridge: The URL of its bridge.
        folder: Where it is, and where its events are written.
        prefix: Of its procedures and topics.
    """

    def __init__(
        self, server: str, *, bridge: str, folder: Path, prefix: str | None = "com.shop"
    ) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/"
        self.source = f"{self.url}wamp/"
        self._events = folder / "events"
        self._events.touch()
        environ = {**app_environ(bridge, self.source, folder), "WAMP_BRIDGE_PREFIX": prefix}
        command = SERVERS[server].format(port=port).split()
        self.child = Child(sys.executable, *command, environ=environ, folder=folder)

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
        return self._events.read_text().split()
