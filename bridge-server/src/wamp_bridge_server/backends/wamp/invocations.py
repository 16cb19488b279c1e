"""Calls that arrive: each in a task of its own, answered by a YIELD or an ERROR in any case."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from autobahn.wamp.message import Error, Invocation, Yield

from wamp_bridge_server.backends.base import Result, Undeliverable, WampError
from wamp_bridge_server.backends.serving import outcome_of, undeliverable
from wamp_bridge_server.errors import CANCELED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wamp_bridge_server.backends import base


class Invocations:
    """The invocations that a session is serving.

    Args:
        serve: Gives the result or raises `WampError`; is cancelled when the caller cancels.
        send: Sends a message. Raises `Undeliverable` for what can't be sent.
        drained: Waits until the network has taken most of what was sent.
    """

    def __init__(
        self,
        serve: Callable[[base.Invocation], Awaitable[Result]],
        send: Callable[[Yield | Error], None],
        drained: Callable[[], Awaitable[None]],
    ) -> None:
        self._serve = serve
        self._send = send
        self._drained = drained
        self._tasks: dict[int, asyncio.Task[None]] = {}

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """Those that serve an invocation."""
        return list(self._tasks.values())

    def start(self, request: int, invocation: base.Invocation) -> None:
        """Serve an invocation; `request` is its id."""
        task = asyncio.create_task(self._run(request, invocation))
        self._tasks[request] = task
        task.add_done_callback(lambda done: self._ended(request, done))

    def progress(self, request: int) -> Callable[[Result], Awaitable[None]]:
        """What gives the caller of an invocation its progressive results."""

        async def give(step: Result) -> None:
            if request in self._tasks:
                self._send(Yield(request, list(step.args), dict(step.kwargs), progress=True))
                await self._drained()

        return give

    def interrupt(self, request: int) -> None:
        """Take an INTERRUPT: nobody waits for this one any more."""
        if (task := self._tasks.get(request)) is not None:
            task.cancel()

    def cancel_all(self) -> list[asyncio.Task[None]]:
        """Give up all; the tasks that are still ending."""
        tasks = self.tasks
        for task in tasks:
            task.cancel()
        return tasks

    def refuse(self, request: int, error: WampError) -> None:
        """Answer an invocation with an error."""
        kind = Invocation.MESSAGE_TYPE
        args, kwargs = list(error.wamp_args), dict(error.wamp_kwargs)
        self._send(Error(kind, request, error.uri, args, kwargs))

    async def _run(self, request: int, invocation: base.Invocation) -> None:
        outcome = await outcome_of(self._serve, invocation)
        try:
            if isinstance(outcome, WampError):
                self.refuse(request, outcome)
            else:
                self._send(Yield(request, list(outcome.args), dict(outcome.kwargs)))
        except Undeliverable as error:  # too long, as only the transport knows
            self.refuse(request, undeliverable(error))

    def _ended(self, request: int, task: asyncio.Task[None]) -> None:
        del self._tasks[request]
        if task.cancelled():
            # The router keeps a cancelled invocation until it is answered.
            self.refuse(request, WampError(CANCELED))
