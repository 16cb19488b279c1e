"""An endpoint for as long as a command runs: served here, leased at the bridge."""

from __future__ import annotations

import dataclasses
import secrets
import signal
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any

import click

from wamp_bridge.core import BridgeError, Dispatcher, Request, escape_segment
from wamp_bridge_server.cli._asking import asked
from wamp_bridge_server.cli._failures import Failure
from wamp_bridge_server.config import checks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wamp_bridge.core import Bridge, Registry, Settings

    Hold = Callable[[Bridge, str], Any]
    Release = Callable[[Bridge, str], object]

LEASE_SECONDS = 15
_RENEWAL_SECONDS = 5.0

FOR_CALLBACKS = (
    click.option(
        "--listen",
        metavar="HOST:PORT",
        default="127.0.0.1:0",
        show_default=True,
        help="Where the bridge's requests are taken.",
    ),
    click.option(
        "--callback-url",
        metavar="URL",
        help="How the bridge reaches that, where it does by another name.",
    ),
)


class Serving:
    """Serves a registry's handlers, until it is told to stop.

    Args:
        settings: Whose secrets sign what the bridge sends; without any, the path is what nobody
            else knows.
        registry: Holds the handlers.
        listen: `HOST:PORT`.
        url: How the bridge reaches it, where that is not by `listen`.
        stop: Ends what the handlers are doing.

    Raises:
        click.BadParameter: `listen` is no address.
        Failure: It can't be listened at.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        listen: str,
        url: str | None,
        stop: Callable[[], None] = lambda: None,
    ) -> None:
        self.stopped = threading.Event()
        self._stop = stop
        dispatcher = Dispatcher(
            registry, dataclasses.replace(settings, verify=bool(settings.secrets))
        )
        self._place = f"/{secrets.token_urlsafe(16)}/"
        try:
            address = checks.address(listen)
            self._server = _Server((address.host, address.port), self._place, dispatcher)
        except checks.Wrong as wrong:
            raise click.BadParameter(str(wrong), param_hint="--listen") from wrong
        except OSError as error:
            raise Failure(f"can't listen at {listen}: {error.strerror or error}") from error
        host = f"[{address.host}]" if ":" in address.host else address.host
        self._url = url or f"http://{host}:{self._server.server_address[1]}"

    def url(self, kind: str, name: str) -> str:
        """Where the bridge sends what is for a handler."""
        return f"{self._url.rstrip('/')}{self._place}{kind}/{escape_segment(name)}/"

    def run(self, settings: Settings, url: str, hold: Hold, release: Release) -> None:
        """Hold an endpoint at the bridge until `stopped`, SIGINT or SIGTERM.

        Args:
            settings: Where the bridge is and who asks.
            url: Of the endpoint.
            hold: Asks for it, for `LEASE_SECONDS`; done again and again.
            release: Takes it back.
        """
        with self._served(), _signals(self.stopped), asked(settings) as bridge:
            [entry] = hold(bridge, url)
            try:
                if entry.state == "refused":
                    raise Failure(_standing(entry))
                told = _tell(_standing(entry), "")
                while not self.stopped.wait(_RENEWAL_SECONDS):
                    told = _tell(_renewed(bridge, url, hold), told)
            finally:
                release(bridge, url)

    @contextmanager
    def _served(self) -> Iterator[None]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            thread.join()
            self._stop()
            self._server.server_close()


def _renewed(bridge: Bridge, url: str, hold: Hold) -> str:
    try:
        [entry] = hold(bridge, url)
    except BridgeError as error:  # the next may get through
        return f"wamp-bridge: not renewed: {error}"
    return _standing(entry)


def _standing(entry: Any) -> str:
    reason = f": {entry.reason}" if entry.reason else ""
    return f"{entry.uri} is {entry.state}{reason}"


def _tell(now: str, before: str) -> str:
    if now != before:
        click.echo(now, err=True)
    return now


@contextmanager
def _signals(stopped: threading.Event) -> Iterator[None]:
    """Have Ctrl-C and SIGTERM end it in order."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stopped.set()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing it waits for what is being answered

    def __init__(self, address: tuple[str, int], place: str, dispatcher: Dispatcher) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.place = place
        self.dispatcher = dispatcher
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind, without asking for this machine's name."""
        TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is none of our errors: the bridge closes it to cancel."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    server: _Server

    def do_POST(self) -> None:
        """Answer the bridge."""
        length = int(self.headers.get("content-length") or 0)
        dispatcher = self.server.dispatcher
        if not self.path.startswith(self.server.place) or length > dispatcher.max_body:
            self.send_error(404)
            return
        request = Request(
            "POST",
            self.path.removeprefix(self.server.place),
            dict(self.headers.items()),
            self.rfile.read(length),
            native=self.connection,
        )
        response = dispatcher.dispatch(request)
        self.send_response(response.status)
        for name, text in response.headers.items():
            self.send_header(name, text)
        self.send_header("connection", "close")
        self.send_header("content-length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing: standard error is for what fails."""
