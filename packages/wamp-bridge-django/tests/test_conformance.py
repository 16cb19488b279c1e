"""The Django adapter does what every adapter must, under WSGI and under ASGI."""

from __future__ import annotations

import types
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.test import override_settings
from django.urls import path

from wamp_bridge.adapters.django import WampBridge
from wamp_bridge.core.testing.conformance import AdapterConformance, asgi_sender, wsgi_sender

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from wamp_bridge.core import Request, Response
    from wamp_bridge.core.testing.conformance import Declares


@contextmanager
def project(declare: Callable[[Declares], None], settings: Mapping[str, Any]) -> Iterator[None]:
    wamp = WampBridge()
    declare(wamp)
    urls = types.ModuleType("urls")
    vars(urls)["urlpatterns"] = [path("wamp/", wamp.dispatcher)]
    with override_settings(ROOT_URLCONF=urls, **settings):
        yield
    wamp.close()


class TestConformanceUnderWSGI(AdapterConformance):
    @contextmanager
    def mounted(
        self, declare: Callable[[Declares], None], settings: Mapping[str, Any]
    ) -> Iterator[Callable[[Request], Response]]:
        with project(declare, settings):
            yield wsgi_sender(get_wsgi_application())


class TestConformanceUnderASGI(AdapterConformance):
    @contextmanager
    def mounted(
        self, declare: Callable[[Declares], None], settings: Mapping[str, Any]
    ) -> Iterator[Callable[[Request], Awaitable[Response]]]:
        with project(declare, settings):
            yield asgi_sender(get_asgi_application())
