"""What the commands print, and how they fail."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import pytest

from wamp_bridge_server.config import Token, hash_token, parse
from wamp_bridge_server.config.tokens import make_token

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Start

GOOD = f"""\
listen = "0.0.0.0:8181"
[apps.shop]
tokens = ["sha256:{hash_token("t")}"]
secrets = ["env:SHOP_SECRET", "file:old"]
sources = ["http://10.0.0.5/"]
[apps.other]
tokens = []
router_auth = {{ method = "anonymous" }}
"""
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def test_version(start: Start) -> None:
    program = start("--version")
    assert program.end() == 0
    (line,) = program.out
    assert re.fullmatch(r"wamp-bridge \d+\.\d+\.\d+", line)


@pytest.mark.parametrize(
    "arguments",
    [(), *((name,) for name in ("serve", "dev", "check", "key", "call", "register"))],
)
def test_help(start: Start, arguments: tuple[str, ...]) -> None:
    program = start(*arguments, "--help")
    assert program.end() == 0
    assert program.out[0].startswith(f"Usage: {' '.join(('wamp-bridge', *arguments))} [OPTIONS]")
    assert max(len(line) for line in program.out) < 80
    assert program.err == []


def test_no_command_at_all_gets_help(start: Start) -> None:
    program = start()
    assert program.end() == 2
    assert "Commands:" in program.err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("frob",), "wamp-bridge: No such command 'frob'; see `wamp-bridge --help`"),
        (("serve", "--frob"), "wamp-bridge: No such option '--frob'"),
        (("serve",), "wamp-bridge: No --config FILE, and no WAMP_BRIDGE_SERVER_... in the env"),
        (("serve", "--config", "no.toml"), "wamp-bridge: no.toml: can't be read: No such file"),
        (("serve", "--config", "bad.toml"), "wamp-bridge: bad.toml:1: lisen: is an unknown key"),
        (("key",), "wamp-bridge: Missing argument 'NAME'"),
        (("key", "a b"), "wamp-bridge: Invalid value for 'NAME': is no name for an app"),
        (("dev", "--listen", "8181"), "wamp-bridge: Invalid value for '--listen': must be HOST:P"),
        (("dev", "--router", "http://x"), "wamp-bridge: Invalid value for '--router': must be a"),
        (("dev", "--app", "a.b"), "wamp-bridge: Invalid value for '--app': is no name for an app"),
        (("dev", "--token", ""), "wamp-bridge: Invalid value for '--token': is empty"),
        (("dev", "--secret", "s3cret"), "wamp-bridge: Invalid value for '--secret': must be whs"),
        (("dev", "--crossbar", "no"), "wamp-bridge: Invalid value for '--crossbar': File 'no' d"),
        (("dev", "--data", "bad.toml"), "wamp-bridge: Invalid value for '--data': Directory 'ba"),
        (
            ("dev", "--router", "memory:", "--router-listen", "127.0.0.1:0"),
            "wamp-bridge: --router-listen is for a router of its own, --router for another one",
        ),
        (("--log-level", "loud", "dev"), "wamp-bridge: Invalid value for '--log-level': 'loud'"),
    ],
)
def test_bad_usage_is_one_line(
    start: Start, tmp_path: Path, arguments: tuple[str, ...], line: str
) -> None:
    (tmp_path / "bad.toml").write_text("lisen = ''\noops = 1\n")
    program = start(*arguments)
    assert program.end() == 2
    assert len(program.err) == 1
    assert program.err[0].startswith(line)
    assert "s3cret" not in program.err[0]
    assert program.out == []


def test_a_good_configuration(start: Start, tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text(GOOD)
    (tmp_path / "old").write_text(SECRET)
    program = start("check", "--config", "b.toml", SHOP_SECRET=SECRET)
    assert program.end() == 0
    assert program.out == [
        "b.toml is good",
        "  listen  0.0.0.0:8181",
        "  router  rs://127.0.0.1:8080, realm1, anonymous",
        "  store   sqlite:///wamp-bridge.db",
        "  app     shop: 1 token, 2 secrets, 1 source",
        "  app     other: no tokens, no secrets, at the router by anonymous",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.toml", "old"]


def test_places_that_are_named_for_nothing(start: Start, tmp_path: Path) -> None:
    places = [
        *("169.254.169.254:80", "169.254.0.0/16:*", "[fe80::]/10:*", "[::ffff:169.254.1.0]/120:80"),
        *("127.0.0.1:8080", "0.0.0.0:8000", "[fd00:ec2::254]:*"),
    ]
    good = ["127.0.0.1:*", "127.0.0.1:8000", "10.0.0.0/8:443", "0.0.0.0/0:*", "app.example:8080"]
    (tmp_path / "b.toml").write_text(
        "listen = '127.0.0.1:8181'\n[router]\nurl = 'rs://127.0.0.1:8080'\n"
        f"[apps.shop]\nanonymous = true\ncallbacks = {places + good}\n"
    )
    program = start("check", "--config", "b.toml")
    assert program.end() == 0
    said = [line.split(" goes to ")[1].split(",")[0] for line in program.out if " goes to " in line]
    places[3] = "[::ffff:a9fe:100]/120:80"
    assert said == places


def test_everything_that_is_wrong(start: Start, tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text(GOOD)
    program = start("check", "--config", "b.toml", WAMP_BRIDGE_SERVER_LISTEN="x")
    assert program.end() == 2
    assert [line[:50] for line in program.err] == [
        "wamp-bridge: environment variable WAMP_BRIDGE_SERVER_LISTEN: listen: must"[:50],
        "wamp-bridge: b.toml:4: apps.shop.secrets[0]: names the environment"[:50],
    ]
    program = start("serve", "--config", "b.toml", WAMP_BRIDGE_SERVER_LISTEN="x")
    assert program.end() == 2
    (line,) = program.err
    assert line.endswith("(and 1 more, see `wamp-bridge check`)")


def test_the_environment_alone(start: Start) -> None:
    environ = {
        "WAMP_BRIDGE_SERVER_ROUTER_URL": "memory:",
        "WAMP_BRIDGE_SERVER_APPS_SHOP_TOKENS": "sha256:" + hash_token("t"),
    }
    program = start("check", **environ)
    assert program.end() == 0
    assert program.out[0] == "environment is good"
    assert "  router  memory:" in program.out


@pytest.mark.parametrize("name", ["shop", "9-Big_shop"])
def test_a_key_is_what_app_and_bridge_need(start: Start, name: str) -> None:
    program = start("key", name)
    assert program.end() == 0
    exports = dict(
        line.removeprefix("export ").split("=", 1)
        for line in program.out
        if line.startswith("export ")
    )
    section = [line for line in program.out if not line.startswith(("export ", "#"))]
    config = parse("\n".join(section), environ=exports)
    token, secret = exports["WAMP_BRIDGE_TOKEN"], exports["WAMP_BRIDGE_SECRET"]
    assert exports["WAMP_BRIDGE_APP"] == name
    assert re.fullmatch(r"wbt_[A-Za-z0-9]{49}", token)
    assert config.apps[name].tokens == (Token(hash_token(token)),)
    assert [found.reveal() for found in config.apps[name].secrets] == [secret]
    # The bridge's file has neither.
    assert token not in "\n".join(section)
    assert secret not in "\n".join(section)
    assert tomllib.loads("\n".join(section))


def test_no_two_keys_are_the_same(start: Start) -> None:
    programs = [start("key", "shop") for _ in range(2)]
    assert [program.end() for program in programs] == [0, 0]
    same = set(programs[0].out) & set(programs[1].out)
    assert all("wbt_" not in line and "whsec_" not in line for line in same)


def test_whose_token_it_is(start: Start, tmp_path: Path) -> None:
    token, expired, unknown = make_token(), make_token(), make_token()
    digest, old = hash_token(token), hash_token(expired)
    (tmp_path / "b.toml").write_text(
        f"[apps.shop]\ntokens = ['sha256:{digest}', "
        f"{{ token = 'sha256:{old}', expires = 2020-01-01T00:00:00Z }}]\n"
    )
    (tmp_path / "token").write_text(token + "\n")
    program = start("check", "--config", "b.toml", "--token", "file:token")
    assert program.end() == 0
    assert program.out[-2:] == [
        "  app     shop: 2 tokens (1 expired), no secrets",
        "  token   is one of shop",
    ]
    for shown, line in (
        (token[:-1], "the token is mistyped: it lacks characters, or its checksum is wrong"),
        (expired, "the token is one of shop, and has expired"),
        (unknown, "the token is not mistyped, but no app's here"),
        ("any string", "the token is not mistyped, but no app's here"),
    ):
        program = start("check", "--config", "b.toml", "--token", "env:T", T=shown)
        assert program.end() == 2
        assert program.err == [f"wamp-bridge: {line}"]
    program = start("check", "--config", "b.toml", "--token", token)
    assert program.end() == 2
    assert "must be env:NAME or file:PATH" in program.err[0]
    assert token not in program.err[0]
