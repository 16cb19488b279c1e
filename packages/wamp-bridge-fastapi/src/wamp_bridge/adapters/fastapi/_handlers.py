"""What handlers share with path functions: the request, and errors of HTTP."""

from __future__ import annotations

import functools
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException

from wamp_bridge.core import (
    BridgeError,
    CallTimeout,
    ConfigurationError,
    Forbidden,
    InvalidArgument,
    Unavailable,
    is_async_callable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

_request: ContextVar[Request | None] = ContextVar("wamp_bridge_request", default=None)

# As the bridge reads the statuses of answers (protocol, section 3); others are failures.
_ERRORS: Final[dict[int, type[BridgeError]]] = {
    400: InvalidArgument,
    401: Forbidden,
    403: Forbidden,
    422: InvalidArgument,
    429: Unavailable,
    503: Unavailable,
    504: CallTimeout,
}


@contextmanager
def serving(request: Request) -> Iterator[None]:
    """While a request of the bridge is being served."""
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)


def current_request() -> Request:
    """The request that the running handler is called for.

    Raises:
        ConfigurationError: There is none.
    """
    request = _request.get()
    if request is None:
        raise ConfigurationError("a handler that wants the request is called without any")
    return request


def with_http_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """The handler, with an `HTTPException` raised as the WAMP error of its status."""
    if is_async_callable(function):

        @functools.wraps(function)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            with _translated():
                return await function(*args, **kwargs)

        return run_async

    return _translated()(function)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except HTTPException as error:
        if error.status_code not in _ERRORS:
            raise
        raise _ERRORS[error.status_code](error.detail) from error
