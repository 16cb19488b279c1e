"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wamp_bridge_server.config import checks

if TYPE_CHECKING:
    from collections.abc import Callable

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration, in TOML. Left out: the environment says all.",
)


def checked(
    check: Callable[[str], Any],
) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """Make the callback of an option that has a configuration's value, and so its check."""

    def convert(context: click.Context, parameter: click.Parameter, value: str | None) -> Any:
        if value is None:
            return None
        try:
            return check(value)
        except checks.Wrong as wrong:
            raise click.BadParameter(str(wrong), context, parameter) from wrong

    return convert
