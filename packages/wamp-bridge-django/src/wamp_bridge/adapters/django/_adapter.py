"""`WampBridge`: a project's handlers, and the URLs through which the bridge reaches them."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, Final, TypeVar

from asgiref.sync import async_to_sync, sync_to_async
from django.core.signals import request_started, setting_changed
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.urls.resolvers import RegexPattern

from wamp_bridge.adapters.django._handlers import as_view
from wamp_bridge.adapters.django._settings import PREFIX, DjangoSettings
from wamp_bridge.adapters.django._users import guarded
from wamp_bridge.core import Request, Response, WampBridgeBase, check_uri, dumps, loads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from django.urls import ResolverMatch

    from wamp_bridge.core import Invoke, Match

_Function = TypeVar("_Function", bound="Callable[..., Any]")

URL_NAME: Final = "wamp_bridge"


class WampBridge(WampBridgeBase):
    """WAMP in a Django project.

    Settings come from Django's, then from the environment. Handlers run as views do: connections
    to databases are opened and closed for them, and `ATOMIC_REQUESTS` is honoured. Asynchronous
    ones run on the server's loop under ASGI, and on one of their own under WSGI.

    Attributes:
        dispatcher: To be mounted where `WAMP_BRIDGE_CALLBACK_URL` leads, as in
            `path("wamp/", dispatcher)`.
    """

    def __init__(self) -> None:
        super().__init__(DjangoSettings(), os.environ)
        self.dispatcher: tuple[Any, None, None] = (Mounted(self), None, None)
        request_started.connect(self._request_started)
        setting_changed.connect(self._setting_changed)

    def rpc(
        self,
        name: str | None = None,
        /,
        *,
        match: Match = "exact",
        invoke: Invoke = "single",
        concurrency: int | None = None,
        timeout: float | None = None,
        login_required: bool = False,
        permission: str | Sequence[str] = (),
    ) -> Callable[[_Function], _Function]:
        """Declare the decorated function as a procedure; see `Registry.rpc`.

        Args:
            name: The procedure; the function's name if left out.
            match: How `name` matches the procedures that are called.
            invoke: Which of several callees is called.
            concurrency: How many calls may run at once.
            timeout: Seconds after which a call has failed.
            login_required: Only users may call it; others get `wamp.error.not_authorized`.
            permission: Only users with this permission may call it, or with all of these.
        """
        declare = super().rpc(
            name, match=match, invoke=invoke, concurrency=concurrency, timeout=timeout
        )

        def decorate(function: _Function) -> _Function:
            declare(guarded(function, login_required=login_required, permission=permission))
            return function

        return decorate

    def publish(
        self,
        topic: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        options: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        on_commit: bool = False,
        using: str | None = None,
    ) -> int | None:
        """Publish an event and return its id; see `Bridge.publish`.

        Args:
            topic: Its name; `WAMP_BRIDGE_PREFIX` goes before one without a dot.
            args: Positional arguments, or keyword arguments where it is a mapping.
            kwargs: Keyword arguments.
            options: WAMP's options of the publication.
            timeout: Seconds to wait for the bridge; `WAMP_BRIDGE_TIMEOUT` if left out.
            on_commit: When the transaction commits, and not where it is rolled back; at once
                outside of any. Returns None. A bridge that can't take it then is logged and not
                raised, because what is committed has happened.
            using: The database whose transaction is meant; the default one if left out.
        """
        if not on_commit:
            return super().publish(topic, args, kwargs, options=options, timeout=timeout)
        check_uri(self.settings.resolve(topic))
        given = loads(dumps([args, kwargs, options]))  # as they are now, and fit to be sent

        def publish() -> None:
            self.bridge.publish(topic, given[0], given[1], options=given[2], timeout=timeout)

        transaction.on_commit(publish, using=using, robust=True)
        return None

    async def acall(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        callback: str | None = None,
        **options: Any,
    ) -> Any:
        """As `call`, for code that waits on a loop."""
        if callback is not None:
            self.check_callback(callback)
            options["callback"] = callback
        return await self.async_bridge.call(procedure, args, kwargs, **options)

    async def apublish(
        self,
        topic: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        options: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> int | None:
        """As `publish`, for code that waits on a loop, where Django has no transactions."""
        return await self.async_bridge.publish(
            topic, args, kwargs, options=options, timeout=timeout
        )

    def adapted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function within a view's transactions."""
        return as_view(function)

    def dispatch(self, request: HttpRequest, path: str) -> HttpResponse:
        """The view, under WSGI."""
        asked = to_core_request(request, path, self.core_dispatcher.max_body)
        return to_django_response(self.handle(asked, run_async=async_to_sync(_waited)))

    async def adispatch(self, request: HttpRequest, path: str) -> HttpResponse:
        """The view, under ASGI."""
        asked = to_core_request(request, path, self.core_dispatcher.max_body)
        return to_django_response(await self.handle_async(asked, run_sync=_in_thread))

    def _request_started(self, **_signal: object) -> None:
        self.announcer.requested()

    def _setting_changed(self, *, setting: str, **_signal: object) -> None:
        if setting.startswith(PREFIX):
            self.configure(DjangoSettings(), os.environ)


class Mounted:
    """The URLconf that is a dispatcher; Django asks for its patterns when it loads its own."""

    def __init__(self, wamp: WampBridge) -> None:
        self._wamp = wamp

    @property
    def urlpatterns(self) -> list[URLPattern]:
        """One pattern, for all that is below."""
        self._wamp.announcer.prepare()
        return [Route(self._wamp)]


class Route(URLPattern):
    """Leads to the view of the kind that the server runs without a detour."""

    def __init__(self, wamp: WampBridge) -> None:
        def dispatch(request: HttpRequest, path: str) -> HttpResponse:
            return wamp.dispatch(request, path)

        async def adispatch(request: HttpRequest, path: str) -> HttpResponse:
            return await wamp.adispatch(request, path)

        self.views = (dispatch, adispatch)
        for view in self.views:
            view.csrf_exempt = True  # because it is signed
            view.login_required = False  # nor is the bridge a user
            view._non_atomic_requests = set(connections)  # handlers have transactions themselves
        super().__init__(RegexPattern(r"(?s:(?P<path>.*))\Z"), dispatch, name=URL_NAME)

    def resolve(self, path: str) -> ResolverMatch | None:
        """As any other pattern does; under ASGI this happens on the loop."""
        match = super().resolve(path)
        if match is not None and asyncio._get_running_loop() is not None:
            match.func = self.views[1]
        return match


def to_core_request(request: HttpRequest, path: str, max_body: int) -> Request:
    """Django's request, as core knows them.

    Args:
        request: As it came.
        path: Below the place where the dispatcher is mounted.
        max_body: Octets; at most one more is read, by which core sees that there are too many.
    """
    return Request(request.method or "", path, dict(request.headers), request.read(max_body + 1))


def to_django_response(response: Response) -> HttpResponse:
    """Core's response, as Django knows them."""
    return HttpResponse(response.body, status=response.status, headers=dict(response.headers))


async def _waited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


async def _in_thread(call: Callable[[], Any]) -> Any:
    return await sync_to_async(call)()
