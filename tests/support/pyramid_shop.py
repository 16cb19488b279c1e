"""Pyramid apps for tests, and a bridge that reaches them through WebTest."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import webtest
from pyramid.config import Configurator
from pyramid.threadlocal import manager

from wamp_bridge.core import Request, Response, generate_secret
from wamp_bridge.core.testing import SignedBridge

if TYPE_CHECKING:
    from collections.abc import Iterator

ADAPTER = "wamp_bridge.adapters.pyramid"
SECRET = generate_secret()


class Shop:
    """An app that is configured, and made when it is first used."""

    def __init__(self, *, include: bool = True, place: str = "/wamp/", **settings: str) -> None:
        given = {
            "wamp_bridge.url": "http://bridge.test/",
            "wamp_bridge.token": "token",
            "wamp_bridge.secret": SECRET,
            "wamp_bridge.callback_url": "http://shop.test/wamp/",
            "wamp_bridge.prefix": "com.shop",
            **{f"wamp_bridge.{name}": value for name, value in settings.items()},
        }
        self.place = place
        self.secret = given["wamp_bridge.secret"]
        self.config = Configurator(settings=given)
        if include:
            self.config.include(ADAPTER)

    @cached_property
    def app(self) -> Any:
        """The app, in WebTest's hands."""
        return webtest.TestApp(self.config.make_wsgi_app())

    @property
    def wamp(self) -> Any:
        """What `request.wamp` is."""
        return self.config.registry["wamp_bridge"]

    @property
    def bridge(self) -> SignedBridge:
        """A bridge that reaches the app and knows its secret."""
        return SignedBridge(self.send, [self.secret])

    def send(self, request: Request) -> Response:
        """Bring a request to the dispatcher, and its answer back."""
        answer = self.app.request(
            self.place + request.path,
            method=request.method,
            headers=dict(request.headers),
            body=request.body,
            expect_errors=True,
        )
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Response(answer.status_code, headers, answer.body)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Run code as where this is Pyramid's current app."""
        manager.push({"request": None, "registry": self.config.registry})
        try:
            yield
        finally:
            manager.pop()
