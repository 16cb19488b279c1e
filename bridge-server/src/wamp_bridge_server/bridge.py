"""The bridge put together: one object that starts and stops everything, in order."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
import structlog

from wamp_bridge_server.backends.opening import identities_of, open_backend
from wamp_bridge_server.callbacks.destinations import Own
from wamp_bridge_server.callbacks.outbox import Outbox
from wamp_bridge_server.callbacks.sender import Sender
from wamp_bridge_server.config import check_listener
from wamp_bridge_server.http.authentication import Authentication
from wamp_bridge_server.http.authorities import Authorities, own_origins
from wamp_bridge_server.http.server import HttpServer
from wamp_bridge_server.http.tls import ListenerTls
from wamp_bridge_server.services.apps import Apps
from wamp_bridge_server.services.arrivals import Arrivals
from wamp_bridge_server.services.calls import Calls
from wamp_bridge_server.services.cleaning import Cleaning
from wamp_bridge_server.services.dead_letters import DeadLetterOffice
from wamp_bridge_server.services.endpoints import Endpoints
from wamp_bridge_server.services.health import Health
from wamp_bridge_server.services.inbox import Inbox
from wamp_bridge_server.services.publishing import Publishing
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


class Bridge:
    """A bridge, as its configuration has it."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._running = AsyncExitStack()
        self._address: tuple[str, int] | None = None
        self._tls: ListenerTls | None = None
        self._identities: dict[str, Identity] = {}
        self._authentication: Authentication | None = None
        self._reloading: Reloading | None = None
        self._reload_lock = asyncio.Lock()

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
        return self._config.router.url

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
        """Stop all of it: take nothing more, finish what is being answered, leave the router."""
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
            self._config = after
            self._identities.clear()
            self._identities.update(identities_of(after.apps))
            if after.public_urls != before.public_urls:
                self._authentication.authorities = self._authorities()
            await self._reloading.apply(before.apps, after.apps)
        return fixed

    async def _start(self, started: AsyncExitStack) -> None:  # noqa: PLR0915
        """Start the parts from the store upwards; they stop in the opposite order."""
        config = self._config
        own = _own(config)
        apps = Apps(config.apps, own)
        table = Table()

        store = await Store.open(config.store.url)
        started.push_async_callback(store.close)
        sender = Sender(apps.signer, apps.destinations)
        await sender.start()
        started.push_async_callback(sender.close)
        self._identities = identities_of(config.apps)
        backend = open_backend(config.router, self._identities)
        recipients = Recipients(apps, table)
        outbox = Outbox(
            sender, store, recipients, lambda recipient: _declined(endpoints, recipient)
        )
        started.push_async_callback(outbox.close)
        await outbox.load()
        inbox = Inbox(
            store,
            outbox,
            recipients.policy_of,
            lambda app, paused: backend.session(app).pause(paused=paused),
        )
        started.push_async_callback(inbox.close)
        reconciler = Reconciler(table, backend)
        arrivals = Arrivals(table, reconciler, sender, inbox, store, recipients.policy_of)
        started.push_async_callback(arrivals.close)
        await arrivals.start()
        await backend.start(arrivals)
        started.push_async_callback(backend.close)
        started.push_async_callback(reconciler.close)
        endpoints = Endpoints(table, store, reconciler, outbox)
        await endpoints.start(apps.by_name)
        started.push_async_callback(endpoints.close)
        outbox.start()
        sources = Sources(apps, table, endpoints, store, sender)
        await sources.start(
            (apps.by_name[name], url) for name, app in config.apps.items() for url in app.sources
        )
        started.push_async_callback(sources.close)
        self._reloading = Reloading(apps, table, endpoints, sources, reconciler, backend, outbox)
        calls = Calls(backend, inbox)
        started.push_async_callback(calls.close)
        dead_letters = DeadLetterOffice(store, table, outbox)
        cleaning = Cleaning(store, outbox, recipients.policy_of, recipients.dead_letters_kept_by)
        cleaning.start()
        started.push_async_callback(cleaning.close)
        health = Health(backend, table, inbox, outbox, store)
        self._authentication = authentication = Authentication(apps, store)
        server = HttpServer(
            authentication,
            calls,
            Publishing(backend),
            endpoints,
            sources,
            dead_letters,
            health,
        )
        self._tls = ListenerTls(config.tls) if config.tls is not None else None
        context = self._tls.context if self._tls is not None else None
        await server.start(config.listen.host, config.listen.port, context)
        started.push_async_callback(server.close)
        own.listens(server.addresses)
        self._address = server.address
        authentication.authorities = self._authorities()
        health.serving = True
        started.callback(health.stopping)

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


def _own(config: Config) -> Own:
    """What no app may be served at: the listener, the router. The store has no address."""
    parts = urlsplit(config.router.url)
    port = parts.port or {"ws": 80, "wss": 443}.get(parts.scheme)
    own = Own([(parts.hostname, port)] if parts.hostname and port else [])
    own.listens([(config.listen.host, config.listen.port)])
    return own


def _declined(endpoints: Endpoints, recipient: Recipient) -> None:
    if isinstance(recipient, Endpoint):  # an outcome's callback URL has nothing to take back
        endpoints.declined(recipient)
