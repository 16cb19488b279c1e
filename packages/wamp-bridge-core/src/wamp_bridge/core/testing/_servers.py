"""Apps as their servers call them, for tests: a request goes in, its response comes out.

What is sent is what was signed, octet for octet, which the test clients of frameworks don't all
let a test say.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from wamp_bridge.core._messages import Request, Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from urllib.parse import SplitResult

PLACE: Final = "http://testserver/wamp/"
"""Where tests mount a dispatcher, unless they say otherwise."""

_CHUNK: Final = 64 * 1024


def whole(response: Response) -> Response:
    """A response in one piece, which may have come in steps."""
    if response.lines is None:
        return response
    return replace(response, lines=None, body=b"".join(response.lines))


async def awhole(response: Response) -> Response:
    """The same for a response of `handle_async`."""
    if response.async_lines is None:
        return response
    body = b"".join([line async for line in response.async_lines])
    return replace(response, async_lines=None, body=body)


class WsgiSender:
    """Takes requests to a dispatcher that is mounted in a WSGI app; see `wsgi_sender`."""

    def __init__(self, app: Callable[..., Any], place: str) -> None:
        self._app = app
        self._place = urlsplit(place)

    def __call__(self, request: Request) -> Response:
        """Send a request, and read all of its response."""
        return self.hang_up(request, None)

    def hang_up(self, request: Request, after: int | None) -> Response:
        """Send a request, and go away after so many parts of its response."""
        started: list[Any] = []
        written = io.BytesIO()

        def start_response(
            status: str, headers: Iterable[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], int]:
            del exc_info  # nothing was sent that would be too late to change
            started[:] = [int(status.split(maxsplit=1)[0]), headers]
            return written.write

        parts = self._app(_environ(request, self._place), start_response)
        try:
            for part in itertools.islice(parts, after):
                written.write(part)
        finally:
            if hasattr(parts, "close"):
                parts.close()
        status, headers = started
        lowered = {name.lower(): value for name, value in headers}
        return Response(status, lowered, written.getvalue())


class AsgiSender:
    """Takes requests to a dispatcher that is mounted in an ASGI app; see `asgi_sender`."""

    def __init__(self, app: Callable[..., Awaitable[Any]], place: str) -> None:
        self._app = app
        self._place = urlsplit(place)

    async def __call__(self, request: Request) -> Response:
        """Send a request, and read all of its response."""
        return await self.hang_up(request, None)

    async def hang_up(self, request: Request, after: int | None) -> Response:
        """Send a request, and go away after so many parts of its response."""
        over = asyncio.Event()
        left = [request.body[at : at + _CHUNK] for at in range(0, len(request.body), _CHUNK)]
        left = left or [b""]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if left:
                part = left.pop(0)
                return {"type": "http.request", "body": part, "more_body": bool(left)}
            await over.wait()
            return {"type": "http.disconnect"}

        async def answer(message: dict[str, Any]) -> None:
            if over.is_set():
                return  # nobody hears it
            sent.append(message)
            is_last = message["type"] == "http.response.body" and not message.get("more_body")
            if is_last or len(sent) - 1 == after:
                over.set()

        await self._app(_scope(request, self._place), receive, answer)
        lowered = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in sent[0].get("headers", ())
        }
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return Response(sent[0]["status"], lowered, body)


def wsgi_sender(app: Callable[..., Any], place: str = PLACE) -> WsgiSender:
    """What takes requests to a dispatcher that is mounted in a WSGI app (PEP 3333).

    Args:
        app: The app.
        place: The URL of the dispatcher; ends in a slash.

    Returns:
        What takes a request, whose path is below `place` and percent-encoded, and gives the
        response. A request with `transfer-encoding` doesn't tell its length. Safe to share among
        threads.
    """
    return WsgiSender(app, place)


def asgi_sender(app: Callable[..., Awaitable[Any]], place: str = PLACE) -> AsgiSender:
    """What takes requests to a dispatcher that is mounted in an ASGI app (ASGI 3.0).

    Args:
        app: The app. Its lifespan is not run.
        place: The URL of the dispatcher; ends in a slash.

    Returns:
        As for `wsgi_sender`, to be awaited.
    """
    return AsgiSender(app, place)


def _environ(request: Request, place: SplitResult) -> dict[str, Any]:
    environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(place.path + request.path).decode("latin-1"),
        "QUERY_STRING": "",
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": place.hostname,
        "SERVER_PORT": str(_port(place)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": place.netloc,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": place.scheme,
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    if "transfer-encoding" in request.headers:
        environ["wsgi.input_terminated"] = True
    else:
        environ["CONTENT_LENGTH"] = str(len(request.body))
    return environ


def _scope(request: Request, place: SplitResult) -> dict[str, Any]:
    path = place.path + request.path
    headers = {"host": place.netloc, **request.headers}
    if "transfer-encoding" not in request.headers:
        headers["content-length"] = str(len(request.body))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": place.scheme,
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()
        ],
        "client": ("127.0.0.1", 50000),
        "server": (place.hostname, _port(place)),
    }


def _port(place: SplitResult) -> int:
    return place.port or (443 if place.scheme == "https" else 80)
