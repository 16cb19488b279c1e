"""The shops of the demo: one app, in four frameworks, each under its usual server."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from examples.demo.programs import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Shop:
    """A shop of examples/.

    Args:
        name: Of its folder.
        framework: As its people write it.
        server: What it runs under.
        arguments: Of Python, to run it; `{port}` is where it listens.
        preparation: Of Python, before it is run.
        knows_users: It logs users in at the router, which therefore is one that asks it.
        form_headers: Of a form that is sent to it.
    """

    name: str
    framework: str
    server: str
    arguments: str
    preparation: tuple[str, ...] = ()
    knows_users: bool = False
    form_headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where it is run."""
        return EXAMPLES / self.name

    def commands(self, port: int, python: str = sys.executable) -> list[list[str]]:
        """What is run to prepare it, and last what runs it."""
        lines = [*self.preparation, self.arguments.format(port=port)]
        return [[python, *line.split()] for line in lines]


_GUNICORN = "--workers 2 --bind 127.0.0.1:{port} --log-level warning --no-control-socket"
_CSRF = 32 * "0"  # Django wants any, the same twice

SHOPS = {
    shop.name: shop
    for shop in (
        Shop("flask", "Flask", "gunicorn", f"-m gunicorn {_GUNICORN} shop:app"),
        Shop(
            "django",
            "Django",
            "gunicorn",
            f"-m gunicorn {_GUNICORN} mysite.wsgi",
            preparation=("manage.py migrate --verbosity 0", "manage.py add_people"),
            knows_users=True,
            form_headers={"Cookie": f"csrftoken={_CSRF}", "X-CSRFToken": _CSRF},
        ),
        Shop(
            "fastapi",
            "FastAPI",
            "uvicorn",
            "-m uvicorn --workers 2 --port {port} --log-level warning shop:app",
        ),
        Shop(
            "pyramid",
            "Pyramid",
            "waitress",
            "-m pyramid.scripts.pserve shop.ini port={port}",
        ),
    )
}
