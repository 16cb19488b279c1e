"""From TOML's values to the structs: every key known, every value checked, all problems told."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, TypeVar

from wamp_bridge_server.config import _deliveries, checks
from wamp_bridge_server.config._callbacks import callback_rule
from wamp_bridge_server.config._expiry import entry
from wamp_bridge_server.config._model import (
    AppConfig,
    AuthMethod,
    CallConfig,
    Config,
    CrossbarKey,
    DeliveryConfig,
    Permissions,
    RouterAuth,
    RouterConfig,
    Secret,
    StoreConfig,
    TlsConfig,
    Token,
)
from wamp_bridge_server.config._secrets import Vault, anything
from wamp_bridge_server.config._tls import check_authorities, check_pair
from wamp_bridge_server.config.checks import Wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Report = Callable[[tuple[str, ...], str], None]

T = TypeVar("T")

_METHODS: dict[str, AuthMethod] = {
    "anonymous": "anonymous",
    "ticket": "ticket",
    "wampcra": "wampcra",
    "cryptosign": "cryptosign",
}
# What each method needs, and what it may have beside.
_CREDENTIALS: dict[AuthMethod, tuple[set[str], set[str]]] = {
    "anonymous": (set(), {"authid"}),
    "ticket": ({"authid", "secret"}, set()),
    "wampcra": ({"authid", "secret"}, set()),
    "cryptosign": ({"key"}, {"authid"}),
}


class _Table:
    """A table that is being read; what nobody asked for is unknown."""

    def __init__(self, report: Report, path: tuple[str, ...], value: Any) -> None:
        self.path = path
        self.report = report
        self._known: list[str] = []
        self._values: Mapping[str, Any] = {}
        if isinstance(value, dict):
            self._values = value
        else:
            report(path, f"must be a table, not {checks.kind(value)}")

    def get(self, key: str, check: Callable[[Any], T], default: T) -> T:
        """A key's checked value; its default where it is left out or wrong (and told)."""
        self._known.append(key)
        if key not in self._values:
            return default
        try:
            return check(self._values[key])
        except Wrong as wrong:
            self.report((*self.path, key + wrong.inside), str(wrong))
            return default

    def table(self, key: str) -> _Table | None:
        """A table in this one; None where it is left out."""
        self._known.append(key)
        if key not in self._values:
            return None
        return _Table(self.report, (*self.path, key), self._values[key])

    def keys(self) -> tuple[str, ...]:
        """The keys that are given."""
        return tuple(self._values)

    def done(self) -> None:
        """Tell of all keys that nobody asked for."""
        for key in self._values:
            if key in self._known:
                continue
            near = difflib.get_close_matches(key, self._known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(self._known)}"
            self.report((*self.path, key), f"is an unknown key; {hint}")


def read(values: Mapping[str, Any], vault: Vault, report: Report) -> Config:
    """Make the configuration of TOML's values; good only when nothing was reported."""
    root = _Table(report, (), values)
    defaults = Config()
    config = Config(
        listen=root.get("listen", checks.address, defaults.listen),
        public_urls=root.get("public_urls", checks.listed(checks.public_url), ()),
        trusted_proxies=root.get("trusted_proxies", checks.listed(checks.network), ()),
        tls=_tls(root.table("tls"), vault),
        router=_router(root.table("router"), vault),
        store=_store(root.table("store")),
        grace=root.get("grace", checks.grace, defaults.grace),
        apps=_apps(root.table("apps"), vault),
    )
    root.done()
    if "apps" not in values or values["apps"] == {}:
        report(
            ("apps",),
            "names no app, so nobody could use the bridge; `wamp-bridge key NAME` makes one",
        )
    _keys_name_one_app(config.apps, report)
    anonymous_is_one_app_on_loopback(config, report)
    return config


