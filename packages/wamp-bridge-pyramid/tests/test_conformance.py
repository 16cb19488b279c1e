"""The Pyramid adapter does what every adapter must."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pyramid.config import Configurator

from wamp_bridge.core.testing.conformance import AdapterConformance, wsgi_sender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from wamp_bridge.core import Request, Response
    from wamp_bridge.core.testing.conformance import Declares


class Directives:
    """Declares handlers as an app's configuration does."""

    def __init__(self, config: Configurator) -> None:
        self._config = config

    def rpc(self, name: str, **options: Any) -> Any:
        return lambda function: self._config.add_wamp_rpc(function, name, **options)

    def sub(self, name: str, **options: Any) -> Any:
        return lambda function: self._config.add_wamp_sub(function, name, **options)

    def callback(self, name: str, **options: Any) -> Any:
        return lambda function: self._config.add_wamp_callback(function, name, **options)


class TestConformance(AdapterConformance):
    @contextmanager
    def mounted(
        self, declare: Callable[[Declares], None], settings: Mapping[str, Any]
    ) -> Iterator[Callable[[Request], Response]]:
        config = Configurator(settings=dict(settings))
        config.include("wamp_bridge.adapters.pyramid")
        declare(Directives(config))
        yield wsgi_sender(config.make_wsgi_app())
        config.registry["wamp_bridge"].close()
