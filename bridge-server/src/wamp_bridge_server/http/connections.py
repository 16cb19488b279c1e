"""Connections: what is no HTTP, has too much before its body, or comes too slowly.

Such requests are answered in the bridge's own words, and their connections closed: aiohttp quotes
what it can't read, in its answer and in its log; a token may stand in it.
"""

from __future__ import annotations

import asyncio
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from wamp_bridge_server.errors import RETRY_AFTER_SECONDS
from wamp_bridge_server.http.answers import PROBLEM_TYPE, problem_document
from wamp_bridge_server.http.gate import MAX_HEAD_BYTES, PROTOCOL, PROTOCOL_HEADER, SERVER, gate
from wamp_bridge_server.http.handshakes import TlsListener
from wamp_bridge_server.identifiers import new_id
from wamp_bridge_server.values import encode_json

if TYPE_CHECKING:
    import ssl

    from aiohttp import StreamReader

MAX_HEADER_LINES = 100
MAX_TARGET_BYTES = 16 * 1024
"""Of path and query; the longest WAMP URI that is taken, in which all is escaped, has room."""

HEAD_SECONDS = 30.0

_TOO_MANY = HTTPStatus.SERVICE_UNAVAILABLE
_TOO_LARGE = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
_TOO_LONG = HTTPStatus.REQUEST_URI_TOO_LONG
_DETAILS = {
    HTTPStatus.BAD_REQUEST: "The request is not HTTP as the bridge reads it.",
    HTTPStatus.REQUEST_TIMEOUT: f"The headers did not come within {HEAD_SECONDS:.0f} s.",
    _TOO_LONG: f"A request's path and query have at most {MAX_TARGET_BYTES // 1024} KiB.",
    _TOO_LARGE: (
        f"A request has at most {MAX_HEAD_BYTES // 1024} KiB before its body, "
        f"in at most {MAX_HEADER_LINES} lines."
    ),
    _TOO_MANY: "The bridge has as many connections as it takes.",
}

log = structlog.get_logger("wamp_bridge.http")


class Connection(web.RequestHandler):
    """One connection of a client."""

    __slots__ = ("_body", "_head_bytes", "_head_timer", "_server")

    def __init__(self, server: _Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Expect a first request, where there is room for one."""
        super().connection_made(transport)
        self._server.open += 1
        self._body: StreamReader | None = None
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        if self._server.open > self._server.most:
            self._refuse(_TOO_MANY)
        else:
            self._expect_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Expect nothing any more."""
        self._server.open -= 1
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take octets, and watch those that are headers for their number and their time."""
        known = self._request_count
        between = self._body is None or self._body.is_eof()
        super().data_received(data)
        if self._request_count != known:
            self._body = self._messages[-1][1]
            self._head_came()
        elif between:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(_TOO_LARGE)
            elif self._head_timer is None:
                self._expect_head()

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
        status = _status_of(exc) or status
        request_id = new_id("req")
        kind = type(exc).__name__
        log.info("no HTTP", request_id=request_id, remote=request.remote, kind=kind)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        headers = {PROTOCOL_HEADER: PROTOCOL, "request-id": request_id, "Server": SERVER}
        detail = _DETAILS[HTTPStatus(status)]
        response = problem_document(status, detail, request_id, headers=headers)
        response.force_close()
        return response

    def _expect_head(self) -> None:
        loop = asyncio.get_running_loop()
        late = HTTPStatus.REQUEST_TIMEOUT
        self._head_timer = loop.call_later(HEAD_SECONDS, self._refuse, late)

    def _head_came(self) -> None:
        self._head_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer headers of which no request came yet, and close the connection."""
        begun = self._head_bytes > 0 or status == _TOO_MANY
        self._head_came()
        if self._request_in_progress or self._messages:
            self.close()  # when what came before is answered: this is no answer to that
            return
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if begun:
            request_id = new_id("req")
            log.info("not read", request_id=request_id, status=int(status))
            transport.write(_answer(status, request_id))
        transport.close()


class _Server(web.Server):
    def __init__(self, handler: Any, most: int, **options: Any) -> None:
        super().__init__(handler, **options)
        self.most = most
        self.open = 0

    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=asyncio.get_running_loop(), **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application over such connections, so many at most."""

    __slots__ = ("_most",)

    def __init__(self, application: web.Application, most: int, **options: Any) -> None:
        super().__init__(application, **options)
        self._most = most

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        limits: dict[str, Any] = {
            "max_line_size": MAX_TARGET_BYTES,
            "max_field_size": MAX_HEAD_BYTES,
            "max_headers": MAX_HEADER_LINES,
        }
        handler = partial(gate, handler=made.request_handler)
        factory = made.request_factory
        return _Server(handler, self._most, request_factory=factory, **self._kwargs, **limits)


class Site(web.BaseSite):
    """Listens at an address.

    Args:
        runner: What serves the connections.
        host: The address to listen on.
        port: The port; 0 lets the system choose one.
        tls: The certificate and key; None for plain HTTP.
        handshakes: How many clients at once may be agreeing on TLS.
    """

    __slots__ = ("_handshakes", "_place")

    def __init__(
        self, runner: Runner, host: str, port: int, tls: ssl.SSLContext | None, handshakes: int
    ) -> None:
        super().__init__(runner, ssl_context=tls)
        self._place = host, port
        self._handshakes = handshakes

    @property
    def name(self) -> str:
        """Where it listens, for a person."""
        host, port = self._place
        return f"{host}:{port}"

    async def start(self) -> None:
        """Begin to listen. Raises `OSError`."""
        await super().start()
        factory = self._runner.server
        assert factory is not None  # noqa: S101 - or the runner is not set up
        if self._ssl_context is None:
            self._server = await asyncio.get_running_loop().create_server(
                factory, *self._place, backlog=self._backlog
            )
        else:
            listener = TlsListener(factory, self._ssl_context, self._handshakes)
            await listener.start(*self._place, self._backlog)
            # Of a server aiohttp uses `sockets` and `close`.
            self._server = cast("asyncio.AbstractServer", listener)


def _status_of(error: BaseException | None) -> HTTPStatus | None:
    """The status where aiohttp's parser found too much of something."""
    if isinstance(error, LineTooLong):  # which line it was, its limit tells
        return _TOO_LONG if error.args[1] == MAX_TARGET_BYTES else _TOO_LARGE
    if isinstance(error, HttpProcessingError) and error.message.startswith("Too many headers"):
        return _TOO_LARGE
    return None


def _answer(status: HTTPStatus, request_id: str) -> bytes:
    """A problem document as it goes out where there is no request to answer."""
    body = encode_json(
        {
            "type": "about:blank",
            "title": status.phrase,
            "status": status,
            "detail": _DETAILS[status],
            "request_id": request_id,
        }
    )
    retry = f"Retry-After: {RETRY_AFTER_SECONDS}\r\n" if status == _TOO_MANY else ""
    head = (
        f"HTTP/1.1 {status:d} {status.phrase}\r\n"
        f"Content-Type: {PROBLEM_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"{PROTOCOL_HEADER}: {PROTOCOL}\r\n"
        f"request-id: {request_id}\r\n"
        f"Server: {SERVER}\r\n"
        f"{retry}"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