def _tls(table: _Table | None, vault: Vault) -> TlsConfig | None:
    if table is None:
        return None
    cert = table.get("cert", vault.path, None)
    key = table.get("key", vault.path, None)
    table.done()
    if lacking := sorted({"cert", "key"} - set(table.keys())):
        table.report(table.path, f"lacks {' and '.join(lacking)}, files in PEM")
    if cert is None or key is None:
        return None
    try:
        check_pair(cert, key)
    except Wrong as wrong:
        table.report(table.path, str(wrong))
    return TlsConfig(cert=cert, key=key)


def _router(table: _Table | None, vault: Vault) -> RouterConfig:
    if table is None:
        return RouterConfig()
    defaults = RouterConfig()
    router = RouterConfig(
        url=table.get("url", checks.router_url, defaults.url),
        realm=table.get("realm", checks.realm, defaults.realm),
        auth=_auth(table.table("auth"), vault) or defaults.auth,
        ca=table.get("ca", vault.file(check_authorities), None),
    )
    table.done()
    if "ca" in set(table.keys()) and not router.url.startswith(("rss:", "wss:")):
        table.report((*table.path, "ca"), "is for routers at rss:// and wss:// alone")
    return router


def _auth(table: _Table | None, vault: Vault) -> RouterAuth | None:
    if table is None:
        return None
    method = table.get("method", _method, None)
    auth = RouterAuth(
        method=method or "anonymous",
        authid=table.get("authid", checks.text, None),
        secret=table.get("secret", vault.secret(anything), None),
        key=table.get("key", vault.secret(checks.cryptosign_key), None),
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
    for key in sorted((given & {"authid", "secret", "key"}) - needed - optional):
        table.report((*table.path, key), f"is nothing that {method} uses; leave it out")
    return auth


def _method(value: Any) -> AuthMethod | None:
    method = _METHODS.get(checks.text(value))
    if method is None:
        raise Wrong(f"must be one of {', '.join(_METHODS)}, not {value!r}")
    return method


def _store(table: _Table | None) -> StoreConfig:
    if table is None:
        return StoreConfig()
    store = StoreConfig(url=table.get("url", checks.store_url, StoreConfig().url))
    table.done()
    return store


def _apps(table: _Table | None, vault: Vault) -> dict[str, AppConfig]:
    if table is None:
        return {}
    apps = {}
    names = table.keys()
    for name in names:
        try:
            checks.app_name(name)
        except Wrong as wrong:
            table.report((*table.path, name), str(wrong))
        inner = table.table(name)
        if inner is not None:
            apps[name] = _app(name, inner, vault)
    return apps


def _app(name: str, table: _Table, vault: Vault) -> AppConfig:
    tokens: tuple[Token, ...] = ()
    secrets: tuple[Secret, ...] = ()
    app = AppConfig(
        name=name,
        tokens=table.get("tokens", checks.listed(_token), tokens),
        secrets=table.get("secrets", checks.listed(_webhook_secret(vault)), secrets),
        sources=table.get("sources", checks.listed(checks.source_url), ()),
        callbacks=table.get("callbacks", checks.listed(callback_rule), None),
        allow=_permissions(table.table("allow")),
        rate=table.get("rate", checks.rate, None),
        crossbar=_crossbar(table.table("crossbar"), vault),
        anonymous=table.get("anonymous", checks.boolean, default=False),
        calls=_called(table.table("calls")),
        deliveries=_delivered(table.table("deliveries")),
        router_auth=_auth(table.table("router_auth"), vault),
    )
    table.done()
    if not set(table.keys()) & {"tokens", "secrets", "crossbar", "anonymous"}:
        table.report(
            table.path,
            f"has neither tokens nor secrets; `wamp-bridge key {name}` makes them",
        )
    return app


def _token(value: Any) -> Token:
    given, expires = entry("token", value)
    try:
        return Token(checks.token(given), expires)
    except Wrong as wrong:
        raise Wrong(str(wrong), ".token" if expires is not None else "") from wrong


def _webhook_secret(vault: Vault) -> Callable[[Any], Secret]:
    resolve = vault.secret(checks.webhook_secret)

    def check(value: Any) -> Secret:
        given, expires = entry("secret", value)
        try:
            return Secret(resolve(given).reveal(), expires)
        except Wrong as wrong:
            raise Wrong(str(wrong), ".secret" if expires is not None else "") from wrong

    return check


def _crossbar(table: _Table | None, vault: Vault) -> CrossbarKey | None:
    if table is None:
        return None
    key = table.get("key", checks.crossbar_key, None)
    secret = table.get("secret", vault.secret(anything), None)
    table.done()
    if lacking := sorted({"key", "secret"} - set(table.keys())):
        table.report(table.path, f"lacks {' and '.join(lacking)}")
    return None if key is None or secret is None else CrossbarKey(key=key, secret=secret)


def _called(table: _Table | None) -> CallConfig:
    default = CallConfig()
    if table is None:
        return default
    kept = _deliveries.seconds(0, _deliveries.MOST_KEPT)
    calls = CallConfig(
        keep=table.get("keep", kept, default.keep),
        running=table.get("running", _deliveries.count, default.running),
        kept_bytes=table.get("kept_bytes", _deliveries.count, default.kept_bytes),
    )
    table.done()
    return calls


def _delivered(table: _Table | None) -> DeliveryConfig:
    default = DeliveryConfig()
    if table is None:
        return default
    seconds, most = _deliveries.seconds, _deliveries.MOST_TIMEOUT
    deliveries = DeliveryConfig(
        schedule=table.get("schedule", _deliveries.schedule, default.schedule),
        jitter=table.get("jitter", _deliveries.share, default.jitter),
        timeout=table.get("timeout", seconds(_deliveries.LEAST_TIMEOUT, most), default.timeout),
        retry_after=table.get(
            "retry_after", seconds(0, _deliveries.MOST_WAIT), default.retry_after
        ),
        dead_letters=table.get(
            "dead_letters", seconds(0, _deliveries.MOST_KEPT), default.dead_letters
        ),
        most=table.get("most", _deliveries.count, default.most),
        most_bytes=table.get("most_bytes", _deliveries.count, default.most_bytes),
        history=table.get("history", _deliveries.history, default.history),
    )
    table.done()
    return deliveries


def _permissions(table: _Table | None) -> Permissions:
    if table is None:
        return Permissions()
    prefixes = checks.listed(checks.prefix)
    default = Permissions()
    allow = Permissions(
        call=table.get("call", prefixes, default.call),
        publish=table.get("publish", prefixes, default.publish),
        register=table.get("register", prefixes, default.register),
        subscribe=table.get("subscribe", prefixes, default.subscribe),
    )
    table.done()
    return allow


def _keys_name_one_app(apps: Mapping[str, AppConfig], report: Report) -> None:
    """What says which app asks stands in one place alone."""
    owners: dict[tuple[str, str], tuple[str, str]] = {}
    for app in apps.values():
        named = [
            ("token", token.hash, f"tokens[{index}]") for index, token in enumerate(app.tokens)
        ]
        if app.crossbar is not None:
            named.append(("Crossbar key", app.crossbar.key, "crossbar"))
        for what, value, key in named:
            owner, first = owners.setdefault((what, value), (app.name, key))
            if (owner, first) != (app.name, key):
                report(
                    ("apps", app.name, key),
                    f"is also a {what} of app {owner}; it says which app asks, so give each its "
                    "own",
                )


def anonymous_is_one_app_on_loopback(config: Config, report: Report) -> None:
    """Let one app in unasked at most, and where this machine alone can reach the bridge."""
    anonymous = [app.name for app in config.apps.values() if app.anonymous]
    for name in anonymous[1:]:
        report(
            ("apps", name, "anonymous"),
            f"can be true for one app alone, and is for {anonymous[0]}",
        )
    if anonymous and not config.listen.loopback:
        report(
            ("apps", anonymous[0], "anonymous"),
            "lets everybody in who reaches the bridge, so it is for listening on loopback alone, "
            f"not on {config.listen}",
        )
