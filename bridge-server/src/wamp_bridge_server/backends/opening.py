"""Which backend a router's URL asks for."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from wamp_bridge_server.backends.memory import MemoryBackend
from wamp_bridge_server.backends.wamp import Identity, WampBackend
from wamp_bridge_server.config import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wamp_bridge_server.backends.base import Backend
    from wamp_bridge_server.config import AppConfig, RouterAuth, RouterConfig


def identities_of(router: RouterConfig, apps: Mapping[str, AppConfig]) -> dict[str, Identity]:
    """As whom the apps join that have an identity of their own at the router, by their names.

    Raises:
        ConfigError: A certificate can't be read, though it could when the configuration was.
    """
    return {
        name: _identity(router, app.router_auth)
        for name, app in apps.items()
        if app.router_auth is not None
    }


def realms_of(apps: Mapping[str, AppConfig]) -> dict[str, str]:
    """Which realms the apps join that don't join the router section's, by their names."""
    return {name: app.realm for name, app in apps.items() if app.realm is not None}


def open_backend(
    router: RouterConfig,
    identities: Mapping[str, Identity],
    realms: Mapping[str, str] | None = None,
) -> Backend:
    """Make the backend for a router; it is still to be started.

    Args:
        router: The router section.
        identities: Those of apps with one of their own; looked up each time that one joins.
        realms: Those of apps with one of their own; looked up when one's session is opened.

    Raises:
        ValueError: The router's URL is none of those known.
    """
    if router.is_memory:
        return MemoryBackend(router.realm, realms)
    return WampBackend(
        router.urls,
        router.realm,
        identity=_identity(router, router.auth),
        identities=identities,
        realms=realms,
        tls=_tls(router, router.auth),
    )


def _tls(router: RouterConfig, auth: RouterAuth) -> ssl.SSLContext | None:
    """How a session goes by TLS; None where that is as everybody does."""
    pair = auth.pair or router.tls
    if pair is None and router.ca is None:
        return None
    tls = ssl.create_default_context(cafile=router.ca)
    if pair is not None:
        try:
            tls.load_cert_chain(pair.cert, pair.key)
        except OSError as error:
            text = f"can't be read: {error.strerror or error}"
            raise ConfigError([Problem(str(pair.cert), "", text)]) from error
    return tls


def _identity(router: RouterConfig, auth: RouterAuth) -> Identity:
    return Identity(
        method=auth.method,
        authid=auth.authid,
        secret=None if auth.secret is None else auth.secret.reveal(),
        key=None if auth.key is None else auth.key.reveal(),
        tls=_tls(router, auth),
    )
