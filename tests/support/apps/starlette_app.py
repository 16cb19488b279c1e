"""A Starlette app, in a process that can't import FastAPI."""

import os
import sys
import threading
from pathlib import Path

sys.modules["fastapi"] = None  # type: ignore[assignment] # as if it were not installed

from starlette.applications import Starlette
from starlette.routing import Mount

from wamp_bridge.adapters.fastapi import WampBridge

wamp = WampBridge()


@wamp.rpc()
def worker() -> int:
    return os.getpid()


@wamp.rpc()
async def add(first: int, second: int) -> int:
    return first + second


@wamp.rpc()
def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


@wamp.sub()
async def told(text: str) -> None:
    with Path(os.environ["EVENTS_FILE"]).open("a") as file:  # noqa: ASYNC230 - a test's own
        file.write(f"{text}\n")


app = Starlette(routes=[Mount("/wamp", routes=wamp.routes)], lifespan=wamp.lifespan)
