"""The bridge put together: one object that starts and stops everything, in order."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec
import structlog

from wamp_bridge_server.backends.opening import identities_of, open_backend, realms_of
from wamp_bridge_server.callbacks.destinations import Own
from wamp_bridge_server.callbacks.outbox import Outbox
from wamp_bridge_server.callbacks.sender import Sender
from wamp_bridge_server.clock import Clock
from wamp_bridge_server.config import check_listener
from wamp_bridge_server.departure import Departure
from wamp_bridge_server.http.authentication import Authentication
from wamp_bridge_server.http.authorities import Authorities, own_origins
from wamp_bridge_server.http.remotes import Remotes
from wamp_bridge_server.http.server import HttpServer
from wamp_bridge_server.http.tls import ListenerTls
from wamp_bridge_server.limits import Limits
from wamp_bridge_server.services.apps import Apps
from wamp_bridge_server.services.arrivals import Arrivals
from wamp_bridge_server.services.asynchronous import AsynchronousCalls
from wamp_bridge_server.services.calls import Calls
from wamp_bridge_server.services.cleaning import Cleaning
from wamp_bridge_server.services.dead_letters import DeadLetterOffice
from wamp_bridge_server.services.directory import Directory
from wamp_bridge_server.services.endpoints import Endpoints
from wamp_bridge_server.services.health import Health
from wamp_bridge_server.services.idempotency import Idempotency
from wamp_bridge_server.services.inbox import Inbox
from wamp_bridge_server.services.liveness import Liveness
from wamp_bridge_server.services.publishing import Publishing
from wamp_bridge_server.services.recall import Recall
from wamp_bridge_server.services.recipients import Recipients
from wamp_bridge_server.services.reconciler import Reconciler
from wamp_bridge_server.services.reloading import Reloading
from wamp_bridge_server.services.sources import Sources
from wamp_bridge_server.services.table import Endpoint, Table
from wamp_bridge_server.store import Store

if TYPE_CHECKING:
    from wamp_bridge_server.backends.wamp import Identity
    from wamp_bridge_server.callbacks.recipients import Recipient
    from wamp_bridge_server.config import Config

FIXED = ("listen", "tls", "router", "store")
"""The keys that take another start."""

log = structlog.get_logger("wamp_bridge")


class _Closed(Protocol):
    """What is closed in the end."""

    async def close(self) -> object: ...


Part = TypeVar("Part", bound=_Closed)


class Bridge:
    """A bridge, as its configuration has it.

    Args:
        config: What it is told.
        clock: What time it is; the machine's if left out.
        limits: What it takes at once; as much as this process can if left out.
    """

    def __init__(
        self, config: Config, clock: Clock | None = None, limits: Limits | None = None
    ) -> None:
        self._config = config
        self._clock = clock or Clock()
        self._limits = limits or Limits.of_this_process()
        self._running = AsyncExitStack()
        self._address: tuple[str, int] | None = None
        self._tls: ListenerTls | None = None
        self._identities: dict[str, Identity] = {}
        self._realms: dict[str, str] = {}
        self._authentication: Authentication | None = None
        self._reloading: Reloading | None = None
        self._reload_lock = asyncio.Lock()
        self._departure: Departure | None = None

    @property
    def url(self) -> str:
        """Where its REST API is; with the port that was chosen, once it is started."""
        host, port = self._address or (self._config.listen.host, self._config.listen.port)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - to connect to
        scheme = "https" if self._config.tls is not None else "http"
        return f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"

    @property
    def router_url(self) -> str:
        """The URL of the router that it joins."""
        return self._config.router.urls[0]

    async def start(self) -> None:
        """Start all of it; on return requests are answered. The router may be away.

        Raises:
            StoreError: The store can't be opened.
            OSError: The address can't be listened on.
        """
        async with AsyncExitStack() as started:
            await self._start(started)
            self._running = started.pop_all()

    async def stop(self) -> None:
        """Stop all of it: take nothing more, finish what is under way, leave the router.

        What is not finished within the configured grace is answered 503, or made again at the next
        start where it is kept.
        """
        if self._departure is not None:
            await self._departure.take_leave(self._config.grace)
        await self._running.aclose()

    async def reload(self, config: Config) -> list[str]:
        """Go by another configuration, as far as that can be done at run time.

        Returns:
            The keys that differ from what is in force, and take another start.

        Raises:
            ConfigError: It can't be in force together with what takes another start.
            RuntimeError: The bridge was not started.
        """
        if self._reloading is None or self._authentication is None:
            raise RuntimeError("the bridge was not started")
        async with self._reload_lock:
            before = self._config
            fixed = [key for key in FIXED if getattr(config, key) != getattr(before, key)]
            kept = {key: getattr(before, key) for key in FIXED}
            after = msgspec.structs.replace(config, **kept)
            check_listener(after)
            self._renew_certificate()
            identities = identities_of(after.router, after.apps)
            self._config = after
            self._identities.clear()
            self._identities.update(identities)
            self._realms.clear()
            self._realms.update(realms_of(after.apps))
            if after.public_urls != before.public_urls:
                self._authentication.authorities = self._authorities()
            self._authentication.remotes = Remotes(after.trusted_proxies)
            await self._reloading.apply(before.apps, after.apps)
        return fixed

    async def _start(self, started: AsyncExitStack) -> None:
        """Start the parts from the store upwards; they stop in the opposite order."""

        def closing(part: Part) -> Part:
            started.push_async_callback(part.close)
            return part

        config, clock = self._config, self._clock
        own = Own.of(config)
        apps = Apps(config.apps, own)
        table = Table(clock)
        store = closing(await Store.open(config.store.url))
        sender = closing(
            Sender(
                apps.signer,
                apps.destinations,
                failed=lambda *failure: liveness.failed(*failure),  # noqa: PLW0108 - made below
            )
        )
        await sender.start()
        self._identities = identities_of(config.router, config.apps)
        self._realms = realms_of(config.apps)
        backend = open_backend(config.router, self._identities, self._realms)
        recipients = Recipients(apps, table)
        outbox = closing(
            Outbox(sender, store, recipients, lambda recipient: _declined(endpoints, recipient))
        )
        await outbox.load()
        inbox = closing(
            Inbox(
                store,
                outbox,
                recipients.policy_of,
                lambda app, paused: backend.session(app).pause(paused=paused),
            )
        )
        reconciler = Reconciler(table, backend)
        limit = self._limits.invocations
        arrivals = closing(
            Arrivals(table, reconciler, sender, inbox, limit, store, recipients.policy_of)
        )
        await arrivals.start()
        await closing(backend).start(arrivals)
        directory = Directory(backend)
        endpoints = closing(
            Endpoints(
                table,
                store,
                closing(reconciler),
                outbox,
                clock,
                directory.holder,
                lambda app: self._realms.get(app, config.router.realm),
            )
        )
        await endpoints.start(apps.by_name)
        outbox.start()
        sources = Sources(apps, table, endpoints, store, sender, clock)
        liveness = closing(Liveness(table, endpoints, sources, sender, clock))
        liveness.doubt(await store.deliveries.unanswered())
        await closing(sources).start(
            (apps.by_name[name], url) for name, app in config.apps.items() for url in app.sources
        )
        self._reloading = Reloading(apps, table, endpoints, sources, reconciler, backend, outbox)
        calls = Calls(backend)
        asynchronous = closing(AsynchronousCalls(backend, store, inbox, outbox, apps, clock.time))
        await asynchronous.start()
        idempotency = closing(Idempotency(store, clock.time))
        await idempotency.start()
        closing(
            Cleaning(store, outbox, recipients.policy_of, recipients.dead_letters_kept_by)
        ).start()
        health = Health(backend, table, inbox, outbox, store, sources)
        self._authentication = authentication = Authentication(apps, store)
        server = HttpServer(
            self._limits,
            authentication,
            calls,
            asynchronous,
            Publishing(backend),
            idempotency,
            endpoints,
            sources,
            DeadLetterOffice(store, table, outbox),
            health,
            directory,
            Recall(backend),
        )
        await self._listen(closing(server), own)
        authentication.authorities = self._authorities()
        authentication.remotes = Remotes(config.trusted_proxies)
        health.phase = "serving"
        self._departure = Departure(
            health, server.admission, arrivals, calls, asynchronous, reconciler, outbox
        )

    async def _listen(self, server: HttpServer, own: Own) -> None:
        config = self._config
        self._tls = ListenerTls(config.tls) if config.tls is not None else None
        context = self._tls.context if self._tls is not None else None
        await server.start(config.listen.host, config.listen.port, context)
        own.listens(server.addresses)
        self._address = server.address

    def _renew_certificate(self) -> None:
        if self._tls is None:
            return
        try:
            self._tls.renew()
        except OSError as error:
            reason = error.strerror or str(error)
            log.error("the certificate can't be read again", reason=reason)  # noqa: TRY400 - no bug

    def _authorities(self) -> Authorities:
        """What signatures may be made for: the public URLs, or else the listener's own."""
        config = self._config
        port = self._address[1] if self._address is not None else config.listen.port
        own = own_origins(config.listen, port, tls=config.tls is not None)
        origins = config.public_urls or own
        if not origins and any(app.secrets for app in config.apps.values()):
            log.warning("no signed request can be verified: public_urls is not set")
        return Authorities(origins)


def _declined(endpoints: Endpoints, recipient: Recipient) -> None:
    if isinstance(recipient, Endpoint):  # an outcome's callback URL has nothing to take back
        endpoints.declined(recipient)
