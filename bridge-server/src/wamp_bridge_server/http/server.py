"""The HTTP server: which request goes where."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from wamp_bridge_server.http.admission import Admission
from wamp_bridge_server.http.answers import answer
from wamp_bridge_server.http.asking import MAX_BODY_BYTES
from wamp_bridge_server.http.connections import Runner, Site
from wamp_bridge_server.http.crossbar import CrossbarRequests
from wamp_bridge_server.http.dead_letters import DeadLetterRequests
from wamp_bridge_server.http.directory import DirectoryRequests
from wamp_bridge_server.http.endpoints import EndpointRequests
from wamp_bridge_server.http.gate import check_protocol
from wamp_bridge_server.http.idempotency import Repeats
from wamp_bridge_server.http.messages import MessageRequests
from wamp_bridge_server.http.sources import SourceRequests
from wamp_bridge_server.http.streamed_calls import StreamedCalls
from wamp_bridge_server.http.streams import StreamRequests

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from wamp_bridge_server.http.asking import Asking
    from wamp_bridge_server.http.authentication import Authentication
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

    Handler = Callable[[Asking], Awaitable[web.StreamResponse]]

IDLE_SECONDS = 150.0
"""Longer than proxies keep an idle connection, who else send on one that is just being closed."""

_LAST_ANSWERS_SECONDS = 2.0
"""What has been under way for longer than the bridge's patience is answered within so long."""


class HttpServer:
    """Serves the REST API at one address."""

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
        self._health = health
        self._application = web.Application(client_max_size=MAX_BODY_BYTES)
        self._runner: web.AppRunner | None = None
        self.address: tuple[str, int] | None = None
        self.addresses: list[tuple[str, int]] = []
        streamed = StreamedCalls(calls, steps)
        repeats = Repeats(idempotency)
        self._route(MessageRequests(calls, asynchronous, publishing, repeats, streamed))
        self._route_endpoints(EndpointRequests(endpoints))
        self._route_sources(SourceRequests(sources))
        self._route_dead_letters(DeadLetterRequests(dead_letters))
        self._route_streams(StreamRequests(self.admission, authentication, streams, signed_urls))
        self._route_directory(DirectoryRequests(directory, recall))
        self._route_crossbar(CrossbarRequests(self.admission, authentication, calls, publishing))
        self._open("/health/live", self._live)
        self._open("/health/ready", self._ready)

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

    def _route(self, messages: MessageRequests) -> None:
        self._add("POST", "/call/{name:[^/]+}", messages.call)
        self._add("GET", "/calls/{name:[^/]+}", messages.read_call)
        self._add("DELETE", "/calls/{name:[^/]+}", messages.cancel_call)
        self._add("POST", "/publish/{name:[^/]+}", messages.publish)

    def _route_endpoints(self, endpoints: EndpointRequests) -> None:
        self._add("POST", "/register", endpoints.register)
        self._add("POST", "/unregister", endpoints.unregister)
        self._add("POST", "/subscribe", endpoints.subscribe)
        self._add("POST", "/unsubscribe", endpoints.unsubscribe)
        self._add("POST", "/heartbeat", endpoints.heartbeat)
        self._add("GET", "/registrations", endpoints.registrations)
        self._add("GET", "/registrations/{name:[^/]+}", endpoints.registration)
        self._add("DELETE", "/registrations/{name:[^/]+}", endpoints.delete_registration)
        self._add("GET", "/subscriptions", endpoints.subscriptions)
        self._add("GET", "/subscriptions/{name:[^/]+}", endpoints.subscription)
        self._add("DELETE", "/subscriptions/{name:[^/]+}", endpoints.delete_subscription)

    def _route_sources(self, sources: SourceRequests) -> None:
        self._add("POST", "/announce", sources.announce)
        self._add("POST", "/withdraw", sources.withdraw)
        self._add("GET", "/sources", sources.list)

    def _route_dead_letters(self, dead_letters: DeadLetterRequests) -> None:
        self._add("GET", "/dead-letters", dead_letters.list)
        self._add("DELETE", "/dead-letters", dead_letters.delete)
        self._add("POST", "/dead-letters/replay", dead_letters.replay)
        self._add("GET", "/dead-letters/{name:[^/]+}", dead_letters.one)
        self._add("DELETE", "/dead-letters/{name:[^/]+}", dead_letters.delete_one)
        self._add("POST", "/dead-letters/{name:[^/]+}/replay", dead_letters.replay_one)

    def _route_streams(self, streams: StreamRequests) -> None:
        self._add("POST", "/events/{name:[^/]+}/url", streams.sign)
        router = self._application.router
        for path in ("/events/{name:[^/]+}", "/events/{name:[^/]+}/"):
            router.add_get(path, streams.follow)  # which takes HEAD too
            router.add_route("OPTIONS", path, streams.preflight)

    def _route_directory(self, directory: DirectoryRequests) -> None:
        self._add("GET", "/procedures", directory.procedures)
        self._add("GET", "/topics", directory.topics)
        self._add("GET", "/topics/{name:[^/]+}/history", directory.history)

    def _route_crossbar(self, crossbar: CrossbarRequests) -> None:
        for path, handler in (("/call", crossbar.call), ("/publish", crossbar.publish)):
            for spelling in (path, f"{path}/"):
                self._application.router.add_route("*", spelling, handler)

    def _add(self, method: str, path: str, handler: Handler) -> None:
        """Route a request of an app, with and without the last slash."""

        async def handle(request: web.Request) -> web.StreamResponse:
            async with self.admission.request() as place:
                ask = await self._authentication.asking(request, place)
                check_protocol(request)
                response = await handler(ask)
            if self.admission.closed:
                response.force_close()  # the next request is for another bridge
            return response

        for spelling in (path, f"{path}/"):
            self._application.router.add_route(method, spelling, handle)

    def _open(self, path: str, handler: Callable[[web.Request], Awaitable[web.Response]]) -> None:
        """Route a request that anybody may make."""

        async def handle(request: web.Request) -> web.StreamResponse:
            check_protocol(request)
            return await handler(request)

        for spelling in (path, f"{path}/"):
            self._application.router.add_get(spelling, handle)

    async def _live(self, _request: web.Request) -> web.Response:
        return answer({"status": "live"})

    async def _ready(self, _request: web.Request) -> web.Response:
        report = self._health.report()
        status = HTTPStatus.OK if report["status"] == "ready" else HTTPStatus.SERVICE_UNAVAILABLE
        return answer(report, status)
