"""A backend's listener that remembers what it was told and serves what a test gives it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from wamp_bridge_server.backends.base import Result

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wamp_bridge_server.backends.base import Event, Invocation


class Listening:
    """A `backends.base.Listener`.

    Procedures without a handler echo: the result is the positional arguments as one list, and the
    keyword arguments.
    """

    def __init__(self) -> None:
        self.joins: list[str] = []
        self.leaves: list[tuple[str, str]] = []
        self.invocations: list[tuple[str, Invocation]] = []
        self.cancelled: list[str] = []
        self.events: list[tuple[str, Event]] = []
        self.handlers: dict[str, Callable[[Invocation], Awaitable[Result]]] = {}
        self.on_join: Callable[[str], object] | None = None

    def joined(self, app: str) -> None:
        self.joins.append(app)
        if self.on_join is not None:
            self.on_join(app)

    def left(self, app: str, reason: str) -> None:
        self.leaves.append((app, reason))

    async def invoked(self, app: str, invocation: Invocation) -> Result:
        self.invocations.append((app, invocation))
        handler = self.handlers.get(invocation.procedure)
        try:
            if handler is not None:
                return await handler(invocation)
        except asyncio.CancelledError:
            self.cancelled.append(invocation.procedure)
            raise
        return Result([list(invocation.args)], invocation.kwargs)

    def received(self, app: str, event: Event) -> None:
        self.events.append((app, event))

    def events_of(self, app: str) -> list[Event]:
        """The events that an app got, in order."""
        return [event for receiver, event in self.events if receiver == app]


def returning(*args: Any, **kwargs: Any) -> Callable[[Invocation], Awaitable[Result]]:
    """A handler with one and the same result."""

    async def handler(_: Invocation) -> Result:
        return Result(args, kwargs)

    return handler


def raising(error: Exception) -> Callable[[Invocation], Awaitable[Result]]:
    """A handler that fails."""

    async def handler(_: Invocation) -> Result:
        raise error

    return handler


class Stuck:
    """A handler that goes on until it is released or cancelled."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.release = asyncio.Event()

    async def __call__(self, _: Invocation) -> Result:
        self.entered.set()
        await self.release.wait()
        return Result(["late"])
