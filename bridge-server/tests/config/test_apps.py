"""What a configuration says of how apps are let in, where their callbacks may go, and TLS."""

from __future__ import annotations

import base64
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from support.certificates import write_certificate
from wamp_bridge_server.config import (
    AppConfig,
    CallbackRule,
    CallConfig,
    Config,
    ConfigError,
    CrossbarKey,
    DeliveryConfig,
    RouterAuth,
    RouterConfig,
    Secret,
    TlsConfig,
    Token,
    check_listener,
    hash_token,
    load,
    parse,
)
from wamp_bridge_server.config.tokens import is_mistyped, make_token

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
HASH = "sha256:" + hash_token("hunter2")
APP = f'[apps.shop]\ntokens = ["{HASH}"]\n'
ENVIRON = {"S": SECRET, "C": "foobar"}
NOON = 1798718400.0  # 2026-12-31T12:00:00Z


def shop(lines: str) -> AppConfig:
    return parse(APP + lines, environ=ENVIRON).apps["shop"]


def told(text: str, **others: Any) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        parse(text, name="b.toml", environ=ENVIRON, **others)
    return [str(problem) for problem in refused.value.problems]


def test_what_is_said_of_an_app() -> None:
    app = shop(
        "rate = 0.5\nanonymous = true\ncrossbar = { key = 'shop', secret = 'env:C' }\n"
        "secrets = ['env:S']\ncallbacks = []"
    )
    assert app.rate == 0.5
    assert app.anonymous
    assert app.crossbar == CrossbarKey(key="shop", secret=Secret("foobar"))
    assert app.callbacks == ()


def test_what_is_not_said_of_an_app() -> None:
    app = shop("")
    assert (app.rate, app.anonymous, app.crossbar, app.callbacks) == (None, False, None, None)


def test_in_the_environment() -> None:
    prefix = "WAMP_BRIDGE_SERVER_"
    environ = {
        f"{prefix}APPS_SHOP_TOKENS": f'[{{token="{HASH}", expires=2026-12-31T12:00:00Z}}]',
        f"{prefix}APPS_SHOP_SECRETS": '[{"secret": "env:S", "expires": "2026-12-31T12:00:00Z"}]',
        f"{prefix}APPS_SHOP_RATE": "100",
        f"{prefix}APPS_SHOP_ANONYMOUS": "true",
        f"{prefix}APPS_SHOP_CALLBACKS": "app:*, [::1]/128:8000",
        f"{prefix}APPS_SHOP_CROSSBAR_KEY": "shop",
        f"{prefix}APPS_SHOP_CROSSBAR_SECRET": "env:C",
    }
    (app,) = load(None, {**ENVIRON, **environ}).apps.values()
    assert app.tokens == (Token(hash_token("hunter2"), NOON),)
    assert app.secrets == (Secret(SECRET, NOON),)
    assert (app.rate, app.anonymous) == (100.0, True)
    assert app.crossbar == CrossbarKey(key="shop", secret=Secret("foobar"))
    assert app.callbacks == (
        CallbackRule(host="app"),
        CallbackRule(network=ip_network("::1/128"), port=8000),
    )


