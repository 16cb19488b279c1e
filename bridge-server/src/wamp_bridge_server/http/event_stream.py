"""Server-sent events (WHATWG HTML, section 9.2): asked for, begun, written, ended by an error."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import hdrs, web

from wamp_bridge_server.errors import ClientGone
from wamp_bridge_server.http.answers import STREAM, stamp
from wamp_bridge_server.http.forms import BY_MEDIA_TYPE
from wamp_bridge_server.http.negotiation import weights

MEDIA_TYPE: Final = "text/event-stream"
HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # or nginx would keep the events together
}
KEEPALIVE: Final = b": still there\n\n"
"""A comment, so that nobody on the way takes the connection for dead."""
KEEPALIVE_SECONDS: Final = 15.0
LAST_SECONDS: Final = 10.0
"""What is left to be said when all is over is said within so long."""


def is_wanted(request: web.Request) -> bool:
    """Whether a client prefers events to an answer at the end (RFC 9110, section 12.5.1)."""
    given = weights(",".join(request.headers.getall(hdrs.ACCEPT, ())))
    stream = given.get(MEDIA_TYPE, 0.0)
    return stream > 0 and stream >= max(given.get(name, 0.0) for name in BY_MEDIA_TYPE)


def event(name: str | None, data: bytes, identifier: str | int | None = None) -> bytes:
    """An event as it is written; `data` is a JSON text in one line."""
    known = b"" if identifier is None else b"id: %b\n" % str(identifier).encode()
    named = b"" if name is None else b"event: %b\n" % name.encode()
    return b"%b%bdata: %b\n\n" % (known, named, data)


async def opened(request: web.Request) -> web.StreamResponse:
    """Begin to answer with events. What is raised after that is told by an `error` event.

    Raises:
        ClientGone: The client went away before.
    """
    response = web.StreamResponse(headers=HEADERS)
    response.content_type = MEDIA_TYPE
    response.charset = "utf-8"
    stamp(request, response)
    request[STREAM] = response
    try:
        await response.prepare(request)
    except ConnectionError:
        raise ClientGone from None
    return response


async def ended(
    request: web.Request, response: web.StreamResponse, problem: web.Response
) -> web.StreamResponse:
    """End an answer that has begun with what would have been the answer in its place."""
    body = problem.body
    assert isinstance(body, bytes)  # noqa: S101 - what `answers` makes
    try:
        async with asyncio.timeout(LAST_SECONDS):
            await response.write(event("error", body.strip()))
    except (TimeoutError, ConnectionError):  # nobody reads, or is there to do so
        if request.transport is not None:
            request.transport.abort()
    response.force_close()
    return response
