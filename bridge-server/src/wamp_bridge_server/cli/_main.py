"""The group of commands; each is imported when it is asked for, since `serve` needs much."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, NoReturn

import click

from wamp_bridge_server import logging
from wamp_bridge_server.cli._failures import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMANDS = (
    "serve",
    "dev",
    "check",
    "key",
    "call",
    "publish",
    "subscribe",
    "register",
    "dead-letters",
)
_SIGINT_STATUS = 130  # as shells have it for a program that SIGINT ended


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit: 0, or 1 or 2 after one line that says why (see `_failures`).

    Args:
        args: The command line without the program's name; the process's own by default.
    """
    try:
        status = _commands.main(args, prog_name="wamp-bridge", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        click.echo(f"wamp-bridge: {one_line(error)}", err=True)
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(_SIGINT_STATUS)
    sys.exit(status if isinstance(status, int) else 0)


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"wamp_bridge_server.cli._{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command


@click.group(cls=_Commands)
@click.version_option(version("wamp-bridge-server"), message="wamp-bridge %(version)s")
@click.option(
    "--log-level",
    type=click.Choice(logging.LEVELS),
    default="info",
    show_default=True,
    help="What is logged, on standard error.",
)
@click.option(
    "--log-format",
    type=click.Choice(["auto", "console", "json"]),
    default="auto",
    show_default=True,
    help="auto: for people on a terminal, JSON elsewhere.",
)
def _commands(log_level: str, log_format: str) -> None:
    """Let web apps take part in WAMP over plain HTTP."""
    json = None if log_format == "auto" else log_format == "json"
    logging.configure(sys.stderr, json, log_level)
