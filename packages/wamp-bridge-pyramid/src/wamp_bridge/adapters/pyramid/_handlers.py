"""How handlers get into an app: found by `config.scan()`, or named by a directive."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import venusian
from pyramid.registry import Deferred
from pyramid.request import Request

from wamp_bridge.core import ConfigurationError, Handler, Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyramid.config import Configurator

    from wamp_bridge.core import WampBridgeBase

_CATEGORY: Final = "pyramid"  # the one that `config.scan()` looks for


class _Handed(Registry):
    """Hands on what is declared, and keeps nothing."""

    def __init__(self, take: Callable[[Handler], None]) -> None:
        super().__init__(Request)
        self._take = take

    def add(self, handler: Handler) -> None:
        self._take(handler)


def scanned_registry() -> Registry:
    """What leaves declared handlers with their functions, for each app to find by a scan."""
    return _Handed(_attach)


def _attach(handler: Handler) -> None:
    def found(context: Any, _name: str, _function: object) -> None:
        config = context.config.with_package(info.module)
        if not hasattr(config, "add_wamp_handler"):
            raise ConfigurationError(
                f"{handler.place}: config.include('wamp_bridge.adapters.pyramid') must come "
                "before config.scan()"
            )
        config.add_wamp_handler(handler, _info=info.codeinfo)

    # Three frames up is the module of the decorated function.
    info = venusian.attach(handler.function, found, category=_CATEGORY, depth=3)
    if info.scope == "class":
        raise ConfigurationError(f"{handler.place} is a method: a handler must be a function")


def add_directives(config: Configurator, wamp: WampBridgeBase) -> None:
    """Add `config.add_wamp_rpc(function, name=None, **options)`, and its like, to an app.

    Two handlers of one name are in conflict, as two views of one route are.
    """

    def add_handler(config: Configurator, handler: Handler) -> None:
        def name() -> tuple[str, str, str]:
            uri = handler.name
            if handler.kind != "callback":
                uri = wamp.settings.resolve(uri)
            return "wamp_bridge", handler.kind, uri

        discriminator = Deferred(name)  # the prefix may be set later
        shown = config.introspectable(
            "wamp handlers", discriminator, handler.place, f"wamp {handler.kind}"
        )
        shown["handler"] = handler
        config.action(discriminator, wamp.registry.add, args=(handler,), introspectables=(shown,))

    def add(
        kind: str, config: Configurator, function: Any, name: str | None = None, **options: Any
    ) -> None:
        declare = getattr(_Handed(partial(add_handler, config)), kind)
        declare(name, **options)(config.maybe_dotted(function))

    config.add_directive("add_wamp_handler", add_handler)
    for kind in ("rpc", "sub", "callback"):
        config.add_directive(f"add_wamp_{kind}", partial(add, kind))
