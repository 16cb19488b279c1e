"""`wamp-bridge check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wamp_bridge_server.cli._failures import Refusal
from wamp_bridge_server.cli._options import config_option, read_config
from wamp_bridge_server.config import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from wamp_bridge_server.config import AppConfig


@click.command("check")
@config_option
@click.pass_context
def command(context: click.Context, config: Path | None) -> None:
    """Read a configuration as `serve` does, and start nothing.

    Prints what the bridge would be, or a line for each thing that is wrong (exit status 2).
    """
    try:
        found = read_config(config)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"wamp-bridge: {problem}", err=True)
        context.exit(Refusal.exit_code)
    router = found.router
    way = "" if router.url == "memory:" else f", {router.realm}, {router.auth.method}"
    click.echo(f"{config or 'environment'} is good")
    click.echo(f"  listen  {found.listen}")
    click.echo(f"  router  {router.url}{way}")
    click.echo(f"  store   {found.store.url}")
    for app in found.apps.values():
        click.echo(f"  app     {app.name}: {_summary(app)}")


def _summary(app: AppConfig) -> str:
    parts = [_count(len(app.tokens), "token"), _count(len(app.secrets), "secret")]
    if app.sources:
        parts.append(_count(len(app.sources), "source"))
    if app.router_auth:
        parts.append(f"at the router by {app.router_auth.method}")
    return ", ".join(parts)


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
