"""What handlers share with path functions: the request, and errors of HTTP."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from wamp_bridge.core import ConfigurationError, error_of_status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

_request: ContextVar[Request | None] = ContextVar("wamp_bridge_request", default=None)


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


@contextmanager
def http_errors() -> Iterator[None]:
    """Where an `HTTPException` is raised as the WAMP error of its status."""
    try:
        yield
    except HTTPException as error:
        told = error_of_status(error.status_code, error.detail)
        if told is None:
            raise
        raise told from error
