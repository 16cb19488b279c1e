"""Connections whose octets are no HTTP: they are told so in the bridge's own words, and closed.

aiohttp quotes what it can't read, in its answer and in its log; a token may stand in it.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import structlog
from aiohttp import web

from wamp_bridge_server.http.answers import problem_document
from wamp_bridge_server.http.gate import PROTOCOL, PROTOCOL_HEADER
from wamp_bridge_server.identifiers import new_id

log = structlog.get_logger("wamp_bridge.http")


class Connection(web.RequestHandler):
    """One connection of a client."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what could not be read, and close the connection."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return super().handle_error(request, status, exc, message)
        request_id = new_id("req")
        kind = type(exc).__name__
        log.info("no HTTP", request_id=request_id, remote=request.remote, kind=kind)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        detail = "The request is not HTTP as the bridge reads it."
        headers = {PROTOCOL_HEADER: PROTOCOL, "request-id": request_id}
        response = problem_document(status, detail, request_id, headers=headers)
        response.force_close()
        return response


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=asyncio.get_running_loop(), **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application over such connections."""

    __slots__ = ()

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        factory = made.request_factory
        return _Server(made.request_handler, request_factory=factory, **self._kwargs)
