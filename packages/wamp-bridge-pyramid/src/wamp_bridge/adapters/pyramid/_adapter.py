"""`WampBridge`: an app's handlers, and the view through which the bridge reaches them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import pyramid.request
import pyramid.response
from pyramid.events import ApplicationCreated
from pyramid.httpexceptions import HTTPException
from pyramid.security import NO_PERMISSION_REQUIRED
from pyramid.threadlocal import get_current_registry, manager

from wamp_bridge import core
from wamp_bridge.adapters.pyramid._handlers import add_directives, scanned_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from pyramid.config import Configurator

KEY: Final = "wamp_bridge"
_ANSWER: Final = "wamp_bridge.answer"


class WampBridge(core.WampBridgeBase):
    """WAMP in one Pyramid app: what `request.wamp` is.

    Made by `config.include("wamp_bridge.adapters.pyramid")`. Settings come from the app's, then
    from the environment. Handlers come by `config.scan()` and by `config.add_wamp_rpc` and its
    like. They run as views do, within the request of the bridge: behind the app's tweens, which
    see what they raise.

    Args:
        settings: The app's.
    """

    request_class = pyramid.request.Request

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self._mount = current.add_mount(settings, os.environ, registry=self.registry)

    def wamp_error(self, error: Exception) -> core.BridgeError | None:
        """An `HTTPException`, as the WAMP error of its status."""
        if isinstance(error, HTTPException):
            return core.error_of_status(error.status_code, error.detail or error.title)
        return None


class CurrentWampBridge(core.WampBridgeBase):
    """The `WampBridge` of whichever app the running code belongs to.

    Outside of a request, that of the only app there is. What its decorators declare is found by
    the `config.scan()` of each app.
    """

    def __init__(self) -> None:
        super().__init__()
        self.registry = scanned_registry()

    def current_mount(self) -> core.Mount | None:
        """The mount of Pyramid's current app."""
        wamp = get_current_registry().get(KEY)
        return wamp.mount if isinstance(wamp, WampBridge) else None


current: Final = CurrentWampBridge()


def includeme(config: Configurator) -> None:
    """Set an app up: mount the dispatcher, and add `request.wamp` and the directives.

    The dispatcher is mounted at the `route_prefix` that `config.include` is given, else at that
    of the setting `wamp_bridge.route_prefix`, else at `wamp`.
    """
    wamp = config.registry[KEY] = WampBridge(config.registry.settings)
    add_directives(config, wamp)
    config.add_request_method(lambda _: wamp, "wamp", reify=True)
    config.add_view_predicate("wamp_answered", _Answered)
    prefix = config.route_prefix or config.registry.settings.get("wamp_bridge.route_prefix", "wamp")
    with config.route_prefix_context(None if config.route_prefix else prefix):
        config.add_route(KEY, "{path:.*}")
    # Whoever asks has to sign; no permission and no token of a form could tell more.
    config.add_view(
        _dispatch, route_name=KEY, permission=NO_PERMISSION_REQUIRED, require_csrf=False
    )
    config.add_exception_view(_answer, context=Exception, route_name=KEY, wamp_answered=True)
    config.action(None, lambda: wamp.settings)  # what is wrong with them is told at the start
    config.add_subscriber(lambda _: wamp.announcer.prepare(), ApplicationCreated)


def _dispatch(request: pyramid.request.Request) -> pyramid.response.Response:
    wamp: WampBridge = request.wamp
    asked = to_core_request(request, wamp.core_dispatcher.max_body)
    answer = wamp.handle(asked, run_async=_run_within_request)
    if answer.error is not None:
        # Tweens must see that it failed: they end transactions, try again, and report.
        request.environ[_ANSWER] = answer
        raise answer.error
    return to_pyramid_response(answer)


def _run_within_request(function: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    # Pyramid knows its request by thread, and core may take another one for an asynchronous call.
    known = manager.get()

    async def run() -> Any:
        manager.push(known)
        try:
            return await function()
        finally:
            manager.pop()

    return core.run_awaiting(run)


def _answer(_error: Exception, request: pyramid.request.Request) -> pyramid.response.Response:
    return to_pyramid_response(request.environ[_ANSWER])


class _Answered:
    """The predicate `wamp_answered`: core has an answer for what a handler raised.

    Other errors, as of a transaction that can't be committed, are for the app's own views.
    """

    def __init__(self, _value: object, _config: object) -> None:
        pass

    def text(self) -> str:
        return "wamp_answered = True"

    phash = text

    def __call__(self, error: object, request: pyramid.request.Request) -> bool:
        answer = request.environ.get(_ANSWER)
        return answer is not None and answer.error is error


def to_core_request(request: pyramid.request.Request, max_body: int) -> core.Request:
    """A request of Pyramid, as core knows them.

    Args:
        request: Matched by the dispatcher's route.
        max_body: Octets; at most one more is read, by which core sees that there are too many.
    """
    if request.is_body_seekable:  # somebody has looked at it
        request.body_file_raw.seek(0)
    body = request.body_file.read(max_body + 1)
    path = request.matchdict["path"]
    return core.Request(request.method, path, dict(request.headers), body, request)


def to_pyramid_response(response: core.Response) -> pyramid.response.Response:
    """Core's response, as Pyramid knows them."""
    headers = list(response.headers.items())
    if response.lines is not None:
        lines = response.lines
        return pyramid.response.Response(None, response.status, headers, app_iter=lines)
    return pyramid.response.Response(response.body, response.status, headerlist=headers)
