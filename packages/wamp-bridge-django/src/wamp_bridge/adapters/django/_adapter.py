"""`WampBridge`: a project's handlers, and the views through which the bridge reaches them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asgiref.sync import async_to_sync, sync_to_async
from django.core import exceptions, signals
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from wamp_bridge import core
from wamp_bridge.adapters.django._transactions import as_view
from wamp_bridge.adapters.django._urls import Route
from wamp_bridge.adapters.django.auth._users import RequiringUsers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class WampBridge(RequiringUsers):
    """WAMP in a Django project.

    Settings come from Django's, then from the environment. Handlers run as views do: connections
    to databases are opened and closed for them, and `ATOMIC_REQUESTS` is honoured. Asynchronous
    ones run on the server's loop under ASGI, and on one of their own under WSGI.

    Attributes:
        dispatcher: To be mounted where `WAMP_BRIDGE_CALLBACK_URL` leads, as in
            `path("wamp/", dispatcher)`.
    """

    request_class = HttpRequest

    def __init__(self) -> None:
        super().__init__()
        route = Route(self.dispatch, self.adispatch, self.announcer.prepare)
        self.dispatcher: tuple[Any, None, None] = (route, None, None)
        signals.request_started.connect(self._request_started)

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

        Raises:
            BlockedLoop: The caller is asynchronous; it is to await `apublish`.
            ConfigurationError: It isn't said where the bridge is, also where `on_commit`.
            BridgeError: Anything else that the bridge answered.
        """
        asked: dict[str, Any] = {"timeout": timeout, "idempotency_key": idempotency_key}
        if not on_commit:
            return super().publish(topic, args, kwargs, options=options, **asked)
        send = self.prepared_publish(topic, args, kwargs, options=options, **asked)
        transaction.on_commit(send, using=using, robust=True)
        return None

    def adapted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function within a view's transactions."""
        return as_view(function)

    def wamp_error(self, error: Exception) -> core.BridgeError | None:
        """What Django answers with 403 or 400, as the WAMP error of that; it tells no more."""
        if isinstance(error, exceptions.PermissionDenied):
            return core.Forbidden()
        is_bad = isinstance(error, exceptions.BadRequest | exceptions.SuspiciousOperation)
        return core.InvalidArgument() if is_bad else None

    def dispatch(self, request: HttpRequest, path: str) -> HttpResponse:
        """The view, under WSGI."""
        asked = to_core_request(request, path, self.core_dispatcher.max_body)
        return to_django_response(self.handle(asked, run_async=lambda call: async_to_sync(call)()))

    async def adispatch(self, request: HttpRequest, path: str) -> HttpResponse:
        """The view, under ASGI."""
        asked = to_core_request(request, path, self.core_dispatcher.max_body)
        answer = await self.handle_async(asked, run_sync=lambda call: sync_to_async(call)())
        return to_django_response(answer)

    def _request_started(self, **_signal: object) -> None:
        self.announcer.requested()


def to_core_request(request: HttpRequest, path: str, max_body: int) -> core.Request:
    """Django's request, as core knows them.

    Args:
        request: As it came.
        path: Below the place where the dispatcher is mounted.
        max_body: Octets; at most one more is read, by which core sees that there are too many.
    """
    body = request.read(max_body + 1)
    return core.Request(request.method or "", path, dict(request.headers), body, request)


def to_django_response(response: core.Response) -> HttpResponse:
    """Core's response, as Django knows them."""
    return HttpResponse(response.body, status=response.status, headers=dict(response.headers))


default: Final = WampBridge()
"""The one that the names of the package belong to, and its commands and checks are about."""
