"""FastAPI's dependencies in handlers.

FastAPI resolves dependencies for its routes alone; so a handler that has some gets a route of its
own, which no path leads to. It runs within the request of the bridge, with the app's overrides,
and what a dependency does after its `yield` is done before the bridge is answered.
"""

from __future__ import annotations

import inspect
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from fastapi import BackgroundTasks, FastAPI
from fastapi.params import Body, Depends, Param
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from wamp_bridge.core import ConfigurationError, Parameters, current_request, is_async_callable

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Message

_RUN = "wamp_bridge_run"


def with_dependencies(function: Callable[..., Any]) -> Callable[..., Any]:
    """The handler, called with what its dependencies give; itself if it has none.

    Raises:
        ConfigurationError: Whether a parameter is a dependency can't be told; or it wants a part
            of an HTTP request, which callers by WAMP don't make.
    """
    parameters = Parameters.divided(
        function, classes=(BackgroundTasks,), marks=(Depends,), foreign=(Param, Body)
    )
    if parameters is None:
        return function
    route = _route(parameters.filled)
    call = function if is_async_callable(function) else partial(run_in_threadpool, function)

    @wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        bound = parameters.bind(args, kwargs)
        results = []

        async def called(solved: dict[str, Any]) -> None:
            args, kwargs = parameters.joined(bound, solved)
            results.append(await call(*args, **kwargs))

        request = current_request()
        if request is None or not isinstance(request.app, FastAPI):
            raise ConfigurationError("a handler with dependencies needs a request of FastAPI's")
        scope = {**request.scope, _RUN: called}
        # What is raised is for the bridge; the app's handlers would make pages of it.
        scope.pop("starlette.exception_handlers", None)
        await route.handle(scope, _receive, _send)
        return results[0]

    run.__signature__ = parameters.payload  # type: ignore[attr-defined]
    return run


class _Overrides:
    """The overrides of whichever app is served."""

    @property
    def dependency_overrides(self) -> dict[Any, Any]:
        overrides: dict[Any, Any] = current_request().app.dependency_overrides
        return overrides


def _route(filled: tuple[inspect.Parameter, ...]) -> APIRoute:
    async def endpoint(**solved: Any) -> Response:
        await solved.pop(_RUN).scope[_RUN](solved)
        return Response()

    own = inspect.Parameter(_RUN, inspect.Parameter.KEYWORD_ONLY, annotation=Request)
    named = [parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in filled]
    endpoint.__signature__ = inspect.Signature([own, *named])  # type: ignore[attr-defined]
    return APIRoute("/", endpoint, methods=["POST"], dependency_overrides_provider=_Overrides())


async def _receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(_message: Message) -> None:
    """The answer is the dispatcher's."""
