"""Which backend a router's URL asks for."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from wamp_bridge_server.backends.memory import MemoryBackend
from wamp_bridge_server.backends.wamp import Identity, WampBackend

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wamp_bridge_server.backends.base import Backend
    from wamp_bridge_server.config import AppConfig, RouterAuth, RouterConfig

_MEMORY: Final = "memory:"


def identities_of(apps: Mapping[str, AppConfig]) -> dict[str, Identity]:
    """As whom the apps join that have an identity of their own at the router, by their names."""
    return {
        name: _identity(app.router_auth)
        for name, app in apps.items()
        if app.router_auth is not None
    }


def open_backend(router: RouterConfig, identities: Mapping[str, Identity]) -> Backend:
    """Make the backend for a router; it is still to be started.

    Args:
        router: The router section.
        identities: Those of apps with one of their own; looked up each time that one joins.

    Raises:
        ValueError: The router's URL is none of those known.
    """
    if router.url.startswith(_MEMORY):
        return MemoryBackend()
    return WampBackend(
        router.url,
        router.realm,
        identity=_identity(router.auth),
        identities=identities,
        tls=ssl.create_default_context(cafile=router.ca) if router.ca is not None else None,
    )


def _identity(auth: RouterAuth) -> Identity:
    return Identity(
        method=auth.method,
        authid=auth.authid,
        secret=None if auth.secret is None else auth.secret.reveal(),
        key=None if auth.key is None else auth.key.reveal(),
    )
