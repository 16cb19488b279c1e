"""How everything is answered: JSON, or a problem (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web

from wamp_bridge_server.callbacks.envelopes import single_result
from wamp_bridge_server.errors import CallFailed, Problem
from wamp_bridge_server.values import NotJson, encode_json, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wamp_bridge_server.backends.base import Result

PROTOCOL_HEADER = "wamp-bridge-protocol"
PROTOCOL = "1"
SERVER = "wamp-bridge"
"""All that answers say of what runs here: neither a version nor a library's name."""

REQUEST_ID = web.RequestKey("request_id", str)
STREAM = web.RequestKey("stream", web.StreamResponse)
"""The answer that has begun, and is not to be replaced by another."""

PROBLEM_TYPE = "application/problem+json"
INTERNAL_ERROR = "The bridge failed to do this; its log says why, under this request id."


def stamp(request: web.Request, response: web.StreamResponse) -> None:
    """Put what every answer carries into its headers."""
    response.headers[PROTOCOL_HEADER] = PROTOCOL
    response.headers["request-id"] = request[REQUEST_ID]
    response.headers["Server"] = SERVER


def answer(value: Any, status: int = HTTPStatus.OK) -> web.Response:
    """A JSON answer of a value that has been through `to_json`, or needs not."""
    return web.Response(body=_text(value), status=status, content_type="application/json")


def result_members(result: Result, writable: Callable[[Any], Any] = to_json) -> dict[str, Any]:
    """The result of a call as it is told (protocol, section 2).

    Args:
        result: The result.
        writable: Makes its values what is written; JSON if left out.

    Raises:
        CallFailed: It can't be told.
    """
    try:
        args, kwargs = writable(result.args), writable(result.kwargs)
    except NotJson as reason:
        raise unreadable("returned", reason) from None
    return {"result": single_result(args), "args": args, "kwargs": kwargs}


def empty(status: int) -> web.Response:
    """An answer without a body."""
    return web.Response(status=status)


def problem(error: Problem, request_id: str) -> web.Response:
    """A problem as it is answered."""
    document = described_problem(error) | {"request_id": request_id}
    return _response(document, error.headers)


def described_problem(error: Problem, writable: Callable[[Any], Any] = to_json) -> dict[str, Any]:
    """A problem as documents show it, without the id of a request; `writable` as for a result."""
    try:
        members = {name: writable(value) for name, value in error.members().items()}
    except NotJson as reason:
        return described_problem(unreadable("raised", reason), writable)
    return _document(error.answer_status, error.detail) | members


def unreadable(what: str, reason: NotJson) -> CallFailed:
    """The problem where a callee answered what JSON lacks (protocol, section 2)."""
    text = f"What the callee {what} can't be written in JSON: {reason}."
    return CallFailed("wamp.error.runtime_error", [text], {})


def problem_document(
    status: int,
    detail: str,
    request_id: str,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """A problem document with its status and headers."""
    return _response(_document(status, detail) | {"request_id": request_id}, headers)


def _document(status: int, detail: str) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }


def _response(document: Mapping[str, Any], headers: Mapping[str, str] | None) -> web.Response:
    status = document["status"]
    return web.Response(
        body=_text(document), status=status, content_type=PROBLEM_TYPE, headers=headers
    )


def _text(document: Any) -> bytes:
    return encode_json(document) + b"\n"  # so that a terminal's prompt begins a line of its own
