"""From TOML's values to the structs: every key known, every value checked, all problems told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wamp_bridge_server.config import _deliveries, checks
from wamp_bridge_server.config._callbacks import callback_rule
from wamp_bridge_server.config._expiry import entry
from wamp_bridge_server.config._model import (
    AppConfig,
    CallConfig,
    Config,
    CrossbarKey,
    DeliveryConfig,
    Permissions,
    Secret,
    StoreConfig,
    Token,
)
from wamp_bridge_server.config._router import (
    certificates_go_by_tls,
    read_auth,
    read_router,
    read_tls,
)
from wamp_bridge_server.config._secrets import Vault, anything
from wamp_bridge_server.config._table import Table
from wamp_bridge_server.config.checks import Wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Report = Callable[[tuple[str, ...], str], None]


def read(values: Mapping[str, Any], vault: Vault, report: Report) -> Config:
    """Make the configuration of TOML's values; good only when nothing was reported."""
    root = Table(report, (), values)
    defaults = Config()
    config = Config(
        listen=root.get("listen", checks.address, defaults.listen),
        public_urls=root.get("public_urls", checks.listed(checks.public_url), ()),
        trusted_proxies=root.get("trusted_proxies", checks.listed(checks.network), ()),
        tls=read_tls(root.table("tls"), vault),
        router=read_router(root.table("router"), vault),
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
    certificates_go_by_tls(config, report)
    anonymous_is_one_app_on_loopback(config, report)
    return config


def _store(table: Table | None) -> StoreConfig:
    if table is None:
        return StoreConfig()
    store = StoreConfig(url=table.get("url", checks.store_url, StoreConfig().url))
    table.done()
    return store


def _apps(table: Table | None, vault: Vault) -> dict[str, AppConfig]:
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


def _app(name: str, table: Table, vault: Vault) -> AppConfig:
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
        realm=table.get("realm", checks.realm, None),
        router_auth=read_auth(table.table("router_auth"), vault),
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


def _crossbar(table: Table | None, vault: Vault) -> CrossbarKey | None:
    if table is None:
        return None
    key = table.get("key", checks.crossbar_key, None)
    secret = table.get("secret", vault.secret(anything), None)
    table.done()
    if lacking := sorted({"key", "secret"} - set(table.keys())):
        table.report(table.path, f"lacks {' and '.join(lacking)}")
    return None if key is None or secret is None else CrossbarKey(key=key, secret=secret)


def _called(table: Table | None) -> CallConfig:
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


def _delivered(table: Table | None) -> DeliveryConfig:
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


def _permissions(table: Table | None) -> Permissions:
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
