"""All of wamp-bridge for one app, for the adapter of a framework to complete.

`WampBridgeBase` is for frameworks whose code waits in its thread; `AsyncWampBridgeBase`, in
`_async_app`, for those whose code waits on a loop.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar

from wamp_bridge.core import _arguments as arguments
from wamp_bridge.core import _calls as calls
from wamp_bridge.core._calling import Calling
from wamp_bridge.core._errors import BridgeError, ConfigurationError
from wamp_bridge.core._mount import Mount
from wamp_bridge.core._registry import Registry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from wamp_bridge.core._announce import Announcer
    from wamp_bridge.core._async_client import AsyncBridge
    from wamp_bridge.core._callables import Awaiting
    from wamp_bridge.core._calling import Operation
    from wamp_bridge.core._client import Bridge
    from wamp_bridge.core._dispatch import Dispatcher
    from wamp_bridge.core._messages import Request, Response, Source
    from wamp_bridge.core._settings import Settings
    from wamp_bridge.core._uris import Invoke, Match

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Function = TypeVar("_Function", bound="Callable[..., Any]")


class BridgeApp:
    """An app's handlers, settings, dispatcher and bridge.

    An adapter subclasses one of its two kinds and adds what its framework has of its own: where
    settings come from (`configure`, or `add_mount` for each app), how requests and responses are
    translated (`handle` or `handle_async`), where the dispatcher is mounted, hints of when the app
    is being served (`announcer`), what handlers get of it and what their errors mean (`adapted`,
    `request_class`, `wamp_error`).

    Every instance has a registry of its own, so that two apps, or two tests, know nothing of one
    another.

    Args:
        *sources: Mappings with settings, as for `configure`; the environment if left out.

    Attributes:
        request_class: The framework's, where it has one. A handler's parameter that is annotated
            with it receives the request that brings a delivery, which is then `Request.native`.
    """

    request_class: ClassVar[type | None] = None

    def __init__(self, *sources: Mapping[str, Any]) -> None:
        self.registry = Registry(self.request_class, adapt=self.adapted, wamp_error=self.wamp_error)
        self._mount = self._mounted_with(self.registry, *(sources or (os.environ,)))
        self._mounted = 0

    def adapted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """What is called for a function that is declared as a handler; the function itself.

        An adapter may return another that does what the framework does around its own functions.
        WAMP's arguments are fitted to the signature of what is returned.
        """
        return function

    def wamp_error(self, _error: Exception) -> BridgeError | None:
        """What a caller is told of a framework's exception that a handler raised.

        None of what is for the log alone. `error_of_status` knows what statuses of HTTP mean.
        """
        return None

    @staticmethod
    def check_wait() -> None:
        """Called before `bridge` waits in its thread; nothing.

        An adapter raises by `check_off_loop`, where a loop that runs in the thread can be one that
        serves many.
        """

    def add_mount(self, *sources: Mapping[str, Any], registry: Registry | None = None) -> Mount:
        """Let one more app serve the handlers, with settings and connections of its own.

        For a framework that can run several apps in a process; its adapter keeps the mount with
        the app, and finds it again in `current_mount`.

        Args:
            *sources: Mappings with settings, as for `configure`.
            registry: The handlers, where that app has its own.
        """
        self._mount = self._mounted_with(self.registry if registry is None else registry, *sources)
        self._mounted += 1
        return self._mount

    def current_mount(self) -> Mount | None:
        """The mount of the app that the running code belongs to, where the framework tells."""
        return None

    def _mounted_with(self, registry: Registry, *sources: Mapping[str, Any]) -> Mount:
        return Mount(registry, *sources, check_wait=self.check_wait)

    @property
    def mount(self) -> Mount:
        """The mount that the running code means: the current one, or the only one.

        Raises:
            ConfigurationError: There are several, and the code runs in none of their apps.
        """
        current = self.current_mount()
        if current is not None:
            return current
        if self._mounted > 1:
            raise ConfigurationError(
                f"{self._mounted} apps serve these handlers, and none of them is current: "
                "run this in the context of one, so that its settings are known"
            )
        return self._mount

    def configure(self, *sources: Mapping[str, Any]) -> None:
        """Say where settings come from; the first source that has one decides.

        They are read when they are first needed, and kept until this is called again.
        """
        self.mount.configure(*sources)

    @property
    def announcer(self) -> Announcer:
        """What announces the app by itself."""
        return self.mount.announcer

    @property
    def settings(self) -> Settings:
        """The settings in force.

        Raises:
            ConfigurationError: One of them can't work; names it.
        """
        return self.mount.settings

    @property
    def bridge(self) -> Bridge:
        """The bridge, for code that waits in its thread.

        Raises:
            ConfigurationError: The URL or the token is missing.
        """
        return self.mount.bridge

    @property
    def async_bridge(self) -> AsyncBridge:
        """The bridge, for code that waits on a loop.

        Raises:
            ConfigurationError: The URL or the token is missing.
        """
        return self.mount.async_bridge

    @property
    def core_dispatcher(self) -> Dispatcher:
        """The dispatcher behind `handle`, free of any framework."""
        return self.mount.dispatcher

    def close(self) -> None:
        """Stop announcing and give the connections of `bridge` back."""
        self.mount.close()

    async def aclose(self) -> None:
        """As `close`, and give back those of `async_bridge` on this loop."""
        await self.mount.aclose()

    def rpc(
        self,
        name: str | None = None,
        /,
        *,
        match: Match = "exact",
        invoke: Invoke = "single",
        concurrency: int | None = None,
        timeout: float | None = None,
    ) -> Callable[[_Function], _Function]:
        """Declare the decorated function as a procedure; see `Registry.rpc`."""
        return self.registry.rpc(
            name, match=match, invoke=invoke, concurrency=concurrency, timeout=timeout
        )

    def sub(
        self,
        name: str | None = None,
        /,
        *,
        match: Match = "exact",
        ordered: bool = False,
        concurrency: int | None = None,
        fanout: bool = False,
        schedule: Sequence[float] | None = None,
        timeout: float | None = None,
        dead_letters: float | None = None,
    ) -> Callable[[_Function], _Function]:
        """Declare the decorated function as a topic's receiver; see `Registry.sub`."""
        return self.registry.sub(
            name,
            match=match,
            ordered=ordered,
            concurrency=concurrency,
            fanout=fanout,
            schedule=schedule,
            timeout=timeout,
            dead_letters=dead_letters,
        )

    def callback(
        self, name: str | None = None, /, *, progress: bool = False
    ) -> Callable[[_Function], _Function]:
        """Declare the decorated function as a receiver of outcomes; see `Registry.callback`."""
        return self.registry.callback(name, progress=progress)

    def checked_callback(self, callback: str | None) -> str | None:
        """The callback of a call; a URL is another's business.

        Raises:
            ConfigurationError: It names no handler of this app.
        """
        if callback is None or "://" in arguments.text("callback", callback):
            return callback
        if callback not in self.mount.registry.table(self.settings.prefix).callbacks:
            raise ConfigurationError(f"no @callback() of this app is named {callback!r}")
        return callback

    def handle(
        self, request: Request, *, run_async: Callable[[Awaiting[Any]], Any] | None = None
    ) -> Response:
        """Serve a request of the bridge in this thread; see `Dispatcher.dispatch`."""
        self.announcer.requested()
        return self.core_dispatcher.dispatch(request, run_async=run_async)

    async def handle_async(
        self,
        request: Request,
        *,
        run_sync: Callable[[Callable[[], Any]], Awaitable[Any]] | None = None,
    ) -> Response:
        """Serve a request of the bridge on the running loop; see `Dispatcher.dispatch_async`."""
        self.announcer.requested()
        return await self.core_dispatcher.dispatch_async(request, run_sync=run_sync)


