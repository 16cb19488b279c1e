"""The configuration in the environment: alone, and laid over a file."""

from __future__ import annotations

import base64
import json

import pytest

from wamp_bridge_server.config import (
    Address,
    Config,
    ConfigError,
    Permissions,
    RouterAuth,
    Secret,
    Token,
    hash_token,
    load,
    parse,
)

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
HASH = "sha256:" + hash_token("t")
OTHER_HASH = "sha256:" + hash_token("u")
TOKENS = {"APPS_SHOP_TOKENS": HASH}


def prefixed(settings: dict[str, str]) -> dict[str, str]:
    return {f"WAMP_BRIDGE_SERVER_{name}": value for name, value in settings.items()}


def alone(settings: dict[str, str], **others: str) -> Config:
    return load(None, {**prefixed(settings), **others})


def told(settings: dict[str, str], text: str = "", **others: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        parse(text, name="b.toml", environ={**prefixed(settings), **others})
    return [str(problem) for problem in refused.value.problems]


def test_a_bridge_runs_from_the_environment_alone() -> None:
    config = alone(
        {
            "LISTEN": "[::1]:0",
            "PUBLIC_URLS": "https://a.example.com, https://b.example.com",
            "ROUTER_URL": "ws://127.0.0.1:8080/ws",
            "ROUTER_REALM": "factory",
            "APPS_SHOP_REALM": "shops",
            "ROUTER_AUTH_METHOD": "ticket",
            "ROUTER_AUTH_AUTHID": "bridge",
            "ROUTER_AUTH_SECRET": "env:TICKET",
            "STORE_URL": "sqlite:///:memory:",
            "APPS_SHOP_TOKENS": f"{HASH},{OTHER_HASH}",
            "APPS_SHOP_SECRETS": "env:SHOP_SECRET",
            "APPS_SHOP_SOURCES": '["http://10.0.0.5/a,b/"]',
            "APPS_SHOP_ALLOW_CALL": "com.a, com.b",
            "APPS_SHOP_ALLOW_REGISTER": "",
            "APPS_SHOP_ROUTER_AUTH_METHOD": "anonymous",
        },
        TICKET="t1cket",
        SHOP_SECRET=SECRET,
        PATH="/bin",
        WAMP_BRIDGE_URL="http://127.0.0.1:8181/",
    )
    assert config.listen == Address("::1", 0)
    assert config.public_urls == ("https://a.example.com", "https://b.example.com")
    assert config.router.realm == "factory"
    assert config.router.auth == RouterAuth(
        method="ticket", authid="bridge", secret=Secret("t1cket")
    )
    assert config.store.url == "sqlite:///:memory:"
    shop = config.apps["shop"]
    assert shop.realm == "shops"
    assert shop.tokens == (Token(hash_token("t")), Token(hash_token("u")))
    assert shop.secrets == (Secret(SECRET),)
    assert shop.sources == ("http://10.0.0.5/a,b/",)
    assert shop.allow == Permissions(call=("com.a", "com.b"), register=())
    assert shop.router_auth == RouterAuth()


@pytest.mark.parametrize(
    "table",
    ['{method = "ticket", authid = "a", secret = "env:T"}', '{"method":"ticket",\n"authid":"a"}'],
)
def test_a_table_is_inline_and_its_keys_go_over_it(table: str) -> None:
    config = alone({**TOKENS, "ROUTER_AUTH": table, "ROUTER_AUTH_SECRET": "env:U"}, T="t", U="u")
    assert config.router.auth.secret == Secret("u")


def test_all_apps_in_one_variable() -> None:
    apps = {"a": {"tokens": [HASH]}, "b": {"tokens": [OTHER_HASH]}}
    assert set(alone({"APPS": json.dumps(apps)}).apps) == {"a", "b"}
    assert set(alone({"APPS_C": f'{{tokens = ["{HASH}"]}}'}).apps) == {"c"}


@pytest.mark.parametrize(
    ("variable", "app", "key"),
    [
        ("APPS_SHOP_ROUTER_AUTH_METHOD", "shop", "router_auth"),
        ("APPS_ROUTER_AUTH_ROUTER_AUTH_METHOD", "router_auth", "router_auth"),
        ("APPS_BIG_SHOP_TOKENS", "big_shop", "tokens"),
        ("APPS_SHOP_TOKENS_TOKENS", "shop_tokens", "tokens"),
        ("APPS_TOKENS_TOKENS", "tokens", "tokens"),
        ("APPS_ALLOW_ALLOW_CALL", "allow", "allow"),
    ],
)
def test_the_name_of_an_app_ends_where_a_known_key_begins(
    variable: str, app: str, key: str
) -> None:
    value = HASH if key == "tokens" else ("com" if key == "allow" else "anonymous")
    tokens = {f"APPS_{app.upper()}_TOKENS": HASH}
    (found,) = alone({**tokens, variable: value}).apps.values()
    assert found.name == app
    assert getattr(found, key) in (
        (Token(hash_token("t")),),
        RouterAuth(),
        Permissions(call=("com",)),
    )


def test_the_environment_stands_above_the_file() -> None:
    text = f'listen = "127.0.0.1:1"\n[apps.Shop-floor]\ntokens = ["{HASH}"]\nallow.call = ["a"]'
    environ = prefixed({"LISTEN": "127.0.0.1:2", "APPS_SHOP_FLOOR_ALLOW_PUBLISH": "b"})
    config = parse(text, environ=environ)
    assert config.listen.port == 2
    assert config.apps["Shop-floor"].allow == Permissions(call=("a",), publish=("b",))


def test_a_name_that_may_mean_two_apps() -> None:
    text = f'[apps.a-b]\ntokens = ["{HASH}"]\n[apps.a_b]\ntokens = ["{OTHER_HASH}"]'
    (problem,) = told({"APPS_A_B_SOURCES": "http://x/"}, text)
    assert problem == (
        "environment variable WAMP_BRIDGE_SERVER_APPS_A_B_SOURCES: may mean each of the apps "
        "a-b, a_b; rename all but one"
    )


@pytest.mark.parametrize(
    ("variable", "value", "what"),
    [
        ("LISTN", "x", "is unknown; did you mean WAMP_BRIDGE_SERVER_LISTEN?"),
        ("listen", "127.0.0.1:0", "is unknown; unset it"),
        ("", "x", "is unknown; unset it"),
        ("APPS_", "x", "is unknown"),
        ("PORT", "tcp://10.0.0.1:8181", "is set by Kubernetes"),
        ("SERVICE_HOST", "10.0.0.1", "is set by Kubernetes"),
        ("PORT_8181_TCP_ADDR", "10.0.0.1", "is set by Kubernetes"),
        ("APPS_SHOP_TOKEN", HASH, "did you mean WAMP_BRIDGE_SERVER_APPS_SHOP_TOKENS?"),
        ("APPS_SHOP_X", "1", "ends in no known key of apps (TOKENS, SECRETS"),
        ("APPS_shop_TOKENS", HASH, "is written in capitals, digits and _"),
        ("ROUTER", "rs://x:1", "must be a table, in TOML or JSON"),
        ("ROUTER", "{}\nlisten = 1", "must be a table, in TOML or JSON"),
        ("PUBLIC_URLS", "[", "must be an array, in TOML or JSON"),
        ("ROUTER_AUTH", "[1]", "must be a table, in TOML or JSON"),
        ("LISTEN", "x", "listen: must be HOST:PORT"),
        ("APPS_SHOP_SOURCES", "http://x/,http://y", "apps.shop.sources[1]: must end in a slash"),
        ("APPS_SHOP_SECRETS", SECRET, "apps.shop.secrets[0]: must be env:NAME or file:PATH"),
        ("APPS_SHOP_RATE", "fast", "apps.shop.rate: must be a number of requests a second"),
        ("APPS_SHOP_ANONYMOUS", "yes", "apps.shop.anonymous: must be true or false"),
        ("TLS", "{}", "tls: lacks cert"),
        ("GRACE", "4000", "grace: must be 0 to 3600 seconds"),
        ("APPS_B_SOURCES", "http://x/", "apps.b: has neither tokens nor secrets"),
    ],
)
def test_variables_that_can_not_be(variable: str, value: str, what: str) -> None:
    (problem,) = told({**TOKENS, variable: value})
    name = f"environment variable WAMP_BRIDGE_SERVER_{variable}: "
    assert problem.startswith(name)
    assert what in problem
    assert SECRET not in problem


def test_a_variable_answers_for_what_it_replaced_in_the_file() -> None:
    text = f'[apps.shop]\ntokens = ["{HASH}"]\nsources = ["http://x/"]\n'
    (problem,) = told({"APPS_SHOP": f'{{tokens=["{HASH}"],sources=[1]}}'}, text)
    assert problem.startswith("environment variable WAMP_BRIDGE_SERVER_APPS_SHOP: apps.shop.sour")


def test_a_key_in_the_file_that_is_no_table_is_told_by_the_file() -> None:
    problems = told({**TOKENS, "ROUTER_URL": "memory:"}, "router = 3\n")
    assert problems == ["b.toml:1: router: must be a table, not an integer"]
