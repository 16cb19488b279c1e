"""The router of `wamp-bridge dev`: Crossbar, started and stopped with the bridge."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from typing import TYPE_CHECKING

import click
import structlog

from wamp_bridge_server.cli._failures import Failure
from wamp_bridge_server.devrouter import CrossbarRouter, RouterError, crossbar_executable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from wamp_bridge_server.config import Address

log = structlog.get_logger("wamp_bridge.dev")

_POLL = 0.25


def executable(given: Path | None) -> Path:
    """Find Crossbar's executable; on first use it is installed, which a signal may cut short."""
    if given is not None:
        return given
    before = {
        number: signal.signal(number, lambda *_: sys.exit(0))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        return crossbar_executable(progress=log.info)
    except RouterError as error:
        raise _failure(error) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.asynccontextmanager
async def running_router(
    crossbar: Path, address: Address, folder: Path
) -> AsyncIterator[CrossbarRouter]:
    """Start a router, and stop it in the end.

    Raises:
        Failure: It doesn't start.
    """
    router = CrossbarRouter(
        host=address.host, port=address.port, directory=folder, executable=crossbar
    )
    # Blocking, so in a thread; that one isn't left alone when we are cancelled meanwhile.
    starting = asyncio.ensure_future(asyncio.to_thread(router.start))
    try:
        await asyncio.shield(starting)
        yield router
    except RouterError as error:
        raise _failure(error) from error
    finally:
        while not starting.done():
            await asyncio.to_thread(router.stop)
            await asyncio.wait([starting], timeout=_POLL)
        await asyncio.to_thread(router.stop)


async def watch(router: CrossbarRouter | None) -> None:
    """Wait for ever, or until the router has ended by itself, which is a failure."""
    while True:
        still_running(router)
        await asyncio.sleep(_POLL)


def still_running(router: CrossbarRouter | None) -> None:
    """Raise a failure when the router has ended by itself."""
    if router is not None and not router.running:
        raise _failure(RouterError("the router has ended by itself", router.log))


def _failure(error: RouterError) -> Failure:
    if error.log:
        click.echo(error.log.rstrip(), err=True)
    return Failure(str(error.args[0]))
