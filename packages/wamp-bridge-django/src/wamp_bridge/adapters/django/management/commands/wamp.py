"""`manage.py wamp`: what a project tells its bridge, and what the bridge holds for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from wamp_bridge.adapters.django._adapter import default
from wamp_bridge.core import BridgeError, commands

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    """Announces this project, takes back what it offers, and shows it."""

    help = "What this project offers through its wamp-bridge."

    def add_arguments(self, parser: CommandParser) -> None:
        """A command of its own for each."""
        choices = parser.add_subparsers(dest="command", required=True)
        for name, command in commands().items():
            choices.add_parser(name, help=command.help, description=command.help)

    def handle(self, *_args: Any, command: str, **_options: Any) -> str:
        """Ask the bridge; what it answers is for the one who typed the command."""
        try:
            with default.bridge as bridge:
                return commands()[command].run(bridge)
        except BridgeError as error:
            raise CommandError(str(error)) from None
