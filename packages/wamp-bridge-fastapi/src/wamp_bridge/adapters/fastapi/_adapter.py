"""`WampBridge`: an app's handlers, and the router through which the bridge reaches them."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from wamp_bridge import core
from wamp_bridge.adapters.fastapi._settings import SettledBridge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fastapi import APIRouter


class WampBridge(SettledBridge):
    """WAMP in a FastAPI app, or in a Starlette app.

    ::

        bridge = WampBridge(prefix="com.shop")

        @bridge.rpc()
        async def price(product: str) -> float: ...

        app = FastAPI()
        app.include_router(bridge.dispatcher, prefix="/wamp")

    `call` and `publish` are awaited; code that runs in a thread has `bridge.call` and
    `bridge.publish`, which wait there.

    Asynchronous handlers run on the loop and are cancelled when the bridge goes away; others run
    in the thread pool, like path functions. An `HTTPException` is the WAMP error of its status.
    """

    request_class = Request

    @cached_property
    def dispatcher(self) -> APIRouter:
        """The router to include where `WAMP_BRIDGE_CALLBACK_URL` leads; brings its `lifespan`."""
        from fastapi import APIRouter  # noqa: PLC0415 - a Starlette app has no use for it

        router = APIRouter(lifespan=self.lifespan)
        router.add_api_route(
            "/{path:path}",
            self._dispatch,
            methods=["POST"],
            name="wamp_bridge",
            include_in_schema=self.include_in_schema,
        )
        self.announcer.prepare()
        return router

    @cached_property
    def routes(self) -> list[Route]:
        """The routes for a Starlette app to mount there; its lifespan must be `lifespan`."""
        self.announcer.prepare()
        return [Route("/{path:path}", self._endpoint, methods=["POST"], include_in_schema=False)]

    @asynccontextmanager
    async def lifespan(self, _app: object = None) -> AsyncIterator[None]:
        """Announce the app once its server listens; give all connections back in the end."""
        self.announcer.starting()
        try:
            yield
        finally:
            await self.aclose()

    def adapted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The handler, with FastAPI's dependencies."""
        if not sys.modules.get("fastapi"):
            return function
        from wamp_bridge.adapters.fastapi import _dependencies  # noqa: PLC0415 - as above

        return _dependencies.with_dependencies(function)

    def wamp_error(self, error: Exception) -> core.BridgeError | None:
        """An `HTTPException`, as the WAMP error of its status."""
        if isinstance(error, HTTPException):
            return core.error_of_status(error.status_code, error.detail)
        return None

    async def _endpoint(self, request: Request) -> Response:
        return await self._dispatch(request, request.path_params["path"])

    async def _dispatch(self, request: Request, path: str) -> Response:
        answer = None
        with suppress(ClientDisconnect):
            asked = await to_core_request(request, path, self.core_dispatcher.max_body)
            answering = self.handle_async(asked, run_sync=run_in_thread)
            answer = await core.unless_gone(answering, request.receive)
        # Who has gone reads nothing.
        return to_starlette_response(answer or core.Response(400), request)


async def run_in_thread(function: Callable[[], Any]) -> Any:
    """Run a function in the thread pool. It has its place there to its end, whoever goes away."""
    return await asyncio.shield(asyncio.ensure_future(run_in_threadpool(function)))


async def to_core_request(request: Request, path: str, max_body: int) -> core.Request:
    """A request of Starlette's, as core knows them.

    Args:
        request: Whose body has not been read.
        path: Below the place where the dispatcher is mounted.
        max_body: Octets; no more is read than shows core that there are too many.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_body:
            break
    return core.Request(request.method, path, dict(request.headers), bytes(body), request)


def to_starlette_response(response: core.Response, request: Request) -> Response:
    """Core's response to a request, as Starlette knows them."""
    if response.async_lines is not None:
        lines = core.until_gone(response.async_lines, request.receive)
        return StreamingResponse(lines, response.status, dict(response.headers))
    return Response(response.body, response.status, dict(response.headers))
