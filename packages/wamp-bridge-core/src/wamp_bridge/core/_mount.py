"""An app in which handlers are mounted: its settings, and what is made of them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from wamp_bridge.core._announce import Announcer
from wamp_bridge.core._async_client import AsyncBridge
from wamp_bridge.core._client import Bridge
from wamp_bridge.core._dispatch import Dispatcher
from wamp_bridge.core._settings import Settings
from wamp_bridge.core._stand_in import stand_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wamp_bridge.core._calling import Operation
    from wamp_bridge.core._registry import Registry
    from wamp_bridge.core._stand_in import StandIn

_P = ParamSpec("_P")
_T = TypeVar("_T")

_changing: Final = threading.Lock()  # taken in tests alone, so that no fork copies it held


class Mount:
    """One app of a process: where it finds its bridge, and where the bridge finds it.

    Several apps can serve the same handlers, as those do that a factory makes; each is a mount of
    its own, with settings and connections of its own.

    Args:
        registry: The handlers.
        *sources: Mappings with settings; the first that has one decides. They are read when they
            are first needed, and kept until `configure`.
        check_wait: Called before `bridge` waits; raises where that must not be.
    """

    def __init__(
        self,
        registry: Registry,
        *sources: Mapping[str, Any],
        check_wait: Callable[[], None] = lambda: None,
    ) -> None:
        self.registry = registry
        self._check_wait = check_wait
        self.announcer = Announcer(self)
        self._sources = sources
        self._settings: Settings | None = None
        self._dispatcher: Dispatcher | None = None
        self._bridge: Bridge | None = None
        self._async_bridge: AsyncBridge | None = None
        self._stand_in: StandIn | None = None

    def configure(self, *sources: Mapping[str, Any]) -> None:
        """Say anew where settings come from."""
        if self._bridge is not None:
            self._bridge.close()
        self._sources = sources
        self._settings = self._dispatcher = self._bridge = self._async_bridge = None

    @property
    def settings(self) -> Settings:
        """The settings in force.

        Raises:
            ConfigurationError: One of them can't work; names it.
        """
        self._look_for_stand_in()
        if self._settings is None:
            settings = Settings.load(*self._sources)
            substitute = self._stand_in
            self._settings = settings if substitute is None else substitute.completed(settings)
        return self._settings

    @property
    def bridge(self) -> Bridge:
        """The bridge, for code that waits in its thread.

        Raises:
            ConfigurationError: The URL or the token is missing.
        """
        self._look_for_stand_in()
        if self._bridge is None:
            self._bridge = _CheckedBridge(self.settings, self._check_wait)
        return self._bridge

    @property
    def async_bridge(self) -> AsyncBridge:
        """The bridge, for code that waits on a loop.

        Raises:
            ConfigurationError: The URL or the token is missing.
        """
        self._look_for_stand_in()
        if self._async_bridge is None:
            self._async_bridge = AsyncBridge(self.settings)
        return self._async_bridge

    @property
    def dispatcher(self) -> Dispatcher:
        """What serves the bridge's requests."""
        self._look_for_stand_in()
        if self._dispatcher is None:
            self._dispatcher = Dispatcher(self.registry, self.settings)
        return self._dispatcher

    def close(self) -> None:
        """Stop announcing and give the connections of `bridge` back."""
        self.announcer.stop()
        if self._bridge is not None:
            self._bridge.close()

    async def aclose(self) -> None:
        """As `close`, and give back the connections of `async_bridge` on this loop."""
        self.close()
        if self._async_bridge is not None:
            await self._async_bridge.aclose()

    def _look_for_stand_in(self) -> None:
        """Forget what was made for the bridge, or for what stood in for it, when that changes."""
        if stand_in() is self._stand_in:
            return
        with _changing:
            substitute = stand_in()
            if substitute is not self._stand_in:
                self.configure(*self._sources)
                self._stand_in = substitute


class _CheckedBridge(Bridge):
    """A bridge that asks first whether it may wait."""

    def __init__(self, settings: Settings, check_wait: Callable[[], None]) -> None:
        super().__init__(settings)
        self._check_wait = check_wait

    def _ask(self, operation: Operation[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        self._check_wait()
        return super()._ask(operation, *args, **kwargs)
