"""`flask wamp`: what an app tells its bridge, and what the bridge holds for it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from flask import current_app
from flask.cli import AppGroup

from wamp_bridge.adapters.flask._adapter import EXTENSION
from wamp_bridge.core import Bridge, BridgeError, Mount, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

wamp = AppGroup("wamp", help="What this app offers through its wamp-bridge.")


@wamp.command()
def announce() -> None:
    """Announce this app, which must be running, and wait until the bridge has asked it."""
    with _bridge() as bridge:
        source = bridge.announce(wait=True)
        click.echo(f"{source.url} is {source.state}")


@wamp.command()
def withdraw() -> None:
    """Take back all that this app offers, until it is announced again."""
    with _bridge() as bridge:
        bridge.withdraw()
        click.echo(f"{bridge.settings.callback_url} is withdrawn")


@wamp.command("list")
def list_() -> None:
    """Show what the bridge holds for this app."""
    with _bridge() as bridge:
        click.echo(listing(bridge))


@contextmanager
def _bridge() -> Iterator[Bridge]:
    """The bridge of the current app; errors are for the one who typed the command."""
    mount = current_app.extensions.get(EXTENSION)
    if not isinstance(mount, Mount):
        raise click.ClickException("this app has mounted no dispatcher of wamp_bridge")
    try:
        with mount.bridge as bridge:
            yield bridge
    except BridgeError as error:
        raise click.ClickException(str(error)) from None
