"""What holds for every configuration, and for every text that is none."""

from __future__ import annotations

import json
import string
import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wamp_bridge_server.config import AppConfig, Config, ConfigError, Problem, hash_token, parse
from wamp_bridge_server.config._lines import lines_of_keys

PREFIX = "WAMP_BRIDGE_SERVER_"
KEYS = ["listen", "public_urls", "router", "url", "realm", "auth", "method", "secret", "store"]
KEYS += ["apps", "shop", "tokens", "secrets", "sources", "allow", "call", "rate", "x y", "[0]"]

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True)
components = st.text(string.ascii_lowercase, min_size=1).filter(lambda part: part != "wamp")
prefixes = st.lists(components, min_size=1, max_size=4).map(".".join)
scalars = st.one_of(
    st.text(max_size=20), st.integers(), st.booleans(), st.floats(), st.dates(), st.just("env:S")
)
tables: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=20,
)


def toml(value: Any) -> str:
    """Write a value as TOML has it inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, str):
        return json.dumps(value).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool | float) else str(value)


def problems_of(text: str, environ: dict[str, str] | None = None) -> tuple[Problem, ...]:
    """What is wrong; anything but a `ConfigError` fails the test."""
    try:
        parse(text, name="b.toml", environ=environ)
    except ConfigError as error:
        return error.problems
    return ()


@given(st.text())
def test_any_text_is_a_configuration_or_a_configuration_error(text: str) -> None:
    problems_of(text)


@given(st.dictionaries(st.sampled_from(KEYS), tables, max_size=6))
def test_any_table_is_a_configuration_or_a_configuration_error(values: dict[str, Any]) -> None:
    text = "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in values.items())
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # a surrogate in a string
    for problem in problems_of(text, {"S": "s3cret"}):
        assert "s3cret" not in str(problem)
        assert "\n" not in str(problem)
        assert problem.where.startswith("b.toml")


@given(
    st.dictionaries(
        st.one_of(
            st.text(string.ascii_uppercase + "_", max_size=12),
            st.lists(st.sampled_from(KEYS), min_size=1, max_size=4).map(
                lambda path: "_".join(path).upper()
            ),
        ),
        st.one_of(st.text(), tables.map(toml)),
        max_size=4,
    )
)
def test_any_environment_is_a_configuration_or_a_configuration_error(
    settings: dict[str, str],
) -> None:
    problems_of("", {PREFIX + name: value for name, value in settings.items()})


@given(st.dictionaries(names, st.lists(prefixes), min_size=1, max_size=4))
def test_apps_are_read_as_they_are_written(apps: dict[str, list[str]]) -> None:
    text = "".join(
        f"[apps.{json.dumps(name)}]\ntokens = ['sha256:{hash_token(name)}']\n"
        f"allow.call = {json.dumps(allowed)}\n"
        for name, allowed in apps.items()
    )
    config: Config = parse(text)
    assert set(config.apps) == set(apps)
    for name, allowed in apps.items():
        app: AppConfig = config.apps[name]
        assert app.name == name
        assert app.allow.call == tuple(allowed)


@given(names)
def test_an_app_is_the_same_in_the_environment_as_in_a_file(name: str) -> None:
    capitals = name.upper().replace("-", "_")
    digest = "sha256:" + hash_token("t")
    environ = {
        f"{PREFIX}APPS_{capitals}_TOKENS": digest,
        f"{PREFIX}APPS_{capitals}_ALLOW_CALL": "com.x",
    }
    (new,) = parse("", environ=environ).apps.values()
    assert new.name == capitals.lower()
    (known,) = parse(f"[apps.{json.dumps(name)}]\n", environ=environ).apps.values()
    assert known.name == name
    assert known.tokens == new.tokens


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(["a", "b", '"c d"', '"e.f"']), min_size=1, max_size=3),
            st.sampled_from(["1", "'''\n[x]\ny = 1\n'''", "[\n  1, # ]\n  2,\n]", "{ z = 1 }"]),
            st.sampled_from(["", "\n", "# a comment\n", "[t]\n", "[t.u] # c\n", "  [ v . w ]\n"]),
        )
    )
)
def test_lines_of_keys(statements: list[tuple[list[str], str, str]]) -> None:
    text = ""
    expected: list[tuple[int, str]] = []
    for path, value, before in statements:
        text += before
        expected.append((text.count("\n") + 1, path[0].strip('"')))
        text += f"{'.'.join(path)} = {value}\n"
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = lines_of_keys(text)
    for number, key in expected:
        assert any(path[-1] == key and line <= number for path, line in lines.items())
        assert any(line == number for line in lines.values())
    for key in parsed:
        assert (key,) in lines
