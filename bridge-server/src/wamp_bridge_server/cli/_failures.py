"""How a command fails: one line on standard error, and an exit status that says whose fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from wamp_bridge_server.config import ConfigError


class Failure(click.ClickException):
    """What went wrong when it was started, or later; one line. Exit status 1."""

    exit_code = 1


class Refusal(Failure):
    """Bad usage or configuration; one line, and nothing was started. Exit status 2."""

    exit_code = 2


def refuse(error: ConfigError) -> Refusal:
    """Make the refusal of a configuration that can't be used; the first problem is its line."""
    first, *others = error.problems
    more = f" (and {len(others)} more, see `wamp-bridge check`)" if others else ""
    return Refusal(f"{first}{more}")


def one_line(error: click.ClickException) -> str:
    """Say what a command complains of, on one line."""
    message = " ".join(error.format_message().split())
    if isinstance(error, click.UsageError) and error.ctx is not None:
        message = f"{message.rstrip('.')}; see `{error.ctx.command_path} --help`"
    return message
