"""`WampBridge`: a project's handlers, and the views through which the bridge reaches them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from asgiref.sync import async_to_sync, sync_to_async
from django.core.signals import request_started, setting_changed
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from wamp_bridge.adapters.django._settings import PREFIX, DjangoSettings
from wamp_bridge.adapters.django._transactions import as_view
from wamp_bridge.adapters.django._urls import Route
from wamp_bridge.adapters.django._users import RequiringUsers
from wamp_bridge.core import Request, Response, check_uri, dumps, loads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence


class WampBridge(RequiringUsers):
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
        route = Route(self.dispatch, self.adispatch, self.announcer.prepare)
        self.dispatcher: tuple[Any, None, None] = (route, None, None)
        request_started.connect(self._request_started)
        setting_changed.connect(self._setting_changed)

    def publish(
        self,
        topic: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        options: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        idempotency_key: str | None = None,
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
            idempotency_key: With it, the bridge publishes the event once.
            on_commit: When the transaction commits, and not where it is rolled back; at once
                outside of any. Returns None. A bridge that can't take it then is logged and not
                raised, because what is committed has happened.
            using: The database whose transaction is meant; the default one if left out.
        """
        if not on_commit:
            return super().publish(
                topic,
                args,
                kwargs,
                options=options,
                timeout=timeout,
                idempotency_key=idempotency_key,
            )
        check_uri(self.settings.resolve(topic))
        given = loads(dumps([args, kwargs, options]))  # as they are now, and fit to be sent

        def publish() -> None:
            self.bridge.publish(
                topic,
                given[0],
                given[1],
                options=given[2],
                timeout=timeout,
                idempotency_key=idempotency_key,
            )

        transaction.on_commit(publish, using=using, robust=True)
        return None

    def adapted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function within a view's transactions."""
        return as_view(function)

    def dispatch(self, request: HttpRequest, path: str) -> HttpResponse:
        """The view, under WSGI."""
        asked = to_core_request(request, path, self.core_dispatcher.max_body)
        return to_django_response(self.handle(asked, run_async=async_to_sync(_awaited)))

    async def adispatch(self, request: HttpRequest, path: str) -> HttpResponse:
        """The view, under ASGI."""
        asked = to_core_request(request, path, self.core_dispatcher.max_body)
        answer = await self.handle_async(asked, run_sync=lambda call: sync_to_async(call)())
        return to_django_response(answer)

    def _request_started(self, **_signal: object) -> None:
        self.announcer.requested()

    def _setting_changed(self, *, setting: str, **_signal: object) -> None:
        if setting.startswith(PREFIX):
            self.configure(DjangoSettings(), os.environ)


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


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


default: Final = WampBridge()
"""The one that the names of the package belong to, and its commands and checks are about."""
