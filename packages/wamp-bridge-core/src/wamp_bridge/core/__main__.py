"""`python -m wamp_bridge.core`: the commands of an app whose settings are in the environment."""

from __future__ import annotations

import argparse
import sys

from wamp_bridge.core._client import Bridge
from wamp_bridge.core._commands import commands
from wamp_bridge.core._errors import BridgeError


def main(arguments: list[str] | None = None) -> int:
    """Run the command that is named; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m wamp_bridge.core",
        description="What an app offers through its wamp-bridge; settings are WAMP_BRIDGE_URL, "
        "WAMP_BRIDGE_TOKEN and WAMP_BRIDGE_CALLBACK_URL in the environment.",
    )
    choices = parser.add_subparsers(dest="command", required=True)
    for name, command in commands().items():
        choices.add_parser(name, help=command.help, description=command.help)
    chosen: str = parser.parse_args(arguments).command
    try:
        with Bridge() as bridge:
            sys.stdout.write(f"{commands()[chosen].run(bridge)}\n")
    except BridgeError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
