"""What a configuration file says, and what is said about one that is wrong."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from wamp_bridge_server.config import (
    Address,
    AppConfig,
    Config,
    ConfigError,
    Permissions,
    RouterAuth,
    RouterConfig,
    Secret,
    StoreConfig,
    Token,
    hash_token,
    load,
    parse,
)

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
OTHER_SECRET = "whsec_" + base64.b64encode(b"o" * 32).decode()
TOKEN_HASH = "sha256:" + hash_token("hunter2")

WHOLE = f"""\
listen = "0.0.0.0:8181"
public_urls = ["https://bridge.example.com"]   # a comment

[router]
url = "rs://127.0.0.1:8080"
realm = "realm1"
auth = {{ method = "anonymous" }}

[store]
url = "sqlite:///wamp-bridge.db"

[apps.shop]
tokens = ["{TOKEN_HASH}"]
secrets = [
  "env:SHOP_SECRET",
  "file:old.txt",
]
sources = ["http://10.0.0.5:8000/wamp/"]
allow = {{ call = ["com.example"], publish = ["*"], register = ["com.shop"] }}
router_auth = {{ method = "ticket", authid = "shop", secret = "env:SHOP_TICKET" }}
"""
APP = f'[apps.shop]\ntokens = ["{TOKEN_HASH}"]\n'


def told(text: str, environ: dict[str, str] | None = None, **others: Any) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        parse(text, name="b.toml", environ=environ, **others)
    assert str(refused.value) == "\n".join(str(problem) for problem in refused.value.problems)
    return [str(problem) for problem in refused.value.problems]


def test_every_key_is_read(tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text(OTHER_SECRET + "\n")
    (tmp_path / "b.toml").write_text(WHOLE)

    config = load(tmp_path / "b.toml", {"SHOP_SECRET": SECRET, "SHOP_TICKET": "t1cket"})

    assert config == Config(
        listen=Address("0.0.0.0", 8181),
        public_urls=("https://bridge.example.com",),
        router=RouterConfig(url="rs://127.0.0.1:8080", realm="realm1", auth=RouterAuth()),
        store=StoreConfig(url="sqlite:///wamp-bridge.db"),
        apps={
            "shop": AppConfig(
                name="shop",
                tokens=(Token(hash_token("hunter2")),),
                secrets=(Secret(SECRET), Secret(OTHER_SECRET)),
                sources=("http://10.0.0.5:8000/wamp/",),
                allow=Permissions(
                    call=("com.example",), publish=("*",), register=("com.shop",), subscribe=("*",)
                ),
                router_auth=RouterAuth(method="ticket", authid="shop", secret=Secret("t1cket")),
            )
        },
    )


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text(OTHER_SECRET)
    environ = {"SHOP_SECRET": SECRET, "SHOP_TICKET": "t1cket"}
    config = parse(WHOLE, folder=tmp_path, environ=environ)
    shown = f"{config!r} {config} {config.apps['shop'].secrets[0]}"
    for secret in (SECRET, OTHER_SECRET, "t1cket", SECRET.removeprefix("whsec_")):
        assert secret not in shown


def test_an_app_is_enough() -> None:
    config = parse(APP)
    assert config.listen == Address("127.0.0.1", 8181)
    assert config.router == RouterConfig(url="rs://127.0.0.1:8080", realm="realm1")
    assert config.grace == 25.0
    assert config.apps["shop"].allow == Permissions()
    assert config.apps["shop"].allow.prefixes("register") == ("*",)


def test_an_action_left_out_is_allowed_and_an_empty_one_is_not() -> None:
    allow = parse(APP + "allow = { call = [] }").apps["shop"].allow
    assert allow.prefixes("call") == ()
    assert allow.prefixes("publish") == ("*",)


def test_everything_that_is_wrong_is_told_with_its_line_from_the_top() -> None:
    text = WHOLE.replace("realm = ", "relm = ").replace("8181", "81810")
    problems = told(text + 'alow = {}\n[apps."a b"]\ntokens = ["x"]', {"SHOP_SECRET": "oops"})
    assert [problem.split(": ")[:2] for problem in problems] == [
        ["b.toml:1", "listen"],
        ["b.toml:6", "router.relm"],
        ["b.toml:14", "apps.shop.secrets[0]"],
        ["b.toml:20", "apps.shop.router_auth.secret"],
        ["b.toml:21", "apps.shop.alow"],
        ["b.toml:22", "apps.'a b'"],
        ["b.toml:23", "apps.'a b'.tokens[0]"],
    ]
    assert "did you mean realm?" in problems[1]
    assert "did you mean allow?" in problems[4]
    assert "oops" not in "".join(problems)


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("listen = 1\n[router\n", "b.toml:2", "is no TOML"),
        ("a = 1\na = 2", "b.toml:2", "is no TOML"),
        ("a = '''\nnever\nclosed", "b.toml:3", "is no TOML"),
        ("a = " + "[" * 100_000, "b.toml", "is nested too deep"),
        ("[a" + ".a" * 5_000 + "]", "b.toml", "is nested too deep"),
        ("a = " + "1" * 5000, "b.toml", "is no TOML"),
    ],
)
def test_what_is_no_toml(text: str, where: str, what: str) -> None:
    (problem,) = told(text)
    assert problem.startswith(f"{where}: {what}")
    assert "\n" not in problem


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("listen = 8181", "listen: must be a string, not an integer"),
        ("listen = ''", "listen: is empty"),
        ("grace = -1", "grace: must be 0 to 3600 seconds, not -1"),
        ("grace = nan", "grace: must be 0 to 3600 seconds, not nan"),
        ("grace = '1'", "grace: must be a number of seconds, not a string"),
        ("listen = '8181'", "listen: must be HOST:PORT"),
        ("listen = ':8181'", "listen: must be HOST:PORT"),
        ("listen = '::1:8181'", "listen: must have brackets around an IPv6 address"),
        ("listen = '[localhost]:8181'", "listen: has brackets around what is no IPv6"),
        ("listen = 'a b:8181'", "listen: has no valid host"),
        ("listen = 'a..b:8181'", "listen: has no valid host"),
        ("listen = 'localhost:65536'", "listen: must have a port from 0 to 65535"),
        ("listen = 'localhost:٣'", "listen: must have a port"),
        ("listen = 2026-01-01", "listen: must be a string, not a date or time"),
        ("public_urls = 'https://x'", "public_urls: must be a list, not a string"),
        ("trusted_proxies = ['x']", "trusted_proxies[0]: must be an address or a network"),
        ("trusted_proxies = ['10.0.0.1/8']", "trusted_proxies[0]: must be an address or a network"),
        ("public_urls = ['ftp://x']", "public_urls[0]: must be a URL: http or https"),
        ("public_urls = ['https://x/y']", "public_urls[0]: must be scheme, host and port alone"),
        ("router = 'rs://x:1'", "router: must be a table, not a string"),
        ("router.url = 'http://x'", "router.url: must be a URL: rs, rss, ws or wss"),
        ("router.url = 'rs://x'", "router.url: must be rs://HOST:PORT"),
        ("router.url = 'rs://x:1/ws'", "router.url: must be rs://HOST:PORT"),
        ("router.url = 'ws://x:99999'", "router.url: must be a URL"),
        ("router.url = 'rs://a..b:80'", "router.url: must be a URL"),
        (f"router.url = 'ws://{'x' * 64}:80/'", "router.url: must be a URL"),
        ("router.url = 'ws://u:p@x:1/'", "router.url: can't have a user or a password"),
        ("router.url = 'ws://x:1/#a'", "router.url: can't have a fragment"),
        ("router.url = 'memory:x'", "router.url: must be a URL"),
        ("router.realm = 'a b'", "router.realm: can't hold spaces or #"),
        ("router.auth = {}", "router.auth: lacks its method"),
        ("router.auth.method = 'scrum'", "router.auth.method: must be one of anonymous, ticket"),
        ("router.auth.method = 'scram'", "router.auth: lacks authid, which scram needs"),
        (
            "router.auth = { method = 'scram', authid = 'a=b', secret = 'env:S' }",
            "router.auth.authid: must be visible ASCII characters, without = and ,",
        ),
        ("router.auth.method = 'tls'", "router.auth.method: can't be tls: every URL of the r"),
        (
            "router = { url = 'rss://r:1', auth = { method = 'tls' } }",
            "router.auth: lacks cert and key, and router.tls doesn't have them either",
        ),
        ("router.url = []", "router.url: is an empty list"),
        ("router.url = ['rs://a:1', 'rs://a']", "router.url[1]: must be rs://HOST:PORT"),
        ("router.url = ['rs://a:1', 'memory:']", "router.url: must be URLs of different routers"),
        ("router.url = ['rs://a:1', 'rs://a:1']", "router.url: must be URLs of different routers"),
        ("router.auth.method = 'ticket'", "router.auth: lacks authid, which ticket needs"),
        (
            "router.auth = { method = 'anonymous', secret = 'env:S' }",
            "router.auth.secret: is nothing that anonymous uses",
        ),
        (
            "router.auth = { method = 'cryptosign', key = 'env:S' }",
            "router.auth.key: must be an Ed25519 private key, 64 hex digits",
        ),
        ("store.url = 'postgresql://u:p@h/d'", "store.url: is for PostgreSQL, which comes with"),
        ("store.url = 'x.db'", "store.url: must be sqlite:///PATH"),
        ("store.url = 'sqlite:///'", "store.url: must be sqlite:///PATH"),
        ("store.url = 'sqlite:///a.db?mode=ro'", "store.url: must be sqlite:///PATH"),
        ("apps.-x = {}", "apps.-x: is no name for an app"),
        ("apps.other = {}", "apps.other: has neither tokens nor secrets"),
        ("apps.other = 1", "apps.other: must be a table, not an integer"),
    ],
)
def test_values_that_can_not_be(line: str, what: str) -> None:
    problems = told(f"{line}\n{APP}", {"S": "s3cret"})
    assert problems[0].startswith("b.toml:1: " + what), problems
    assert "s3cret" not in "".join(problems)
    assert "u:p" not in "".join(problems)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (f'tokens = ["{TOKEN_HASH.upper()}"]', "tokens[0]: must be sha256:"),
        ('tokens = ["sha256:hunter2"]', "tokens[0]: must be sha256:"),
        ("tokens = [1]", "tokens[0]: must be sha256:"),
        ("secrets = ['hunter2']", "secrets[0]: must be env:NAME or file:PATH, never the secret"),
        ("secrets = ['env:whsec_hunter2']", "secrets[0]: must be env:NAME or file:PATH"),
        ("secrets = ['file:whsec_hunter2']", "secrets[0]: must be env:NAME or file:PATH"),
        ("secrets = ['env:']", "secrets[0]: must be env:NAME or file:PATH"),
        ("secrets = ['env:NONE']", "secrets[0]: names the environment variable NONE, which is not"),
        ("secrets = ['env:EMPTY']", "secrets[0]: names the environment variable EMPTY, which is e"),
        ("secrets = ['env:SHORT']", "secrets[0]: must be whsec_ and the base64 of 32 bytes"),
        ("secrets = ['env:BARE']", "secrets[0]: must be whsec_ and the base64 of 32 bytes"),
        ("secrets = ['env:GOOD', 'file:none']", "secrets[1]: names the file none, which can't be"),
        ("sources = ['http://x/wamp']", "sources[0]: must end in a slash"),
        ("sources = ['http://x']", "sources[0]: must end in a slash"),
        ("sources = ['http://x/?a/']", "sources[0]: can't have a query"),
        ("sources = ['http://a b/']", "sources[0]: must be a URL"),
        ("sources = ['http://[::/']", "sources[0]: must be a URL"),
        ("sources = ['http://u@h/']", "sources[0]: can't have a user"),
        (f"sources = ['http://x/{'a' * 2048}/']", "sources[0]: is a URL of more than 2048"),
        ("allow.calls = []", "allow.calls: is an unknown key; did you mean call?"),
        ("allow = ['com']", "allow: must be a table, not a list"),
        ("allow.call = ['']", "allow.call[0]: is empty"),
        ("allow.call = ['com.shop.']", "allow.call[0]: must be whole components"),
        ("allow.call = ['com.shop.*']", "allow.call[0]: allows all below a prefix by the prefix"),
        ("allow.call = ['com', 'wamp.session']", "allow.call[1]: can't be allowed"),
        ("router_auth.method = 'wampcra'", "router_auth: lacks authid"),
    ],
)
def test_values_of_apps_that_can_not_be(line: str, what: str) -> None:
    environ = {
        "EMPTY": "",
        "SHORT": "whsec_" + base64.b64encode(b"hunter2").decode(),
        "BARE": SECRET.removeprefix("whsec_"),
        "GOOD": SECRET,
    }
    app = "[apps.shop]\n" if line.startswith("tokens") else APP
    problems = told(f"{app}{line}", environ)
    assert problems[0].split(": ", 1)[1].startswith("apps.shop." + what), problems
    assert not any(
        secret in "".join(problems) for secret in (*environ.values(), "hunter2") if secret
    )


@pytest.mark.parametrize(
    "line",
    [
        "listen = '[::1]:0'",
        "listen = 'localhost:65535'",
        "router.url = 'memory:'",
        "router.url = 'wss://router.example.com/ws'",
        "router.url = 'rss://[::1]:8080'",
        "router.url = ['rs://a:1', 'wss://b/ws']",
        "router.auth = { method = 'scram', authid = 'a', secret = 'env:S' }",
        "router.auth = { method = 'wampcra', authid = 'a', secret = 'env:S' }",
        "router.auth = { method = 'cryptosign', key = 'env:K' }",
        "store.url = 'sqlite:////var/lib/wamp-bridge/b.db'",
        "store.url = 'sqlite:///:memory:'",
        "apps.x_-9 = { secrets = [], sources = [] }",
    ],
)
def test_values_that_can_be(line: str) -> None:
    parse(f"{line}\n{APP}", environ={"S": "s", "K": "0aF" + "0" * 61})


def test_a_token_belongs_to_one_app() -> None:
    (problem,) = told(f"{APP}[apps.b]\ntokens = ['{TOKEN_HASH}']")
    assert problem.startswith("b.toml:4: apps.b.tokens[0]: is also a token of app shop")


def test_a_configuration_without_apps() -> None:
    (problem,) = told("listen = '127.0.0.1:0'")
    assert problem.startswith("b.toml: apps: names no app")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "can't be read: No such file or directory"),
        (b"a = '\xff'", "can't be read: it is not in UTF-8"),
    ],
)
def test_a_file_that_can_not_be_read(tmp_path: Path, content: bytes | None, what: str) -> None:
    path = tmp_path / "b.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        load(path, {})
    assert str(refused.value) == f"{path}: {what}"


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"", "is empty"), (b"\n", "is empty"), (b"\xff", "no text"), (b"x" * 70_000, "more than")],
)
def test_a_secret_file_that_can_not_be_used(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "s").write_bytes(content)
    (problem,) = told(APP + "secrets = ['file:s']", folder=tmp_path)
    assert problem.startswith(f"b.toml:3: apps.shop.secrets[0]: names the file {tmp_path / 's'}")
    assert what in problem


def test_a_byte_order_mark_and_line_ends_of_windows(tmp_path: Path) -> None:
    path = tmp_path / "b.toml"
    path.write_bytes(b"\xef\xbb\xbf" + APP.replace("\n", "\r\n").encode())
    assert "shop" in load(path, {}).apps
    path.write_bytes(APP.replace("\n", "\r\n").encode() + b"\r\n\r\noops = 1")
    with pytest.raises(ConfigError, match=r"b\.toml:5: apps\.shop\.oops: is an unknown key"):
        load(path, {})
