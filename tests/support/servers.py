"""Real HTTP servers for callbacks, in the test's own event loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Posted:
    """A request that a callback server got."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


Answering = Callable[[Posted], Awaitable[web.StreamResponse] | web.StreamResponse]


@dataclass
class CallbackServer:
    """What was posted to it, and how it answers: 204 unless told otherwise."""

    url: str = ""
    posted: list[Posted] = field(default_factory=list)
    requests: list[web.Request] = field(default_factory=list)
    """The same, for those who answer in steps, whose tasks end when the client goes away."""
    answering: Answering = lambda _posted: web.Response(status=204)

    def of_type(self, kind: str) -> list[Any]:
        """The documents of one type that were posted."""
        return [p.document for p in self.posted if p.document.get("type") == kind]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Keep a request and answer it."""
        body = await request.read()
        posted = Posted(request.raw_path, dict(request.headers), body)
        self.posted.append(posted)
        self.requests.append(request)
        answer = self.answering(posted)
        return await answer if isinstance(answer, Awaitable) else answer


@asynccontextmanager
async def callback_server(answering: Answering | None = None) -> AsyncIterator[CallbackServer]:
    """Run a callback server on a free port; its `url` ends in a slash."""
    server = CallbackServer()
    if answering is not None:
        server.answering = answering
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", server.handle)
    runner = web.AppRunner(
        application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        server.url = f"http://{host}:{port}/"
        yield server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_server(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """Run a server of bare TCP on a free port, for answers that no HTTP server would give."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"http://{host}:{port}/"
    finally:
        server.close()
        await server.wait_closed()
