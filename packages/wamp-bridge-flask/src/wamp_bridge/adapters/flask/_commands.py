"""`flask wamp`: what an app tells its bridge, and what the bridge holds for it."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import AppGroup

from wamp_bridge.adapters.flask._adapter import EXTENSION
from wamp_bridge.core import BridgeError, Command, Mount, commands

wamp = AppGroup("wamp", help="What this app offers through its wamp-bridge.")


def _add(name: str, command: Command) -> None:
    @wamp.command(name, help=command.help)
    def run() -> None:
        mount = current_app.extensions.get(EXTENSION)
        if not isinstance(mount, Mount):
            raise click.ClickException("this app has mounted no dispatcher of wamp_bridge")
        try:
            with mount.bridge as bridge:
                click.echo(command.run(bridge))
        except BridgeError as error:  # for the one who typed the command
            raise click.ClickException(str(error)) from None


for _name, _command in commands().items():
    _add(_name, _command)