class WampBridgeBase(BridgeApp, Calling):
    """A `BridgeApp` whose code waits in its thread for what it asks of the bridge."""

    def _ask(self, operation: Operation[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return self.bridge._ask(operation, *args, **kwargs)  # noqa: SLF001 - of our kind

    async def acall(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        callback: str | None = None,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        full: bool = False,
    ) -> Any:
        """As `call`, for the asynchronous code that such a framework has, too."""
        call: Any = self.async_bridge.call  # whose overloads are those of our `call`
        return await call(
            procedure,
            args,
            kwargs,
            timeout=timeout,
            callback=self.checked_callback(callback),
            options=options,
            idempotency_key=idempotency_key,
            full=full,
        )

    async def apublish(
        self,
        topic: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        options: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        idempotency_key: str | None = None,
    ) -> int | None:
        """As `publish`, for the asynchronous code that such a framework has, too."""
        return await self.async_bridge.publish(
            topic,
            args,
            kwargs,
            options=options,
            timeout=timeout,
            idempotency_key=idempotency_key,
        )

    def prepared_publish(
        self,
        topic: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        options: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        idempotency_key: str | None = None,
    ) -> Callable[[], int | None]:
        """Return what publishes the event as it is now; it is to be called once, if at all.

        For what is published when a transaction commits. What can't be sent, as a bad name, a
        value that JSON lacks or anything at all without the URL of a bridge, is raised at once, as
        `publish` raises it.
        """
        self.check_wait()
        exchange = calls.publish(
            self.bridge.settings,
            topic,
            args,
            kwargs,
            options=options,
            timeout=timeout,
            idempotency_key=idempotency_key,
        )

        def publish() -> int | None:
            return self._ask(lambda _settings: exchange)

        return publish

    def announce(self, *, wait: bool = False) -> Source:
        """Announce this app now; see `Bridge.announce`. `announcer` does it by itself."""
        return self.bridge.announce(wait=wait)

    def withdraw(self) -> None:
        """Take back all that this app serves, and announce it no more by itself."""
        self.announcer.stop()
        self.bridge.withdraw()
