"""The Flask adapter does what every adapter must."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flask import Flask

from wamp_bridge.adapters.flask import WampBridge
from wamp_bridge.core.testing.conformance import AdapterConformance, wsgi_sender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from wamp_bridge.core import Request, Response
    from wamp_bridge.core.testing.conformance import Declares


class TestConformance(AdapterConformance):
    @contextmanager
    def mounted(
        self, declare: Callable[[Declares], None], settings: Mapping[str, Any]
    ) -> Iterator[Callable[[Request], Response]]:
        wamp = WampBridge()
        declare(wamp)
        app = Flask("example")
        app.config.update(settings)
        app.register_blueprint(wamp.dispatcher, url_prefix="/wamp")
        yield wsgi_sender(app)
        wamp.close()
