"""What the dispatcher answers the bridge (protocol, sections 3 and 4)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from wamp_bridge.core._json import dumps
from wamp_bridge.core._messages import (
    JSON_TYPE,
    PROTOCOL_VERSION,
    RESULT_TYPE,
    CallResult,
    Response,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wamp_bridge.core._errors import BridgeError
    from wamp_bridge.core._registry import Handler, Table

NO_CONTENT: Final = Response(204)

_MORE_HEADERS: Final[Mapping[int, Mapping[str, str]]] = {
    401: {"www-authenticate": "StandardWebhooks"},
    405: {"allow": "POST"},
}


def result_answer(value: Any) -> Response:
    """The answer to an invocation.

    Raises:
        InvalidValue: The value is none of JSON.
    """
    if isinstance(value, CallResult):
        full = {"args": list(value.args), "kwargs": dict(value.kwargs)}
        return Response(200, {"content-type": RESULT_TYPE}, dumps(full))
    return Response(200, {"content-type": JSON_TYPE}, dumps(value))


def error_answer(error: BridgeError) -> Response:
    """The answer that is a WAMP error.

    Raises:
        InvalidValue: The error's arguments are none of JSON.
    """
    headers = {"content-type": JSON_TYPE, **_MORE_HEADERS.get(error.status, {})}
    if error.retry_after is not None:
        headers["retry-after"] = str(math.ceil(error.retry_after))
    body = {"error": error.uri, "args": list(error.args), "kwargs": error.kwargs}
    return Response(error.status, headers, dumps(body))


def manifest_answer(table: Table) -> Response:
    """The manifest: what this app serves, and where."""
    manifest = {
        "protocol": PROTOCOL_VERSION,
        "procedures": _entries(table.procedures),
        "topics": _entries(table.topics),
        "callbacks": list(table.callbacks),
    }
    return Response(200, {"content-type": JSON_TYPE}, dumps(manifest))


def _entries(handlers: Mapping[str, Handler]) -> dict[str, Any]:
    return {
        uri: {"url": handler.url(uri), "match": handler.match, **handler.options}
        for uri, handler in handlers.items()
    }
