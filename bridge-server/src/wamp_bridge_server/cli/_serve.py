"""`wamp-bridge serve`."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import click
import structlog

from wamp_bridge_server.cli._failures import refuse
from wamp_bridge_server.cli._options import config_option, read_config
from wamp_bridge_server.cli._running import run, running
from wamp_bridge_server.cli._watch import Hangup, Watch
from wamp_bridge_server.config import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from wamp_bridge_server.config import Config

log = structlog.get_logger("wamp_bridge.cli")


@click.command("serve")
@config_option
def command(config: Path | None) -> None:
    """Run the bridge.

    The router may be away and come later. A changed configuration is taken while it runs, at once
    at SIGHUP. SIGTERM or Ctrl-C stops in order, a second one at once.
    """
    try:
        loaded = read_config(config)
    except ConfigError as error:
        raise refuse(error) from error
    hangup = Hangup()
    run(_serve(loaded, config, hangup), hangup=hangup)


async def _serve(config: Config, path: Path | None, hangup: Hangup) -> None:
    async with running(config) as bridge:
        log.info(
            "serving",
            url=bridge.url,
            router=bridge.router_url,
            apps=len(config.apps),
            version=version("wamp-bridge-server"),
        )
        await Watch(bridge, config, path, hangup).run()