@pytest.mark.parametrize(
    "expires", ["2026-12-31T12:00:00Z", "'2026-12-31T12:00:00Z'", "2026-12-31 14:00:00+02:00"]
)
def test_what_expires(expires: str) -> None:
    config = parse(
        f"[apps.shop]\ntokens = ['{HASH}', {{ token = 'sha256:{'0' * 64}', expires = {expires} }}]"
        f"\n[[apps.shop.secrets]]\nsecret = 'env:S'\nexpires = {expires}",
        environ=ENVIRON,
    )
    app = config.apps["shop"]
    assert app.tokens == (Token(hash_token("hunter2")), Token("0" * 64, NOON))
    assert app.secrets == (Secret(SECRET, NOON),)


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        ("127.0.0.1:*", CallbackRule(network=ip_network("127.0.0.1/32"))),
        ("10.0.0.0/8:443", CallbackRule(network=ip_network("10.0.0.0/8"), port=443)),
        ("[::1]:8000", CallbackRule(network=ip_network("::1/128"), port=8000)),
        ("[fd00::]/8:*", CallbackRule(network=ip_network("fd00::/8"))),
        ("App.Internal.:80", CallbackRule(host="app.internal", port=80)),
        ("xn--bcher-kva.example:443", CallbackRule(host="xn--bcher-kva.example", port=443)),
        ("my_app-1:5000", CallbackRule(host="my_app-1", port=5000)),
    ],
)
def test_where_callbacks_may_go(entry: str, rule: CallbackRule) -> None:
    assert shop(f'callbacks = ["{entry}"]').callbacks == (rule,)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("callbacks = '10.0.0.5:80'", "callbacks: must be a list"),
        ("callbacks = ['10.0.0.5']", "callbacks[0]: must be HOST:PORT"),
        ("callbacks = ['app:http']", "callbacks[0]: must have a port from 0 to 65535"),
        ("callbacks = ['app:0']", "callbacks[0]: can't have port 0"),
        ("callbacks = ['app:1', '10.0.0.5/8:*']", "callbacks[1]: holds no address or network"),
        ("callbacks = ['10.0.0.256:*']", "callbacks[0]: holds no address or network"),
        ("callbacks = ['127.1:*']", "callbacks[0]: holds no address or network"),
        ("callbacks = ['2130706433:*']", "callbacks[0]: holds no address or network"),
        ("callbacks = ['0x7f.1:*']", "callbacks[0]: holds no address or network"),
        ("callbacks = ['0x7f000001:*']", "callbacks[0]: holds no address or network"),
        ("callbacks = ['10.0.0.0/33:*']", "callbacks[0]: holds no address or network"),
        ("callbacks = ['10.0.0.0/255.0.0.0:*']", "callbacks[0]: must be HOST:PORT"),
        ("callbacks = ['10.0.0.0/:*']", "callbacks[0]: must be HOST:PORT"),
        ("callbacks = ['::1/128:8000']", "callbacks[0]: must have brackets"),
        ("callbacks = ['[fe80::1%eth0]:80']", "callbacks[0]: must be HOST:PORT"),
        ("callbacks = ['*:80']", "callbacks[0]: must be HOST:PORT"),
        ("callbacks = ['http://app:80']", "callbacks[0]: "),
        ("callbacks = ['bücher.example:80']", "callbacks[0]: must be HOST:PORT"),
        ("callbacks = ['①②⑦.0.0.1:80']", "callbacks[0]: "),
        ("rate = 0", "rate: must be 0.01 to 1000000 requests a second"),
        ("rate = nan", "rate: must be 0.01 to 1000000 requests a second"),
        ("rate = '100'", "rate: must be a number of requests a second, not a string"),
        ("rate = true", "rate: must be a number of requests a second, not a boolean"),
        ("anonymous = 1", "anonymous: must be true or false"),
        ("crossbar = 'x'", "crossbar: must be a table"),
        ("crossbar = {}", "crossbar: lacks key and secret"),
        ("crossbar = { key = 'x', secret = 'foobar' }", "crossbar.secret: must be env:NAME"),
        ('crossbar = { key = "\\n", secret = "env:C" }', "crossbar.key: must be up to 256 print"),
        ("expires = 2026-12-31T12:00:00Z", "expires: is an unknown key"),
        ("secrets = [{ secret = 'env:S' }]", "secrets[0]: lacks expires"),
        ("secrets = [{ expires = 2026-12-31T12:00:00Z }]", "secrets[0]: lacks secret"),
        (
            "secrets = [{ secret = 'env:S', expires = 2026-12-31 }]",
            "secrets[0].expires: must be a date and time with its distance from UTC",
        ),
        (
            "secrets = [{ secret = 'env:S', expires = 2026-12-31T12:00:00 }]",
            "secrets[0].expires: must be a date and time with its distance from UTC",
        ),
        (
            "secrets = [{ secret = 'env:S', expires = 'soon' }]",
            "secrets[0].expires: must be a date and time with its distance from UTC",
        ),
        (
            "secrets = ['env:S', { secret = 'env:C', expires = 2026-12-31T12:00:00Z }]",
            "secrets[1].secret: must be whsec_",
        ),
        (
            "secrets = [{ secret = 'env:S', expire = 2026-12-31T12:00:00Z }]",
            "secrets[0].expire: is an unknown key",
        ),
    ],
)
def test_what_can_not_be_said_of_an_app(line: str, what: str) -> None:
    problems = told(APP + line)
    assert problems[0].startswith(f"b.toml:3: apps.shop.{what}"), problems
    assert not any("foobar" in problem or SECRET in problem for problem in problems)


def test_a_token_in_place_of_its_hash() -> None:
    token = make_token()
    (problem,) = told(f"[apps.shop]\ntokens = ['{token}']")
    assert problem.startswith("b.toml:2: apps.shop.tokens[0]: is a token itself")
    assert token[4:] not in problem


