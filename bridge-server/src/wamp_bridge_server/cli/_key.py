"""`wamp-bridge key NAME`."""

from __future__ import annotations

import click

from wamp_bridge.core import generate_secret
from wamp_bridge_server.cli._options import checked
from wamp_bridge_server.config import checks, hash_token
from wamp_bridge_server.config.tokens import make_token


@click.command("key")
@click.argument("name", callback=checked(checks.app_name))
def command(name: str) -> None:
    """Make a token and a secret for the app NAME.

    Prints what the app is given, and what the bridge is. Nothing is kept: what is lost is made
    anew.
    """
    token, secret = make_token(), generate_secret()
    variable = _variable(name)
    click.echo(
        "# for the app\n"
        f"export WAMP_BRIDGE_APP={name}\n"
        f"export WAMP_BRIDGE_TOKEN={token}\n"
        f"export WAMP_BRIDGE_SECRET={secret}\n"
        "\n"
        "# for the bridge, in its configuration\n"
        f"[apps.{name}]\n"
        f'tokens = ["sha256:{hash_token(token)}"]\n'
        f'secrets = ["env:{variable}"]\n'
        "\n"
        "# and in its environment\n"
        f"export {variable}={secret}"
    )


def _variable(name: str) -> str:
    """Name the variable of an app's secret; one can't begin with a digit."""
    capitals = name.upper().replace("-", "_")
    return f"APP_{capitals}_SECRET" if capitals[0].isdecimal() else f"{capitals}_SECRET"
