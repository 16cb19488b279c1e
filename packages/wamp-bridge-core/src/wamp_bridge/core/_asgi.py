"""Who goes away before the answer is there, as ASGI tells it to all frameworks (ASGI 3.0)."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterable,
        Awaitable,
        Callable,
        Coroutine,
        MutableMapping,
    )

    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_T = TypeVar("_T")


async def unless_gone(answering: Coroutine[Any, Any, _T], receive: Receive) -> _T | None:
    """The answer to a request; None where the bridge closes the connection before.

    What makes the answer is cancelled then: once, so that it can wait while it cleans up. It runs
    in a task of its own, for some frameworks cancel whoever waits again and again.

    Args:
        answering: Makes the answer.
        receive: ASGI's. All else that comes is more of a body that is too long, and is left where
            it is.
    """
    making = asyncio.ensure_future(answering)
    leaving = asyncio.ensure_future(_gone_next(receive, making))
    try:
        await asyncio.wait([making])
    finally:
        leaving.cancel()
        _cancel(making)
        await asyncio.wait([leaving, making])
    return None if making.cancelled() else making.result()


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
        _cancel(making)
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


async def _gone_next(receive: Receive, making: asyncio.Task[Any]) -> None:
    if (await receive())["type"] == "http.disconnect":
        _cancel(making)


async def _gone(receive: Receive, making: asyncio.Task[Any]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    _cancel(making)


def _cancel(making: asyncio.Task[Any]) -> None:
    """Cancel it once: a second time would cut short what it does to end well."""
    if not making.cancelling():
        making.cancel()
