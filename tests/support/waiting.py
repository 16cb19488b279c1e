"""Waiting for what must come true, instead of sleeping and hoping."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import TYPE_CHECKING, Any, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Value = TypeVar("Value")

_PAUSE = 0.02


@overload
async def eventually(
    condition: Callable[[], Awaitable[Value]], *, within: float = 10.0
) -> Value: ...
@overload
async def eventually(condition: Callable[[], Value], *, within: float = 10.0) -> Value: ...
async def eventually(condition: Callable[[], Any], *, within: float = 10.0) -> Any:
    """Return the condition's first true value; fail when `within` seconds bring none.

    The condition is a plain or an async function; it is tried at least once more at the end.
    """
    deadline = time.monotonic() + within
    while True:
        late = time.monotonic() >= deadline
        outcome = condition()
        value = await outcome if inspect.isawaitable(outcome) else outcome
        if value:
            return value
        if late:
            raise AssertionError(_failure(condition, value, within))
        await asyncio.sleep(_PAUSE)


def eventually_sync(condition: Callable[[], Value], *, within: float = 10.0) -> Value:
    """Do what `eventually` does, without an event loop."""
    deadline = time.monotonic() + within
    while True:
        late = time.monotonic() >= deadline
        value = condition()
        if value:
            return value
        if late:
            raise AssertionError(_failure(condition, value, within))
        time.sleep(_PAUSE)


def _failure(condition: object, value: object, within: float) -> str:
    return (
        f"not within {within:g} s: {getattr(condition, '__qualname__', condition)} gave {value!r}"
    )
