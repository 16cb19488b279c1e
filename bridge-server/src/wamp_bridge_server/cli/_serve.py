"""`wamp-bridge serve`."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import TYPE_CHECKING

import click
import structlog

from wamp_bridge_server.cli._failures import refuse
from wamp_bridge_server.cli._options import config_option, read_config
from wamp_bridge_server.cli._running import run, running
from wamp_bridge_server.config import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from wamp_bridge_server.config import Config

log = structlog.get_logger("wamp_bridge.cli")


@click.command("serve")
@config_option
def command(config: Path | None) -> None:
    """Run the bridge.

    The router may be away and come later. SIGTERM or Ctrl-C stops in order, a second one at once.
    """
    try:
        loaded = read_config(config)
    except ConfigError as error:
        raise refuse(error) from error
    run(_serve(loaded), hangup=_reload)


async def _serve(config: Config) -> None:
    async with running(config) as bridge:
        log.info(
            "serving",
            url=bridge.url,
            router=bridge.router_url,
            apps=len(config.apps),
            version=version("wamp-bridge-server"),
        )
        await asyncio.Event().wait()


def _reload() -> None:
    # The place where a configuration is read again; ending for it would be worse than not to.
    log.warning("a changed configuration is read at the next start; SIGHUP does nothing yet")
