"""`wamp-bridge check`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wamp_bridge_server.callbacks.destinations import Own, is_never_used
from wamp_bridge_server.cli._failures import Refusal
from wamp_bridge_server.cli._options import config_option, read_config
from wamp_bridge_server.config import ConfigError, checks, hash_token, read_reference
from wamp_bridge_server.config.tokens import is_mistyped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wamp_bridge_server.config import AppConfig, Config, Secret, Token


@click.command("check")
@config_option
@click.option(
    "--token",
    "reference",
    metavar="WHERE",
    help="Also say whose token it is that is found at env:NAME, at file:PATH, or with - on "
    "standard input.",
)
@click.pass_context
def command(context: click.Context, config: Path | None, reference: str | None) -> None:
    """Read a configuration as `serve` does, and start nothing.

    Prints what the bridge would be, or a line for each thing that is wrong (exit status 2).
    """
    try:
        found = read_config(config)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"wamp-bridge: {problem}", err=True)
        context.exit(Refusal.exit_code)
    owner = None if reference is None else _owner(found, _token(reference))
    router = found.router
    way = "" if router.is_memory else f", {router.realm}, {router.auth.method}"
    click.echo(f"{config or 'environment'} is good")
    click.echo(f"  listen  {found.listen}{', with TLS' if found.tls else ''}")
    click.echo(f"  router  {', '.join(router.urls)}{way}")
    click.echo(f"  store   {found.store.url}")
    for app in found.apps.values():
        click.echo(f"  app     {app.name}: {_summary(app)}")
        for place in _places_in_vain(app, Own.of(found)):
            click.echo(f"          no callback ever goes to {place}, whatever this says")
    if owner is not None:
        click.echo(f"  token   is one of {owner}")


def _summary(app: AppConfig) -> str:
    parts = [_live(app.tokens, "token"), _live(app.secrets, "secret")]
    if app.sources:
        parts.append(_count(len(app.sources), "source"))
    if app.callbacks is not None:
        parts.append(f"callbacks to {_count(len(app.callbacks), 'place')}")
    if app.rate is not None:
        parts.append(f"{app.rate:g} requests a second")
    if app.crossbar is not None:
        parts.append("a key for Crossbar's clients")
    if app.anonymous:
        parts.append("Crossbar's clients without any")
    if app.realm is not None:
        parts.append(f"in {app.realm}")
    if app.router_auth:
        parts.append(f"at the router by {app.router_auth.method}")
    return ", ".join(parts)


def _places_in_vain(app: AppConfig, own: Own) -> list[str]:
    """The places that its `callbacks` name for nothing."""
    return [str(rule) for rule in app.callbacks or () if is_never_used(rule, own)]


def _live(credentials: Sequence[Token | Secret], what: str) -> str:
    now = time.time()
    expired = sum(1 for each in credentials if each.expires is not None and each.expires <= now)
    return _count(len(credentials), what) + (f" ({expired} expired)" if expired else "")


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def _token(reference: str) -> str:
    """The token that an option refers to; it never stands on the command line itself."""
    if reference == "-":
        return sys.stdin.readline().strip()
    try:
        return read_reference(reference, os.environ, Path())
    except checks.Wrong as wrong:
        raise click.BadParameter(str(wrong), param_hint="--token") from wrong


def _owner(config: Config, token: str) -> str:
    if is_mistyped(token):
        raise Refusal("the token is mistyped: it lacks characters, or its checksum is wrong")
    digest = hash_token(token)
    for app in config.apps.values():
        for known in app.tokens:
            if known.hash != digest:
                continue
            if known.expires is not None and known.expires <= time.time():
                raise Refusal(f"the token is one of {app.name}, and has expired")
            return app.name
    raise Refusal("the token is not mistyped, but no app's here")
