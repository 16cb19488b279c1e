"""A FastAPI app that calls a procedure as a stream, and one that serves in steps."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from wamp_bridge.adapters.fastapi import dispatcher, rpc, stream

app = FastAPI()
app.include_router(dispatcher, prefix="/wamp")


def note(text: str) -> None:
    with Path(os.environ["EVENTS_FILE"]).open("a") as file:
        file.write(f"{text}\n")


@app.get("/follow/{procedure}")
async def follow(procedure: str, wanted: int, leave_at: int = -1) -> Any:
    taken = []
    async with stream(procedure, [wanted]) as steps:
        async for step in steps:
            note(f"took {step}")
            taken.append(step)
            if step == leave_at:
                return {"taken": taken, "result": None}
    return {"taken": taken, "result": steps.result}


@rpc()
async def wait() -> AsyncIterator[str]:
    try:
        yield "first"
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        note("cancelled")
        raise


@rpc()
async def ready() -> bool:
    return True
