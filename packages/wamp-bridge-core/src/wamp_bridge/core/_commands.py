"""What the commands of adapters do, whatever each framework calls them by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wamp_bridge.core._listing import listing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wamp_bridge.core._client import Bridge


@dataclass(frozen=True, slots=True)
class Command:
    """A command of an app, for a person.

    Attributes:
        help: What it does, in a sentence.
        run: Does it, and returns what to show; raises `BridgeError`.
    """

    help: str
    run: Callable[[Bridge], str]


def _announce(bridge: Bridge) -> str:
    source = bridge.announce(wait=True)
    return f"{source.url} is {source.state}"


def _withdraw(bridge: Bridge) -> str:
    bridge.withdraw()
    return f"{bridge.settings.callback_url} is withdrawn"


_COMMANDS: Final = {
    "announce": Command(
        "Announce this app, which must be running, and wait until the bridge has asked it.",
        _announce,
    ),
    "withdraw": Command(
        "Take back all that this app offers, until it is announced again.", _withdraw
    ),
    "list": Command("Show what the bridge holds for this app.", listing),
}


def commands() -> Mapping[str, Command]:
    """The commands of an app by name: `announce`, `withdraw` and `list`."""
    return _COMMANDS
