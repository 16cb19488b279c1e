"""Reads a configuration: the file, the environment over it, the secrets that they refer to."""

from __future__ import annotations

import math
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wamp_bridge_server.config._environment import Setting, read_environment
from wamp_bridge_server.config._errors import ConfigError, Problem
from wamp_bridge_server.config._lines import lines_of_keys
from wamp_bridge_server.config._reader import anonymous_is_one_app_on_loopback, read
from wamp_bridge_server.config._router import certificates_go_by_tls
from wamp_bridge_server.config._secrets import Vault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wamp_bridge_server.config._model import Config

_POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def load(
    path: Path | None,
    environ: Mapping[str, str] | None = None,
    *,
    files: set[Path] | None = None,
) -> Config:
    """Read the configuration of a file, or of the environment alone.

    Args:
        path: A TOML file; None where the environment says all.
        environ: Where the `WAMP_BRIDGE_SERVER_...` variables are, which stand above the file, and
            those that `env:NAME` names. The process's own where it is None.
        files: Filled with every file that the configuration is in, those of secrets and
            certificates included; also where it can't be used.

    Raises:
        ConfigError: What is wrong, all of it.
    """
    environ = os.environ if environ is None else environ
    files = set() if files is None else files
    if path is None:
        return _parse("", "", Vault(environ, Path(), files))
    files.add(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not in UTF-8"
        raise ConfigError([Problem(str(path), "", f"can't be read: {reason}")]) from error
    return _parse(text, str(path), Vault(environ, path.parent, files))


def parse(
    text: str,
    *,
    name: str = "configuration",
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """Read the configuration of a TOML text.

    Args:
        text: What would stand in the file.
        name: What errors call it.
        folder: Where the relative paths of `file:PATH` start; by default where the process is.
        environ: As for `load`, empty by default.

    Raises:
        ConfigError: What is wrong, all of it.
    """
    environ = {} if environ is None else environ
    return _parse(text, name, Vault(environ, folder or Path(), set()))


def _parse(text: str, name: str, vault: Vault) -> Config:
    try:
        return _read(text, name, vault)
    except RecursionError as error:
        raise ConfigError([Problem(name, "", "is nested too deep")]) from error


def _read(text: str, name: str, vault: Vault) -> Config:
    values = _toml(text, name)
    apps = values.get("apps", {})
    settings, problems = read_environment(vault.environ, apps if isinstance(apps, dict) else ())
    origin = _Origin(name, text, settings)
    for setting in settings:
        _lay_over(values, setting)

    def report(path: tuple[str, ...], message: str) -> None:
        problems.append(Problem(origin.of(path), _dotted(path), message))

    config = read(values, vault, report)
    if problems:
        raise ConfigError(sorted(problems, key=origin.order))
    return config


def check_listener(config: Config) -> None:
    """Check the apps of a configuration against a listener and router that it was not read with.

    Raises:
        ConfigError: An app can't be served there.
    """
    problems: list[Problem] = []

    def report(path: tuple[str, ...], message: str) -> None:
        problems.append(Problem("with what runs", _dotted(path), message))

    anonymous_is_one_app_on_loopback(config, report)
    certificates_go_by_tls(config, report)
    if problems:
        raise ConfigError(problems)


def _toml(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:
        message, where = str(error), name
        if position := _POSITION.search(message):
            message = message[: position.start()]
            where = f"{name}:{position[1] or text.count(chr(10)) + 1}"
        raise ConfigError([Problem(where, "", f"is no TOML: {message}")]) from error


class _Origin:
    """Where each key comes from."""

    def __init__(self, name: str, text: str, settings: Sequence[Setting]) -> None:
        self._name = name
        self._lines: dict[tuple[str, ...], int] | None = None
        self._text = text
        self._variables = {setting.path: setting.variable for setting in settings}

    def of(self, path: tuple[str, ...]) -> str:
        """The variable or the line that gives a key, or the nearest table around it."""
        path = tuple(part.partition("[")[0] for part in path)
        around = [path[:end] for end in range(len(path), 0, -1)]
        # A variable gives all that is below its key; what the file says there doesn't count.
        variables = [self._variables[key] for key in around if key in self._variables]
        if self._lines is None:
            self._lines = lines_of_keys(self._text)
        lines = [self._lines[key] for key in around if key in self._lines]
        if not variables and path not in self._lines:
            variables = [v for key, v in self._variables.items() if key[: len(path)] == path]
        if variables:
            return f"environment variable {variables[0]}"
        if lines:
            return f"{self._name}:{lines[0]}"
        return self._name or "environment"

    def order(self, problem: Problem) -> float:
        """Where a problem stands: the environment's first, then from the top down, then others."""
        if problem.where.startswith("environment variable "):
            return 0
        line = problem.where.removeprefix(f"{self._name}:")
        return int(line) if line.isdecimal() else math.inf


def _lay_over(values: dict[str, Any], setting: Setting) -> None:
    table = values
    for key in setting.path[:-1]:
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            return  # the reader tells that it should be a table
        table = inner
    table[setting.path[-1]] = setting.value


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(
        part if re.fullmatch(r"[A-Za-z0-9_-]+(\[\d+\](\.\w+)?)*", part) else repr(part)
        for part in path
    )
