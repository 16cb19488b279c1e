"""What every request goes through: its id, the protocol's version, and how errors are answered."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from aiohttp import HttpVersion10, web
from multidict import istr

from wamp_bridge_server.errors import (
    HeadTooLarge,
    Malformed,
    MethodNotAllowed,
    NotFound,
    Problem,
    Unavailable,
    UnknownExpectation,
)
from wamp_bridge_server.http import event_stream
from wamp_bridge_server.http.answers import (
    INTERNAL_ERROR,
    PROTOCOL,
    PROTOCOL_HEADER,
    REQUEST_ID,
    STREAM,
    problem,
    problem_document,
    stamp,
)
from wamp_bridge_server.identifiers import new_id
from wamp_bridge_server.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MAX_HEAD_BYTES = 32 * 1024
_SEPARATORS = len(": \r\n")
_TRANSFER_ENCODING = istr("Transfer-Encoding")

log = structlog.get_logger("wamp_bridge.http")


async def gate(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer a request, whatever happens, and say so in the log.

    Stands before aiohttp's application and is no middleware of it, for not all that the
    application refuses passes through those.
    """
    request_id = request[REQUEST_ID] = new_id("req")
    started = time.perf_counter()
    try:
        _check_head(request)
        response = await handler(request)
    except Problem as error:
        response = problem(error, request_id)
    except StoreError as error:
        log.error("store failed", request_id=request_id, reason=str(error))  # noqa: TRY400 - no bug
        response = problem(Unavailable("The bridge's store can't be used now."), request_id)
    except web.HTTPException as error:  # the router's own: no such path, no such method
        response = problem(_of_router(request, error), request_id)
    except Exception:
        log.exception("request failed", request_id=request_id, path=request.path)
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        response = problem_document(status, INTERNAL_ERROR, request_id)
    begun = request.get(STREAM)
    if begun is None:
        stamp(request, response)
    elif response is not begun and isinstance(response, web.Response):
        response = await event_stream.ended(request, begun, response)
    log.debug(
        "answered",
        request_id=request_id,
        method=request.method,
        path=request.path,
        status=response.status,
        ms=round((time.perf_counter() - started) * 1000, 1),
    )
    return response


def _check_head(request: web.Request) -> None:
    """Refuse what aiohttp takes: more than enough in all, codings undone by nobody, HTTP 0.9."""
    size = sum(len(name) + len(value) + _SEPARATORS for name, value in request.raw_headers)
    if size + len(request.raw_path) > MAX_HEAD_BYTES:
        raise HeadTooLarge(f"A request has at most {MAX_HEAD_BYTES // 1024} KiB before its body.")
    if request.headers.get(_TRANSFER_ENCODING, "chunked").lower() != "chunked":
        raise Malformed("The only transfer coding that is understood here is chunked.")
    if request.version < HttpVersion10:
        raise Malformed("This bridge speaks HTTP/1.1.")


def check_protocol(request: web.Request) -> None:
    """Refuse what isn't spoken here: another version, a target that names a host too.

    Raises:
        Malformed: It is one of these.
    """
    if not request.raw_path.startswith("/"):
        raise Malformed("The target of a request must be a path, not a URL.")
    spoken = request.headers.get(PROTOCOL_HEADER)
    if spoken is not None and spoken.strip() != PROTOCOL:
        raise Malformed(f"This bridge speaks version {PROTOCOL} of the protocol alone.")


def _of_router(request: web.Request, error: web.HTTPException) -> Problem:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return MethodNotAllowed(f"{request.method} is not for this path; {allowed} is.", allowed)
    if isinstance(error, web.HTTPNotFound):
        return NotFound("There is nothing at this path.")
    if isinstance(error, web.HTTPExpectationFailed):
        return UnknownExpectation('The only "Expect" that is met here is 100-continue.')
    return Malformed(error.reason)
