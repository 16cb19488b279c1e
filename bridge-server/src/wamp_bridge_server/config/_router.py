"""The router section, who joins there, and certificates; read as `_reader` reads the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wamp_bridge_server.config import checks
from wamp_bridge_server.config._model import (
    AuthMethod,
    Config,
    RouterAuth,
    RouterConfig,
    TlsConfig,
)
from wamp_bridge_server.config._secrets import Vault, anything
from wamp_bridge_server.config._tls import check_authorities, check_pair
from wamp_bridge_server.config.checks import Wrong

if TYPE_CHECKING:
    from pathlib import Path

    from wamp_bridge_server.config._table import Report, Table

_METHODS: dict[str, AuthMethod] = {
    "anonymous": "anonymous",
    "ticket": "ticket",
    "wampcra": "wampcra",
    "scram": "scram",
    "cryptosign": "cryptosign",
    "tls": "tls",
}
_TLS_ALONE = "can't be tls: every URL of the router must be rss:// or wss:// for that"
# What each method needs, and what it may have beside.
_CREDENTIALS: dict[AuthMethod, tuple[set[str], set[str]]] = {
    "anonymous": (set(), {"authid"}),
    "ticket": ({"authid", "secret"}, set()),
    "wampcra": ({"authid", "secret"}, set()),
    "scram": ({"authid", "secret"}, set()),
    "cryptosign": ({"key"}, {"authid"}),
    "tls": (set(), {"authid", "cert", "key"}),
}


def read_tls(table: Table | None, vault: Vault) -> TlsConfig | None:
    """A certificate and its key; None where they are left out."""
    if table is None:
        return None
    cert = table.get("cert", vault.path, None)
    key = table.get("key", vault.path, None)
    table.done()
    if lacking := sorted({"cert", "key"} - set(table.keys())):
        table.report(table.path, f"lacks {' and '.join(lacking)}, files in PEM")
    if cert is None or key is None:
        return None
    return _pair(table, cert, key)


def read_router(table: Table | None, vault: Vault) -> RouterConfig:
    """The router section; its defaults where it is left out."""
    if table is None:
        return RouterConfig()
    defaults = RouterConfig()
    router = RouterConfig(
        url=table.get("url", checks.router_urls, defaults.url),
        realm=table.get("realm", checks.realm, defaults.realm),
        auth=read_auth(table.table("auth"), vault) or defaults.auth,
        ca=table.get("ca", vault.file(check_authorities), None),
        tls=read_tls(table.table("tls"), vault),
    )
    table.done()
    for key in ("ca", "tls"):
        if key in set(table.keys()) and not router.secure:
            table.report((*table.path, key), "is for routers at rss:// and wss:// alone")
    return router


def read_auth(table: Table | None, vault: Vault) -> RouterAuth | None:
    """Who joins the router; None where that is left out."""
    if table is None:
        return None
    method = table.get("method", _method, None)
    auth = RouterAuth(
        method=method or "anonymous",
        authid=table.get("authid", checks.authid if method == "scram" else checks.text, None),
        secret=table.get("secret", vault.secret(anything), None),
        **_keys(method, table, vault),
    )
    table.done()
    given = set(table.keys())
    if method is None:
        if "method" not in given:
            table.report(table.path, f"lacks its method: {', '.join(_METHODS)}")
        return auth
    needed, optional = _CREDENTIALS[method]
    for key in sorted(needed - given):
        table.report(table.path, f"lacks {key}, which {method} needs")
    for key in sorted((given & {"authid", "secret", "key", "cert"}) - needed - optional):
        table.report((*table.path, key), f"is nothing that {method} uses; leave it out")
    return auth


def certificates_go_by_tls(config: Config, report: Report) -> None:
    """Who joins by a certificate has one, and shows it by TLS."""
    router = config.router
    joining: list[tuple[tuple[str, ...], RouterAuth]] = [(("router", "auth"), router.auth)]
    joining += [
        (("apps", app.name, "router_auth"), app.router_auth)
        for app in config.apps.values()
        if app.router_auth is not None
    ]
    for path, auth in joining:
        if auth.method == "tls" and not router.secure:
            report((*path, "method"), _TLS_ALONE)
        elif auth.method == "tls" and auth.pair is None and router.tls is None:
            report(path, "lacks cert and key, and router.tls doesn't have them either")


def _keys(method: AuthMethod | None, table: Table, vault: Vault) -> dict[str, Any]:
    """`key` is a file, beside that of the certificate, or an Ed25519 key."""
    cert = table.get("cert", vault.path, None)
    if method != "tls":
        return {"key": table.get("key", vault.secret(checks.cryptosign_key), None)}
    key = table.get("key", vault.path, None)
    if (cert is None) != (key is None):
        table.report(table.path, "needs cert and key both")
    return {"pair": None if cert is None or key is None else _pair(table, cert, key)}


def _pair(table: Table, cert: Path, key: Path) -> TlsConfig:
    try:
        check_pair(cert, key)
    except Wrong as wrong:
        table.report(table.path, str(wrong))
    return TlsConfig(cert=cert, key=key)


def _method(value: Any) -> AuthMethod | None:
    method = _METHODS.get(checks.text(value))
    if method is None:
        raise Wrong(f"must be one of {', '.join(_METHODS)}, not {value!r}")
    return method
