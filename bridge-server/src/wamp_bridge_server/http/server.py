"""The HTTP server: which request goes where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from wamp_bridge_server.http.admission import Admission
from wamp_bridge_server.http.asking import MAX_BODY_BYTES
from wamp_bridge_server.http.connections import Runner, Site
from wamp_bridge_server.http.crossbar import CrossbarRequests
from wamp_bridge_server.http.dead_letters import DeadLetterRequests
from wamp_bridge_server.http.directory import DirectoryRequests
from wamp_bridge_server.http.endpoints import EndpointRequests
from wamp_bridge_server.http.gate import check_protocol
from wamp_bridge_server.http.health import HealthRequests
from wamp_bridge_server.http.idempotency import Repeats
from wamp_bridge_server.http.messages import MessageRequests
from wamp_bridge_server.http.openapi import Description
from wamp_bridge_server.http.sources import SourceRequests
from wamp_bridge_server.http.streamed_calls import StreamedCalls
from wamp_bridge_server.http.streams import StreamRequests

if TYPE_CHECKING:
    import ssl

    from wamp_bridge_server.http.authentication import Authentication
    from wamp_bridge_server.http.routes import Handler, Route
    from wamp_bridge_server.limits import Limits
    from wamp_bridge_server.services.asynchronous import AsynchronousCalls
    from wamp_bridge_server.services.calls import Calls
    from wamp_bridge_server.services.dead_letters import DeadLetterOffice
    from wamp_bridge_server.services.directory import Directory
    from wamp_bridge_server.services.endpoints import Endpoints
    from wamp_bridge_server.services.health import Health
    from wamp_bridge_server.services.idempotency import Idempotency
    from wamp_bridge_server.services.publishing import Publishing
    from wamp_bridge_server.services.recall import Recall
    from wamp_bridge_server.services.signed_urls import SignedUrls
    from wamp_bridge_server.services.sources import Sources
    from wamp_bridge_server.services.steps import StepRoom
    from wamp_bridge_server.services.streams import Streams

IDLE_SECONDS = 150.0
"""Longer than proxies keep an idle connection, who else send on one that is just being closed."""

_LAST_ANSWERS_SECONDS = 2.0
"""What has been under way for longer than the bridge's patience is answered within so long."""


class HttpServer:
    """Serves the REST API at one address.

    Attributes:
        routes: All that it serves.
    """

    def __init__(
        self,
        limits: Limits,
        authentication: Authentication,
        calls: Calls,
        asynchronous: AsynchronousCalls,
        publishing: Publishing,
        idempotency: Idempotency,
        endpoints: Endpoints,
        sources: Sources,
        dead_letters: DeadLetterOffice,
        streams: Streams,
        signed_urls: SignedUrls,
        health: Health,
        directory: Directory,
        recall: Recall,
        steps: StepRoom,
    ) -> None:
        self._limits = limits
        self.admission = Admission(limits)
        self._authentication = authentication
        self._application = web.Application(client_max_size=MAX_BODY_BYTES)
        self._runner: web.AppRunner | None = None
        self.address: tuple[str, int] | None = None
        self.addresses: list[tuple[str, int]] = []
        streamed = StreamedCalls(calls, steps)
        rooms = (
            MessageRequests(calls, asynchronous, publishing, Repeats(idempotency), streamed),
            EndpointRequests(endpoints),
            SourceRequests(sources),
            DeadLetterRequests(dead_letters),
            StreamRequests(self.admission, authentication, streams, signed_urls),
            CrossbarRequests(self.admission, authentication, calls, publishing),
            DirectoryRequests(directory, recall),
            HealthRequests(health),
        )
        self.routes = [route for room in rooms for route in room.routes()]
        self.routes += Description(self.routes).routes()
        for route in self.routes:
            self._add(route)

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Begin to serve.

        Args:
            host: The address to listen on.
            port: The port; 0 lets the system choose one.
            tls: The certificate and key; None for plain HTTP.

        Raises:
            OSError: The address can't be listened on.
        """
        self._runner = Runner(
            self._application,
            self._limits.connections,
            access_log=None,
            shutdown_timeout=_LAST_ANSWERS_SECONDS,
            keepalive_timeout=IDLE_SECONDS,
            auto_decompress=False,  # digests are of the octets as they came
        )
        await self._runner.setup()
        await Site(self._runner, host, port, tls, self._limits.handshakes).start()
        self.addresses = [(name[0], name[1]) for name in self._runner.addresses]
        self.address = self.addresses[0]

    async def close(self) -> None:
        """Stop serving; what is being answered is finished first."""
        if self._runner is not None:
            await self._runner.cleanup()

    def _add(self, route: Route) -> None:
        """Have a route's requests answered, with and without the last slash."""
        handler: Handler = route.handler
        if route.access == "app":
            handler = self._of_app(handler)
        elif route.access == "anybody":
            handler = _of_anybody(handler)
        for spelling in route.spellings:
            if route.access == "crossbar":
                # Crossbar's clients are told in other words which methods there are.
                if route.method == "POST":
                    self._application.router.add_route("*", spelling, handler)
            elif route.method == "GET" and route.access != "app":
                self._application.router.add_get(spelling, handler)  # which takes HEAD too
            else:
                self._application.router.add_route(route.method, spelling, handler)

    def _of_app(self, handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            async with self.admission.request() as place:
                ask = await self._authentication.asking(request, place)
                check_protocol(request)
                response = await handler(ask)
            if self.admission.closed:
                response.force_close()  # the next request is for another bridge
            return response

        return handle


def _of_anybody(handler: Handler) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        check_protocol(request)
        return await handler(request)

    return handle
