"""The configuration in the environment: each key also as `WAMP_BRIDGE_SERVER_...`.

A variable's name is the key's path in capitals, joined by `_`: `WAMP_BRIDGE_SERVER_ROUTER_URL` is
`router.url`. It stands above the file.

- A string, a number, true and false are written as they are. A list is comma-separated, or an
  array in TOML or JSON.
- A table is an inline table in TOML or JSON (`..._ROUTER_AUTH={method="ticket",...}`), or a
  variable for each of its keys (`..._ROUTER_AUTH_METHOD=ticket`). Where both are there, the longer
  name is laid over the shorter.
- In `..._APPS_NAME_KEY` the name of the app is all that stands before a known key of apps:
  `..._APPS_SHOP_ROUTER_AUTH_SECRET` is `apps.shop.router_auth.secret`. No known key ends in `_` and
  another, so there is one way to read it. It is the app of the file whose name in capitals, `_`
  for `-`, is the same; else a new one, in lower case. `..._APPS_NAME` alone is the app's whole
  table, `..._APPS` that of all apps.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from wamp_bridge_server.config._errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PREFIX = "WAMP_BRIDGE_SERVER_"

Path = tuple[str, ...]
Shape = Literal["text", "value", "list", "table", "app"]

_AUTH: dict[Path, Shape] = {
    (): "table",
    ("method",): "text",
    ("authid",): "text",
    ("secret",): "text",
    ("key",): "text",
    ("cert",): "text",
}
_ROOT: dict[Path, Shape] = {
    ("listen",): "text",
    ("public_urls",): "list",
    ("trusted_proxies",): "list",
    ("router",): "table",
    ("router", "url"): "value",
    ("router", "realm"): "text",
    ("router", "ca"): "text",
    ("router", "tls"): "table",
    ("router", "tls", "cert"): "text",
    ("router", "tls", "key"): "text",
    **{("router", "auth", *path): shape for path, shape in _AUTH.items()},
    ("store",): "table",
    ("store", "url"): "text",
    ("tls",): "table",
    ("tls", "cert"): "text",
    ("tls", "key"): "text",
    ("grace",): "value",
    ("apps",): "table",
}
_APP: dict[Path, Shape] = {
    ("tokens",): "list",
    ("secrets",): "list",
    ("sources",): "list",
    ("allow",): "table",
    ("allow", "call"): "list",
    ("allow", "publish"): "list",
    ("allow", "register"): "list",
    ("allow", "subscribe"): "list",
    ("realm",): "text",
    **{("router_auth", *path): shape for path, shape in _AUTH.items()},
    ("callbacks",): "list",
    ("rate",): "value",
    ("crossbar",): "table",
    ("crossbar", "key"): "text",
    ("crossbar", "secret"): "text",
    ("anonymous",): "value",
    ("calls",): "table",
    ("calls", "keep"): "value",
    ("calls", "running"): "value",
    ("calls", "kept_bytes"): "value",
    ("deliveries",): "table",
    ("deliveries", "schedule"): "value",
    ("deliveries", "jitter"): "value",
    ("deliveries", "timeout"): "value",
    ("deliveries", "retry_after"): "value",
    ("deliveries", "dead_letters"): "value",
    ("deliveries", "most"): "value",
    ("deliveries", "most_bytes"): "value",
    ("deliveries", "history"): "value",
}


def _capitals(path: Iterable[str]) -> str:
    return "_".join(path).upper().replace("-", "_")


_ROOT_NAMES = {_capitals(path): path for path in _ROOT}
_APP_NAMES = {_capitals(path): path for path in _APP}
_APPS = "APPS_"
# What Kubernetes sets in every pod beside a Service that is called wamp-bridge-server.
_SERVICE_LINK = re.compile(r"(SERVICE_(HOST|PORT)|PORT(_[0-9]+_(TCP|UDP))?)(_|$)")


@dataclass(frozen=True, slots=True)
class Setting:
    """A variable that is set: the key that it stands for, and its value in TOML's types."""

    variable: str
    path: Path
    value: Any


def read_environment(
    environ: Mapping[str, str], apps: Iterable[str]
) -> tuple[list[Setting], list[Problem]]:
    """The settings of an environment, shorter paths first, and what is wrong in it.

    Args:
        environ: The environment.
        apps: The names of the apps in the file.
    """
    names = list(apps)
    settings = []
    problems = []
    for variable in sorted(environ):
        if not variable.startswith(PREFIX):
            continue
        try:
            path, shape = _key(variable.removeprefix(PREFIX), names)
            value = _value(environ[variable], shape, variable)
        except ValueError as error:
            problems.append(Problem(f"environment variable {variable}", "", str(error)))
        else:
            settings.append(Setting(variable, path, value))
    settings.sort(key=lambda setting: len(setting.path))
    return settings, problems


def _key(name: str, apps: list[str]) -> tuple[Path, Shape]:
    if path := _ROOT_NAMES.get(name):
        return path, _ROOT[path]
    if not name.startswith(_APPS) or name == _APPS:
        raise ValueError(_unknown(name))
    rest = name.removeprefix(_APPS)
    for suffix, path in _APP_NAMES.items():
        if rest.endswith("_" + suffix):
            app = _app(rest.removesuffix("_" + suffix), apps)
            return ("apps", app, *path), _APP[path]
    return ("apps", _app(rest, apps)), "app"


def _app(capitals: str, apps: list[str]) -> str:
    if not re.fullmatch(r"[A-Z0-9_]+", capitals):
        raise ValueError("is written in capitals, digits and _")
    same = [app for app in apps if _capitals([app]) == capitals]
    if len(same) > 1:
        raise ValueError(f"may mean each of the apps {', '.join(same)}; rename all but one")
    return same[0] if same else capitals.lower()


def _unknown(name: str) -> str:
    if _SERVICE_LINK.match(name):
        return (
            "is set by Kubernetes beside a Service of that name; set enableServiceLinks: false, "
            "or give the Service another name"
        )
    near = difflib.get_close_matches(name, _ROOT_NAMES, n=1)
    return "is unknown" + (f"; did you mean {PREFIX}{near[0]}?" if near else "; unset it")


def _unknown_of_app(variable: str) -> str:
    words = variable.split("_")
    for count in range(1, 4):
        head, tail = "_".join(words[:-count]), "_".join(words[-count:])
        if near := difflib.get_close_matches(tail, _APP_NAMES, n=1):
            return f"ends in no known key of apps; did you mean {head}_{near[0]}?"
    return f"ends in no known key of apps ({', '.join(_APP_NAMES)})"


def _value(text: str, shape: Shape, variable: str) -> Any:
    if shape == "text":
        return text
    stripped = text.strip()
    if shape == "value":
        value = _literal(stripped)
        return text if value is None else value
    if shape == "list" and not stripped.startswith("["):
        return [item.strip() for item in stripped.split(",")] if stripped else []
    value = _literal(stripped)
    if isinstance(value, list if shape == "list" else dict):
        return value
    if shape == "app":  # more likely a slip in the key than an app of that name
        raise ValueError(_unknown_of_app(variable))
    raise ValueError(f"must be {'an array' if shape == 'list' else 'a table'}, in TOML or JSON")


def _literal(text: str) -> Any:
    """What a text says as a TOML value, else as JSON; None when neither."""
    # The line break would begin a statement of its own.
    if "\n" not in text or text.startswith("["):
        try:
            parsed = tomllib.loads(f"value = {text}")
        except (ValueError, RecursionError):
            pass
        else:
            if parsed.keys() == {"value"}:
                return parsed["value"]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
