"""How a dispatcher stands in a URLconf."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from django.db import connections, transaction
from django.urls import ResolverMatch, URLPattern
from django.urls.resolvers import RegexPattern

if TYPE_CHECKING:
    from collections.abc import Callable

URL_NAME: Final = "wamp_bridge"


class Route(URLPattern):
    """Leads all that is below to the view of the kind that the server runs without a detour.

    Also the URLconf that has no other pattern.

    Args:
        view: Under WSGI.
        aview: Under ASGI.
        loaded: Called when Django loads the URLconf that this stands in.
    """

    def __init__(
        self, view: Callable[..., Any], aview: Callable[..., Any], loaded: Callable[[], None]
    ) -> None:
        pattern = RegexPattern(r"^(?P<path>[\s\S]*)\Z", name=URL_NAME, is_endpoint=True)
        super().__init__(pattern, partial(view), name=URL_NAME)
        self._aview = partial(aview)
        self._loaded = loaded

    @property
    def urlpatterns(self) -> list[URLPattern]:
        """What Django asks for when it loads the URLconf."""
        for view in (self.callback, self._aview):
            # What comes is signed, the bridge is no user, and handlers have their transactions.
            vars(view).update(csrf_exempt=True, login_required=False)
            for alias in connections:
                transaction.non_atomic_requests(using=alias)(view)
        self._loaded()
        return [self]

    def resolve(self, path: str) -> ResolverMatch | None:
        """As any other pattern does; under ASGI this happens on the loop."""
        match = super().resolve(path)
        with suppress(RuntimeError):  # where no loop is running
            if match is not None and asyncio.get_running_loop():
                match.func = self._aview
        return match
