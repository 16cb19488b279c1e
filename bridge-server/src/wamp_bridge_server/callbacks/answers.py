"""What an app's answer to an invocation means in WAMP (protocol, section 3)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from wamp_bridge.core import InvalidURI, check_uri
from wamp_bridge_server.backends.base import Result, WampError
from wamp_bridge_server.callbacks.sender import Failure
from wamp_bridge_server.errors import (
    INVALID_ARGUMENT,
    NOT_AUTHORIZED,
    RUNTIME_ERROR,
    TIMEOUT,
    UNAVAILABLE,
)
from wamp_bridge_server.values import BadBinary, BadText, load_json

if TYPE_CHECKING:
    from wamp_bridge_server.callbacks.sender import Answer, SendError

RESULT_TYPE = "application/vnd.wamp-bridge.result+json"

_ERROR_OF_STATUS: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: INVALID_ARGUMENT,
    HTTPStatus.UNPROCESSABLE_ENTITY: INVALID_ARGUMENT,
    HTTPStatus.UNAUTHORIZED: NOT_AUTHORIZED,
    HTTPStatus.FORBIDDEN: NOT_AUTHORIZED,
    HTTPStatus.TOO_MANY_REQUESTS: UNAVAILABLE,
    HTTPStatus.SERVICE_UNAVAILABLE: UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT: TIMEOUT,
}


def result_of(answer: Answer) -> Result:
    """The result that an answer is.

    Raises:
        WampError: It is an error, or can't be read as a result.
    """
    if answer.truncated:
        raise WampError(
            RUNTIME_ERROR, ["The app's answer is compressed or larger than the bridge takes."]
        )
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise _error_of(answer)
    if not answer.accepted:
        raise WampError(RUNTIME_ERROR, [f"The app answered with status {answer.status}."])
    if not answer.body.strip():
        return Result()
    try:
        value = load_json(answer.body)
    except (BadText, BadBinary) as error:
        raise WampError(
            RUNTIME_ERROR, [f"The app's answer is no JSON that WAMP can carry: {error}."]
        ) from None
    if media_type(answer.content_type) == RESULT_TYPE:
        return _full_result(value)
    return Result([value])


def failure_of(error: SendError) -> WampError:
    """The WAMP error for an invocation that got no answer."""
    if error.failure is Failure.LATE:
        return WampError(TIMEOUT, ["The app did not answer in time."])
    if error.failure is Failure.GARBLED:
        return WampError(RUNTIME_ERROR, ["The app did not answer in HTTP."])
    return WampError(UNAVAILABLE, ["The app could not be reached."])


def result_in(document: Any) -> Result | None:
    """What a document has in `args` and `kwargs`, empty where left out; None where it isn't one."""
    args, kwargs = _payload(document)
    return None if args is None or kwargs is None else Result(args, kwargs)


def media_type(content_type: str) -> str:
    """A media type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def _full_result(value: Any) -> Result:
    result = result_in(value)
    if result is None:
        raise WampError(RUNTIME_ERROR, [f'The app\'s {RESULT_TYPE} lacks "args" or "kwargs".'])
    return result


def _error_of(answer: Answer) -> WampError:
    try:
        value = load_json(answer.body)
    except (BadText, BadBinary):
        value = None  # an error page: its status is all that it says
    if isinstance(value, dict) and is_uri(value.get("error")):
        args, kwargs = _payload(value)
        if args is not None and kwargs is not None:
            return WampError(value["error"], args, kwargs)
    error = _ERROR_OF_STATUS.get(answer.status, RUNTIME_ERROR)
    return WampError(error, [f"The app answered with status {answer.status}."])


def is_uri(value: Any) -> bool:
    """Whether it is the URI of an error; a bad one would make the router drop the session."""
    if not isinstance(value, str):
        return False
    try:
        check_uri(value)
    except InvalidURI:
        return False
    return True


def _payload(value: Any) -> tuple[list[Any] | None, dict[str, Any] | None]:
    """A document's args and kwargs: empty where left out, None where of another type."""
    if not isinstance(value, dict):
        return None, None
    args, kwargs = value.get("args", []), value.get("kwargs", {})
    return (
        args if isinstance(args, list) else None,
        kwargs if isinstance(kwargs, dict) else None,
    )
