"""Cross-origin requests of browsers' pages to `/events/` (WHATWG Fetch, "CORS protocol").

An app says which origins' pages may follow its topics; those alone are told that they may read the
answer. Cookies play no part, so nothing is ever allowed with credentials.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wamp_bridge_server.services.apps import App

ORIGIN = "Origin"
_VARY = {"Vary": ORIGIN}
_ALLOWED = {
    "Access-Control-Allow-Methods": "GET, HEAD",
    # What those send that read streams by fetch, as EventSource can't have headers.
    "Access-Control-Allow-Headers": (
        "Authorization, Cache-Control, Last-Event-ID, wamp-bridge-protocol"
    ),
    "Access-Control-Max-Age": "600",
}


def allowing(request: web.Request, apps: Iterable[App]) -> dict[str, str]:
    """The headers of an answer that pages of these apps' origins may read."""
    origin = request.headers.get(ORIGIN)
    if origin is None or not any(origin in app.config.cors for app in apps):
        return dict(_VARY)
    exposed = {"Access-Control-Expose-Headers": "request-id, Retry-After"}
    return {**_VARY, "Access-Control-Allow-Origin": origin, **exposed}


def preflight(request: web.Request, apps: Iterable[App]) -> web.Response:
    """The answer to a browser that asks before it sends a request for a page."""
    headers = allowing(request, apps)
    if "Access-Control-Allow-Origin" in headers:
        headers |= _ALLOWED
    return web.Response(status=HTTPStatus.NO_CONTENT, headers=headers)
