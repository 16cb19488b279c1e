"""A FastAPI app in one file, with the module-level names of the adapter."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from wamp_bridge.adapters.fastapi import call, dispatcher, publish, rpc, sub

met: list[asyncio.Event] = []


def note(text: str) -> None:
    with Path(os.environ["EVENTS_FILE"]).open("a") as file:
        file.write(f"{text}\n")


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    note("starts")
    yield
    note("ends")


def create() -> FastAPI:
    app = FastAPI(lifespan=lifespan)
    app.include_router(dispatcher, prefix="/wamp")
    app.add_api_route("/", hello)
    app.add_api_route("/ask", ask)
    return app


async def hello() -> str:
    return "hello"


async def ask() -> list[int | None]:
    return [await call("add", [1, 2]), await publish("nobody")]


@rpc()
def worker() -> int:
    return os.getpid()


@rpc()
async def add(first: int, second: int) -> int:
    return first + second


@rpc()
def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


@rpc()
async def meet(number: int) -> int:
    """Return when as many as that are here."""
    met.append(asyncio.Event())
    if len(met) == number:
        for each in met:
            each.set()
    await met[-1].wait()
    return number


@rpc()
async def wait() -> None:
    note("waits")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        note("cancelled")
        raise


@sub()
def told(text: str) -> None:
    note(text)


app = create()

if __name__ == "__main__":
    uvicorn.run("fastapi_app:app", port=int(sys.argv[1]), workers=2)