def test_what_names_an_app_names_one() -> None:
    crossbar = "crossbar = { key = 'x', secret = 'env:C' }\n"
    (problem,) = told(f"{APP}{crossbar}[apps.b]\n{crossbar}")
    assert problem.startswith("b.toml:5: apps.b.crossbar: is also a Crossbar key of app shop")
    (problem,) = told(f"[apps.shop]\ntokens = ['{HASH}', '{HASH}']")
    assert problem.startswith("b.toml:2: apps.shop.tokens[1]: is also a token of app shop")


def test_nobody_is_let_in_unasked_from_elsewhere() -> None:
    (problem,) = told(f"listen = '0.0.0.0:8181'\n{APP}anonymous = true")
    assert problem.startswith("b.toml:4: apps.shop.anonymous: lets everybody in who reaches")
    for listen in ("127.0.0.2:1", "[::1]:1", "localhost:1"):
        parse(f"listen = '{listen}'\n{APP}anonymous = true")
    (problem,) = told(f"{APP}anonymous = true\n[apps.b]\nanonymous = true")
    assert problem.startswith("b.toml:5: apps.b.anonymous: can be true for one app alone")


def test_an_app_against_the_listener_that_runs() -> None:
    app = AppConfig(name="shop", anonymous=True)
    check_listener(Config(apps={"shop": app}))
    running = parse(f"listen = '0.0.0.0:8181'\n{APP}").listen
    with pytest.raises(ConfigError, match=r"with what runs: apps\.shop\.anonymous"):
        check_listener(Config(listen=running, apps={"shop": app}))


def test_an_app_with_a_certificate_is_for_a_router_with_tls() -> None:
    pair = TlsConfig(cert=Path("a.crt"), key=Path("a.key"))
    app = AppConfig(name="shop", router_auth=RouterAuth(method="tls", pair=pair))
    check_listener(Config(router=RouterConfig(url="wss://r"), apps={"shop": app}))
    with pytest.raises(ConfigError, match=r"runs: apps\.shop\.router_auth\.method: can't be tls"):
        check_listener(Config(router=RouterConfig(url=("wss://r", "ws://s")), apps={"shop": app}))


def test_certificates(tmp_path: Path) -> None:
    cert, key = write_certificate(tmp_path)
    files: set[Path] = set()
    path = tmp_path / "b.toml"
    path.write_text(
        f"tls = {{ cert = '{cert.name}', key = '{key}' }}\n"
        f"[router]\nurl = 'rss://r:1'\nca = '{cert.name}'\n{APP}secrets = ['file:s']\n"
        f"realm = 'realm2'\n"
        f"router_auth = {{ method = 'tls', cert = '{cert.name}', key = '{key}' }}"
    )
    (tmp_path / "s").write_text(SECRET)
    config = load(path, {}, files=files)
    assert config.tls == TlsConfig(cert=cert, key=key)
    assert config.router.ca == cert
    assert config.apps["shop"].realm == "realm2"
    auth = config.apps["shop"].router_auth
    assert auth == RouterAuth(method="tls", pair=TlsConfig(cert=cert, key=key))
    assert files == {path, cert, key, tmp_path / "s"}


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ("tls = {}", "tls: lacks cert and key"),
        ("tls = { cert = 'test.crt' }", "tls: lacks key"),
        ("tls = { cert = 'test.crt', key = 1 }", "tls.key: must be a string"),
        ("tls = { cert = 'test.crt', key = 'no' }", "tls: names test.crt and no, which can't be"),
        ("tls = { cert = 'test.crt', key = 'other.key' }", "tls: has no certificate and private"),
        ("tls = { cert = 'test.key', key = 'test.key' }", "tls: has no certificate and private"),
        ("tls = { cert = 'locked.crt', key = 'locked.key' }", "tls: has no certificate and pri"),
        (
            "router.auth = { method = 'tls', cert = 'test.crt' }",
            "router.auth: needs cert and key b",
        ),
        (
            "router.tls = { cert = 'test.crt', key = 'test.key' }",
            "router.tls: is for routers at rss:// and wss:// alone",
        ),
        (
            "router.auth = { method = 'tls', cert = 'test.crt', key = 'test.key' }",
            "router.auth.method: can't be tls: every URL of the router must be rss:// or wss://",
        ),
        (
            "router.auth = { method = 'tls', cert = 'test.crt', key = 'other.key' }",
            "router.auth: has no certificate and private",
        ),
        ("tls = { cert = 'a', key = 'b', ca = 'c' }", "tls.ca: is an unknown key"),
        ("router = { url = 'wss://r', ca = 'no' }", "router.ca: names the file no, which can't"),
        ("router = { url = 'wss://r', ca = 'test.key' }", "router.ca: names the file test.key, wh"),
        ("router = { url = 'ws://r', ca = 'test.crt' }", "router.ca: is for routers at rss:// an"),
    ],
)
def test_certificates_that_can_not_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, password in (("test", ""), ("other", ""), ("locked", "hunter2")):
        write_certificate(tmp_path, name, password=password)
    problems = told(f"{lines}\n{APP}")
    assert problems[0].startswith("b.toml:1: " + what), problems


