"""Options that several commands have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wamp_bridge_server.config import PREFIX, Config, checks, load

if TYPE_CHECKING:
    from collections.abc import Callable

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration, in TOML. Left out: the environment says all.",
)


def read_config(path: Path | None) -> Config:
    """Read the configuration that the options and the environment give.

    Raises:
        click.UsageError: They give none.
        ConfigError: It can't be used.
    """
    if path is None and not any(name.startswith(PREFIX) for name in os.environ):
        raise click.UsageError(f"No --config FILE, and no {PREFIX}... in the environment")
    return load(path, os.environ)


def checked(
    check: Callable[[str], Any],
) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Make the callback of an option that has a configuration's value, and so its check.

    One that may be given several times has a tuple of them.
    """

    def convert(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        if value is None:
            return None
        try:
            if isinstance(value, tuple):
                return tuple(check(each) for each in value)
            return check(value)
        except checks.Wrong as wrong:
            raise click.BadParameter(str(wrong), context, parameter) from wrong

    return convert
