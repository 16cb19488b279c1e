"""FastAPI's dependencies in handlers.

FastAPI resolves dependencies for its routes alone; so a handler that has some gets a route of its
own, which no path leads to. It runs within the request of the bridge, with the app's overrides,
and what a dependency does after its `yield` is done before the bridge is answered.
"""

from __future__ import annotations

import functools
import inspect
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, HTTPException
from fastapi.params import Depends
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from wamp_bridge.adapters.fastapi._handlers import current_request
from wamp_bridge.core import ConfigurationError, annotation_of, is_async_callable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Message

_CALL = "wamp_bridge.call"
_REQUEST = "wamp_bridge_request"
# What core finds by name, where it is imported for type checkers alone.
_OURS = re.compile(r"\b(InvocationDetails|EventDetails|Outcome|Progress)\b")


def with_dependencies(function: Callable[..., Any]) -> Callable[..., Any]:
    """The handler, called with what its dependencies give; itself if it has none.

    Raises:
        ConfigurationError: Whether a parameter is a dependency can't be told.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some of those written in C have none
        return function
    wanted = [
        parameter.replace(annotation=annotation, kind=parameter.KEYWORD_ONLY)  # evaluated
        for parameter in signature.parameters.values()
        for annotation in [_annotation(function, parameter)]
        if isinstance(parameter.default, Depends)
        or any(isinstance(each, Depends) for each in getattr(annotation, "__metadata__", ()))
    ]
    if not wanted:
        return function
    names = {parameter.name for parameter in wanted}
    left = [each for each in signature.parameters.values() if each.name not in names]
    payload = signature.replace(parameters=left)
    route = _route(wanted)

    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        values = []

        async def call(solved: dict[str, Any]) -> None:
            given = {**payload.bind(*args, **kwargs).arguments, **solved}
            whole = inspect.BoundArguments(signature, given)
            if is_async_callable(function):
                values.append(await function(*whole.args, **whole.kwargs))
            else:
                values.append(await run_in_threadpool(function, *whole.args, **whole.kwargs))

        await _solve(route, call)
        return values[0]

    run.__signature__ = payload  # type: ignore[attr-defined]
    return run


def _annotation(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    text = parameter.annotation
    annotation = annotation_of(function, parameter)
    if annotation is None and isinstance(text, str) and not _OURS.search(text):
        # A dependency that isn't seen would be an argument, and a caller could give it.
        raise ConfigurationError(
            f"{function.__qualname__}: {parameter.name!r} is annotated with {text!r}, which can't "
            "be found when the app runs; FastAPI must see whether it is a dependency, so define "
            "or import it at the module's level, not under TYPE_CHECKING"
        )
    return annotation


class _Overrides:
    """The overrides of whichever app is served."""

    @property
    def dependency_overrides(self) -> dict[Any, Any]:
        overrides: dict[Any, Any] = current_request().app.dependency_overrides
        return overrides


def _route(wanted: list[inspect.Parameter]) -> APIRoute:
    async def endpoint(**solved: Any) -> Response:
        request = solved.pop(_REQUEST)
        await request.scope[_CALL](solved)
        return Response(status_code=204)

    own = inspect.Parameter(_REQUEST, inspect.Parameter.KEYWORD_ONLY, annotation=Request)
    endpoint.__signature__ = inspect.Signature([own, *wanted])  # type: ignore[attr-defined]
    return APIRoute(
        "/",
        endpoint,
        methods=["POST"],
        response_model=None,
        dependency_overrides_provider=_Overrides(),
    )


async def _solve(route: APIRoute, call: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    request = current_request()
    if not isinstance(request.app, FastAPI):
        raise ConfigurationError("a handler with dependencies needs an app of FastAPI")
    scope = {**request.scope, _CALL: call}
    # What is raised is for the bridge; the app's handlers would make pages of it.
    scope.pop("starlette.exception_handlers", None)
    status: int = HTTPStatus.INTERNAL_SERVER_ERROR

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)

    await route.handle(scope, receive, send)
    if status >= HTTPStatus.BAD_REQUEST:
        raise HTTPException(status)
