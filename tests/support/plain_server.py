"""A plain threaded HTTP server in the place of a bridge: it keeps what is asked and answers it."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Asked:
    """A request; header names in lower case. `client` tells one connection from another."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    client: tuple[str, int]

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """An answer: a JSON document, or text as it stands."""

    status: int = 200
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    text: bytes | None = None


@dataclass
class PlainServer:
    """What was asked of it, and how it answers; None closes the connection without a word."""

    url: str
    answering: Callable[[Asked], Reply | None]
    asked: list[Asked] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]


@contextmanager
def plain_server(
    answering: Callable[[Asked], Reply | None] = lambda _asked: Reply(200, {}), *, port: int = 0
) -> Iterator[PlainServer]:
    """Run one on a port of the loopback interface; its `url` ends in a slash."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:
                self.close_connection = True

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): text for name, text in self.headers.items()}
            asked = Asked(self.command, self.path, headers, body, self.client_address)
            server.asked.append(asked)
            reply = server.answering(asked)
            if reply is None:
                self.close_connection = True
                return
            octets = reply.text
            if octets is None:
                octets = b"" if reply.document is None else json.dumps(reply.document).encode()
            self.send_response(reply.status)
            for name, text in reply.headers.items():
                self.send_header(name, text)
            self.send_header("content-length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815 - http.server's names

        def log_message(self, *_args: object) -> None:
            """Say nothing on the test's screen."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as listener:
        listener.daemon_threads = True
        server = PlainServer(f"http://127.0.0.1:{listener.server_port}/", answering)
        thread = threading.Thread(target=listener.serve_forever, args=[0.02])
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown()
            thread.join()
