"""`pwamp development.ini`: what an app tells its bridge, and what the bridge holds for it."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from pyramid.exceptions import ConfigurationExecutionError
from pyramid.paster import bootstrap, setup_logging
from pyramid.scripts.common import parse_vars

from wamp_bridge.adapters.pyramid._adapter import KEY, WampBridge
from wamp_bridge.core import BridgeError, ConfigurationError, commands

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run `pwamp`; its exit status."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        variables = parse_vars(arguments.config_vars)
        setup_logging(arguments.config_uri, variables)
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))
    try:
        shown = _run(arguments.command, arguments.config_uri, variables)
    except BridgeError as error:
        sys.stderr.write(f"{parser.prog}: {error}\n")
        return 1
    sys.stdout.write(f"{shown}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pwamp", description="What a Pyramid app offers through its wamp-bridge."
    )
    parser.add_argument(
        "config_uri", help="the app's configuration: a file, or file#section where not `main`"
    )
    named = parser.add_subparsers(dest="command", metavar="command", required=True)
    for name, command in commands().items():
        sub = named.add_parser(name, help=command.help, description=command.help)
        sub.add_argument(
            "config_vars", nargs="*", help="variables of the configuration, as `http_port=8080`"
        )
    return parser


def _run(command: str, config_uri: str, variables: Mapping[str, str]) -> str:
    try:
        environment = bootstrap(config_uri, options={"__script__": "pwamp", **variables})
    except ConfigurationExecutionError as error:
        if isinstance(error.evalue, BridgeError):  # a setting; where is no matter
            raise error.evalue from None
        raise
    with environment:
        wamp = environment["registry"].get(KEY)
        if not isinstance(wamp, WampBridge):
            raise ConfigurationError(
                "this app lacks config.include('wamp_bridge.adapters.pyramid')"
            )
        with wamp.bridge as bridge:
            return commands()[command].run(bridge)
