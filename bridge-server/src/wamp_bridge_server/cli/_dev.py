"""`wamp-bridge dev`: a router, a bridge and a store in one."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import socket
import sys
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import click
import structlog
from click.core import ParameterSource

from wamp_bridge.core import generate_secret
from wamp_bridge_server.cli._devdata import data_folder, kept
from wamp_bridge_server.cli._devrouter import (
    executable,
    running_router,
    still_running,
    watch,
)
from wamp_bridge_server.cli._failures import Refusal
from wamp_bridge_server.cli._options import checked
from wamp_bridge_server.cli._running import run, running
from wamp_bridge_server.config import (
    Address,
    AppConfig,
    Config,
    RouterConfig,
    Secret,
    StoreConfig,
    Token,
    callback_rule,
    checks,
    hash_token,
)
from wamp_bridge_server.config.tokens import make_token
from wamp_bridge_server.devrouter.ports import free_port, obstacle

if TYPE_CHECKING:
    from wamp_bridge_server.devrouter import CrossbarRouter

log = structlog.get_logger("wamp_bridge.dev")

_POLL = 0.05
_PATIENCE = 5.0
LOOPBACK = tuple(callback_rule(f"{host}:*") for host in ("127.0.0.0/8", "[::1]", "localhost"))
"""Where the callbacks of the app on your own machine may go."""


@dataclass(frozen=True, slots=True)
class _Options:
    listen: Address
    router_listen: Address
    router: str | None
    crossbar: Path | None
    app: str
    token: str | None
    secret: str | None
    data: Path | None
    cors: tuple[str, ...]


@click.command("dev", short_help="Run a router, a bridge and a store in one.")
@click.option(
    "--listen",
    callback=checked(checks.address),
    metavar="HOST:PORT",
    default="127.0.0.1:8181",
    show_default=True,
    help="Where the bridge listens.",
)
@click.option(
    "--router-listen",
    callback=checked(checks.address),
    metavar="HOST:PORT",
    default="127.0.0.1:8080",
    show_default=True,
    help="Where its own router listens.",
)
@click.option(
    "--router",
    callback=checked(checks.router_url),
    metavar="URL",
    help="A router that runs already, or memory: for none; instead of its own.",
)
@click.option(
    "--crossbar",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="PATH",
    help="A Crossbar that is installed already; else one is, on first use.",
)
@click.option(
    "--app",
    callback=checked(checks.app_name),
    metavar="NAME",
    default="app",
    show_default=True,
    help="The app's name.",
)
@click.option(
    "--token", callback=checked(checks.text), metavar="TOKEN", help="The app's token, any text."
)
@click.option(
    "--secret",
    callback=checked(checks.webhook_secret),
    metavar="SECRET",
    help="The app's secret, as `wamp-bridge key` makes it.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keeps what apps register, and what was made up. Left out: all is gone at the end.",
)
@click.option(
    "--cors",
    callback=checked(checks.origin),
    metavar="ORIGIN",
    multiple=True,
    help="An origin whose pages may follow the app's topics; several times for several.",
)
@click.pass_context
def command(
    context: click.Context,
    listen: Address,
    router_listen: Address,
    router: str | None,
    crossbar: Path | None,
    app: str,
    token: str | None,
    secret: str | None,
    data: Path | None,
    cors: tuple[str, ...],
) -> None:
    """Run a router, a bridge and a store in one, for one app on your own machine.

    Makes up what is not given, prints it as export lines for the app's shell, and prints
    `ready BRIDGE_URL ROUTER_URL` when requests will be answered. A default port that is taken
    gives way to a free one. No configuration is read. Ctrl-C stops all of it.
    """
    given = {
        name
        for name in ("listen", "router_listen", "crossbar")
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT
    }
    for name in sorted(given & {"router_listen", "crossbar"}) if router else ():
        option = "--" + name.replace("_", "-")
        raise click.UsageError(f"{option} is for a router of its own, --router for another one")
    options = _Options(
        listen=_available(listen, "--listen", asked="listen" in given),
        router_listen=router_listen
        if router
        else _available(router_listen, "--router-listen", asked="router_listen" in given),
        router=router,
        crossbar=crossbar,
        app=app,
        token=token,
        secret=secret,
        data=data,
        cors=cors,
    )
    run(_dev(options, None if router else executable(crossbar)))


def _available(address: Address, option: str, *, asked: bool) -> Address:
    """An address that can be listened on: the default one gives way, one that was asked for not."""
    reason = obstacle(address.host, address.port)
    if reason is None:
        return address
    if asked:
        raise Refusal(f"{option} {address}: can't be listened on: {reason}")
    log.warning("port is taken, a free one is used", option=option, taken=str(address))
    return Address(address.host, 0)


async def _dev(options: _Options, crossbar: Path | None) -> None:
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(data_folder(options.data))
        token = options.token or kept(folder, "token", make_token)
        secret = options.secret or kept(folder, "secret", generate_secret)
        router: CrossbarRouter | None = None
        url = shown = options.router or ""
        if crossbar is not None:
            log.info("starting the router")
            address = options.router_listen
            router = await stack.enter_async_context(
                running_router(crossbar, address, folder / "router")
            )
            url, shown = router.url, router.websocket_url
        listen, public_urls = _origins(options.listen)
        config = Config(
            listen=listen,
            public_urls=public_urls,
            router=RouterConfig(url=url),
            store=StoreConfig(url=f"sqlite:///{folder / 'wamp-bridge.db'}"),
            apps={
                options.app: AppConfig(
                    name=options.app,
                    tokens=(Token(hash_token(token)),),
                    secrets=(Secret(secret),),
                    callbacks=LOOPBACK,
                    cors=options.cors,
                )
            },
        )
        bridge = await stack.enter_async_context(running(config, taken=Refusal))
        if sys.stdout.isatty():
            click.echo("# paste this into the shell where your app runs")
        for name, value in (
            ("URL", bridge.url),
            ("APP", options.app),
            ("TOKEN", token),
            ("SECRET", secret),
        ):
            click.echo(f"export WAMP_BRIDGE_{name}={shlex.quote(value)}")
        await _until_ready(bridge.url, shown, router)
        click.echo(f"ready {bridge.url} {shown}")
        await watch(router)


def _origins(listen: Address) -> tuple[Address, tuple[str, ...]]:
    """Where to listen, and the public URLs, without which nothing signed is for all addresses."""
    if not listen.wildcard:
        return listen, ()
    listen = listen if listen.port else Address(listen.host, free_port(listen.host))
    names = ("127.0.0.1", "[::1]", "localhost", socket.gethostname().lower())
    return listen, tuple(f"http://{name}:{listen.port}" for name in names)


async def _until_ready(url: str, router_url: str, router: CrossbarRouter | None) -> None:
    """Ask the bridge until it has joined the router; that may be away, and come."""
    started = time.monotonic()
    told = False
    async with aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"{url}health/ready") as answer:
                if answer.status == HTTPStatus.OK:
                    return
            if not told and time.monotonic() > started + _PATIENCE:
                log.warning("waiting for the router", url=router_url)
                told = True
            still_running(router)
            await asyncio.sleep(_POLL)
