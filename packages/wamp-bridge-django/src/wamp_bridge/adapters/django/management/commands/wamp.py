"""`manage.py wamp`: what a project tells its bridge, and what the bridge holds for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from wamp_bridge.adapters.django._default import default
from wamp_bridge.core import BridgeError, listing

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.management.base import CommandParser

    from wamp_bridge.core import Bridge


class Command(BaseCommand):
    """Announces this project, takes back what it offers, and shows it."""

    help = "What this project offers through its wamp-bridge."

    def add_arguments(self, parser: CommandParser) -> None:
        """A command of its own for each of the three."""
        commands = parser.add_subparsers(dest="command", required=True)
        for name, (_, text) in _COMMANDS.items():
            commands.add_parser(name, help=text, description=text)

    def handle(self, *_args: Any, command: str, **_options: Any) -> str:
        """Ask the bridge; what it answers is for the one who typed the command."""
        ask, _ = _COMMANDS[command]
        try:
            with default.bridge as bridge:
                return ask(bridge)
        except BridgeError as error:
            raise CommandError(str(error)) from None


def _announce(bridge: Bridge) -> str:
    source = bridge.announce(wait=True)
    return f"{source.url} is {source.state}"


def _withdraw(bridge: Bridge) -> str:
    bridge.withdraw()
    return f"{bridge.settings.callback_url} is withdrawn"


_COMMANDS: dict[str, tuple[Callable[[Bridge], str], str]] = {
    "announce": (
        _announce,
        "Announce this project, which must be running, and wait until the bridge has asked it.",
    ),
    "withdraw": (
        _withdraw,
        "Take back all that this project offers, until it is announced again.",
    ),
    "list": (listing, "Show what the bridge holds for this project."),
}