def test_tokens_are_told_from_what_only_looks_like_one() -> None:
    tokens = {make_token() for _ in range(100)}
    assert len(tokens) == 100
    for token in tokens:
        assert not is_mistyped(token)
        for index in (4, 20, len(token) - 1):
            other = "a" if token[index] != "a" else "b"
            assert is_mistyped(token[:index] + other + token[index + 1 :])
        assert is_mistyped(token[:-1])
        assert is_mistyped(token + "0")
        swapped = token[:10] + token[11] + token[10] + token[12:]
        assert swapped == token or is_mistyped(swapped)
    assert is_mistyped("wbt_")
    assert not is_mistyped("any other string")


def test_how_asynchronous_calls_are_kept() -> None:
    assert shop("").calls == CallConfig()
    assert shop("calls = { keep = 60, running = 5 }").calls == CallConfig(keep=60.0, running=5)
    prefix = "WAMP_BRIDGE_SERVER_APPS_SHOP_"
    environ = {f"{prefix}TOKENS": HASH, f"{prefix}CALLS_KEEP": "0.5"}
    (app,) = load(None, environ).apps.values()
    assert app.calls == CallConfig(keep=0.5)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("keep = -1", "keep: must be 0 to 315360000 seconds, not -1"),
        ("running = 0", "running: must be a whole number from 1, not 0"),
        ("kept = 1", "kept: is an unknown key; did you mean keep?"),
    ],
)
def test_asynchronous_calls_that_can_not_be(line: str, problem: str) -> None:
    (told_of,) = told(APP + f"[apps.shop.calls]\n{line}\n")
    assert f"apps.shop.calls.{problem}" in told_of


def test_how_deliveries_are_made() -> None:
    assert shop("").deliveries == DeliveryConfig()
    told_of = """
        schedule = [0, 1.5]
        jitter = 0
        timeout = 5
        retry_after = 60
        dead_letters = 0
        most = 10
        most_bytes = 1000
        history = 0
    """
    assert shop("[apps.shop.deliveries]\n" + told_of).deliveries == DeliveryConfig(
        schedule=(0.0, 1.5),
        jitter=0.0,
        timeout=5.0,
        retry_after=60.0,
        dead_letters=0.0,
        most=10,
        most_bytes=1000,
        history=0,
    )


def test_how_deliveries_are_made_in_the_environment() -> None:
    prefix = "WAMP_BRIDGE_SERVER_APPS_SHOP_"
    environ = {
        f"{prefix}TOKENS": HASH,
        f"{prefix}DELIVERIES_SCHEDULE": "[0, 60]",
        f"{prefix}DELIVERIES_DEAD_LETTERS": "10",
    }
    (app,) = load(None, environ).apps.values()
    assert (app.deliveries.schedule, app.deliveries.dead_letters) == ((0.0, 60.0), 10.0)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("schedule = []", "schedule: must have 1 to 100 waits, one before each attempt"),
        ("schedule = [0, -1]", "schedule[1]: must be 0 to 2592000 seconds, not -1"),
        ("schedule = 5", "schedule: must be a list of seconds, not an integer"),
        ("schedule = ['soon']", "schedule[0]: must be a number of seconds, not a string"),
        ("jitter = 1", "jitter: must be a number from 0 to less than 1, as 0.2, not 1"),
        ("timeout = 0", "timeout: must be 0.1 to 3600 seconds, not 0"),
        ("timeout = nan", "timeout: must be 0.1 to 3600 seconds, not nan"),
        ("most = 0", "most: must be a whole number from 1, not 0"),
        ("most_bytes = 1.5", "most_bytes: must be a whole number from 1, not 1.5"),
        ("history = -1", "history: must be a whole number from 0 to 10000, not -1"),
        ("shedule = [0]", "shedule: is an unknown key; did you mean schedule?"),
    ],
)
def test_deliveries_that_can_not_be(line: str, problem: str) -> None:
    (told_of,) = told(APP + f"[apps.shop.deliveries]\n{line}\n")
    assert f"apps.shop.deliveries.{problem}" in told_of
