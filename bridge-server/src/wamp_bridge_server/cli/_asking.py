"""What the commands have in common that ask a running bridge as an app."""

from __future__ import annotations

import dataclasses
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wamp_bridge.core import (
    ApplicationError,
    Bridge,
    BridgeError,
    ConfigurationError,
    InvalidJSON,
    InvalidURI,
    InvalidValue,
    Settings,
    check_uri,
    dumps,
    loads,
)
from wamp_bridge_server.cli._failures import Failure, Refusal
from wamp_bridge_server.config import checks, read_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wamp_bridge.core import Match

    F = TypeVar("F", bound=Callable[..., None])

_WHERE = (
    click.option("--url", metavar="URL", help="The bridge's; else WAMP_BRIDGE_URL."),
    click.option("--app", metavar="NAME", help="Who asks; else WAMP_BRIDGE_APP."),
    click.option(
        "--token",
        metavar="WHERE",
        help="env:NAME, file:PATH, or - for standard input; else WAMP_BRIDGE_TOKEN.",
    ),
    click.option(
        "--secret",
        metavar="WHERE",
        help="env:NAME, file:PATH, or - for standard input; else WAMP_BRIDGE_SECRET.",
    ),
)


def asking(command: F) -> F:
    """Give a command the options that say where the bridge is and who asks."""
    for option in reversed(_WHERE):
        command = option(command)
    return command


def settings_of(
    url: str | None, app: str | None, token: str | None, secret: str | None, **more: Any
) -> Settings:
    """The settings that options and the environment give.

    Raises:
        Refusal: They can't be used.
        click.BadParameter: A reference leads to nothing.
    """
    given = {
        "url": url,
        "app": app,
        "token": None if token is None else _found("--token", token),
        "secrets": None if secret is None else (_found("--secret", secret),),
        **more,
    }
    try:
        return dataclasses.replace(
            Settings.load(os.environ),
            **{name: value for name, value in given.items() if value is not None},
        )
    except ConfigurationError as error:
        raise Refusal(str(error)) from error


@contextmanager
def asked(settings: Settings) -> Iterator[Bridge]:
    """The bridge; what it refuses is one line and exit status 1.

    Raises:
        Refusal: There is no URL, or nothing that says who asks.
        Failure: The bridge's errors, and those of callees.
    """
    try:
        bridge = Bridge(settings)
    except ConfigurationError as error:
        raise Refusal(str(error)) from error
    with bridge:
        try:
            yield bridge
        except (InvalidValue, ValueError) as error:
            raise Refusal(str(error)) from error
        except BridgeError as error:
            raise Failure(told(error)) from error


def check_name(name: str, match: Match) -> None:
    """Refuse a name that is no URI and no pattern, whatever prefix it gets. Raises `Refusal`."""
    try:
        check_uri(name.removeprefix("."), match)  # with that dot no prefix goes before it
    except InvalidURI as error:
        raise Refusal(str(error)) from error


def told(error: BridgeError) -> str:
    """An error on a line: of a callee's own its URI and what came with it."""
    if not isinstance(error, ApplicationError):
        return str(error)
    return " ".join([error.uri, *(written(value) for value in (error.args, error.kwargs) if value)])


def values(arguments: Sequence[str]) -> list[Any]:
    """Arguments of the command line: what is JSON as that, the rest as texts."""
    return [value(argument) for argument in arguments]


def named(pairs: Sequence[str]) -> dict[str, Any]:
    """Those of the form `name=value`.

    Raises:
        click.UsageError: One isn't.
    """
    found = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{pair!r} is not of the form NAME=VALUE")
        found[name] = value(text)
    return found


def value(text: str) -> Any:
    """JSON, or the text itself where it is none."""
    try:
        return loads(text.encode())
    except (InvalidJSON, InvalidValue, UnicodeEncodeError):
        return text


def written(thing: Any) -> str:
    """A value as JSON on one line."""
    return dumps(thing).decode()


def put(thing: Any) -> None:
    """Write a value to standard output, as JSON on a line that is there at once."""
    click.echo(written(thing))
    sys.stdout.flush()


def _found(option: str, reference: str) -> str:
    if reference == "-":
        return sys.stdin.readline().strip()
    try:
        return read_reference(reference, os.environ, Path())
    except checks.Wrong as wrong:
        raise click.BadParameter(str(wrong), param_hint=option) from wrong
