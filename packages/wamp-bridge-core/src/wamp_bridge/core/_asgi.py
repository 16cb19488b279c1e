"""Who goes away before the answer is there, as ASGI tells it to all frameworks (ASGI 3.0)."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, MutableMapping

    from wamp_bridge.core._messages import Request

    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


async def when_gone(receive: Receive, request: Request, then: Callable[[], object]) -> None:
    """Do something when the bridge has closed the connection; until then, wait.

    Args:
        receive: ASGI's. All else that comes is more of a body that is too long, and is left where
            it is.
        request: What it waits for an answer to; is `gone` then.
        then: What is to be done.
    """
    if (await receive())["type"] == "http.disconnect":
        request.gone.set()
        then()


async def until_gone(lines: AsyncIterable[bytes], receive: Receive) -> AsyncGenerator[bytes, None]:
    """The lines of an answer in steps, for as long as the bridge takes them.

    Not all servers and frameworks tell of who went away before the next line can't be sent, for
    which the handler may take long. All of it runs in one task of its own, which nobody leaves
    half way.

    Args:
        lines: `Response.async_lines`.
        receive: ASGI's, after the whole of the request.
    """
    waiting: asyncio.Queue[bytes | None] = asyncio.Queue(1)
    making = asyncio.ensure_future(_make(lines, waiting))
    leaving = asyncio.ensure_future(_gone(receive, making))
    try:
        while (line := await waiting.get()) is not None:
            yield line
        await making
    finally:
        leaving.cancel()
        making.cancel()
        await asyncio.wait([leaving, making])


async def _make(lines: AsyncIterable[bytes], waiting: asyncio.Queue[bytes | None]) -> None:
    try:
        async with aclosing(aiter(lines)) as made:  # type: ignore[type-var]  # a generator
            async for line in made:
                await waiting.put(line)
        await waiting.put(None)
    except asyncio.CancelledError:  # nobody wants more
        while not waiting.empty():
            waiting.get_nowait()
        waiting.put_nowait(None)


async def _gone(receive: Receive, making: asyncio.Future[None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    making.cancel()
