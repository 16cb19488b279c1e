"""Runs a bridge until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
from typing import TYPE_CHECKING, Any

import structlog
import uvloop

from wamp_bridge_server.cli._failures import Failure
from wamp_bridge_server.limits import open_more_files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from wamp_bridge_server.bridge import Bridge
    from wamp_bridge_server.config import Config

log = structlog.get_logger("wamp_bridge.cli")

_COLLECTING = (10_000, 20, 20)
_ENDING = (signal.SIGINT, signal.SIGTERM)


def run(main: Coroutine[Any, Any, None], *, hangup: Callable[[], None] | None = None) -> None:
    """Run to the end, or until SIGINT or SIGTERM, which cancels; a second one ends at once.

    Args:
        main: What is run; it cleans up when it is cancelled.
        hangup: Is called at each SIGHUP, which else ends as SIGTERM does.
    """
    open_more_files()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_signalled(main, hangup))


async def _until_signalled(
    main: Coroutine[Any, Any, None], hangup: Callable[[], None] | None
) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(main)
    signalled = False
    ending = _ENDING if hangup else (*_ENDING, signal.SIGHUP)

    def end(number: signal.Signals) -> None:
        nonlocal signalled
        signalled = True
        log.info("stopping", signal=number.name)
        for each in ending:
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)
        task.cancel()

    for number in ending:
        loop.add_signal_handler(number, end, number)
    if hangup:
        loop.add_signal_handler(signal.SIGHUP, hangup)
    try:
        await task
    except asyncio.CancelledError:
        if not signalled:
            raise


@contextlib.asynccontextmanager
async def running(config: Config, *, taken: type[Failure] = Failure) -> AsyncIterator[Bridge]:
    """Start a bridge, and stop it in the end.

    Args:
        config: What it is told.
        taken: The kind of failure when its address can't be listened on.

    Raises:
        Failure: It can't be started.
    """
    log.debug("starting")
    gc.disable()  # hardly anything of what a start makes is to be thrown away
    # A second of imports, which help and a refused configuration need not wait for.
    from wamp_bridge_server.bridge import Bridge  # noqa: PLC0415
    from wamp_bridge_server.store import StoreError  # noqa: PLC0415

    bridge = Bridge(config)
    try:
        await bridge.start()
    except StoreError as error:
        raise Failure(str(error)) from error
    except OSError as error:
        raise taken(f"can't listen on {config.listen}: {_reason(error)}") from error
    finally:
        gc.enable()
    # What was made so far stays, and what requests make mostly goes by itself. Python's own
    # thresholds make the decoding of a large body three times as slow.
    gc.freeze()
    gc.set_threshold(*_COLLECTING)
    try:
        yield bridge
    finally:
        await bridge.stop()
        log.info("stopped")


def _reason(error: OSError) -> str:
    # Of an address in use asyncio says more than one wants to read.
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    return error.strerror or str(error)
