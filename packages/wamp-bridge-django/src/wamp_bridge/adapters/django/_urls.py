"""How a dispatcher stands in a URLconf."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from django.db import connections, transaction
from django.urls import URLPattern
from django.urls.resolvers import RegexPattern

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse
    from django.urls import ResolverMatch

URL_NAME: Final = "wamp_bridge"


class Mounted:
    """The URLconf that is a dispatcher; Django asks for its patterns when it loads its own.

    Args:
        view: Under WSGI.
        aview: Under ASGI.
        loaded: Called when Django asks.
    """

    def __init__(
        self, view: Callable[..., Any], aview: Callable[..., Any], loaded: Callable[[], None]
    ) -> None:
        self._views = (view, aview)
        self._loaded = loaded

    @property
    def urlpatterns(self) -> list[URLPattern]:
        """One pattern, for all that is below."""
        self._loaded()
        return [Route(*self._views)]


class Route(URLPattern):
    """Leads to the view of the kind that the server runs without a detour."""

    def __init__(self, view: Callable[..., Any], aview: Callable[..., Any]) -> None:
        def dispatch(request: HttpRequest, path: str) -> HttpResponse:
            answer: HttpResponse = view(request, path)
            return answer

        async def adispatch(request: HttpRequest, path: str) -> HttpResponse:
            answer: HttpResponse = await aview(request, path)
            return answer

        for each in (dispatch, adispatch):
            # What comes is signed, the bridge is no user, and handlers have their transactions.
            vars(each).update(csrf_exempt=True, login_required=False)
            for alias in connections:
                transaction.non_atomic_requests(using=alias)(each)
        pattern = RegexPattern(r"^(?P<path>[\s\S]*)\Z", name=URL_NAME, is_endpoint=True)
        super().__init__(pattern, dispatch, name=URL_NAME)
        self._aview = adispatch

    def resolve(self, path: str) -> ResolverMatch | None:
        """As any other pattern does; under ASGI this happens on the loop."""
        match = super().resolve(path)
        if match is not None and _is_on_loop():
            match.func = self._aview
        return match


def _is_on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
