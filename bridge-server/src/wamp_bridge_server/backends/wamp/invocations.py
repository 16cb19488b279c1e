"""Calls that arrive: each in a task of its own, answered by a YIELD or an ERROR in any case."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog
from autobahn.wamp.message import Error, Invocation, Yield

from wamp_bridge_server.backends.base import Undeliverable, WampError
from wamp_bridge_server.backends.values import check_arguments, check_uri

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from wamp_bridge_server.backends import base

CANCELED: Final = "wamp.error.canceled"
RUNTIME_ERROR: Final = "wamp.error.runtime_error"

log = structlog.get_logger("wamp_bridge.router")


class Invocations:
    """The invocations that a session is serving.

    Args:
        serve: Gives the result or raises `WampError`; is cancelled when the caller cancels.
        send: Sends a message. Raises `Undeliverable` for what can't be sent.
    """

    def __init__(
        self,
        serve: Callable[[base.Invocation], Awaitable[base.Result]],
        send: Callable[[Yield | Error], None],
    ) -> None:
        self._serve = serve
        self._send = send
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, request: int, invocation: base.Invocation) -> None:
        """Serve an invocation; `request` is its id."""
        task = asyncio.create_task(self._run(request, invocation))
        self._tasks[request] = task
        task.add_done_callback(lambda done: self._ended(request, done))

    def interrupt(self, request: int) -> None:
        """Take an INTERRUPT: nobody waits for this one any more."""
        if (task := self._tasks.get(request)) is not None:
            task.cancel()

    def cancel_all(self) -> list[asyncio.Task[None]]:
        """Give up all; the tasks that are still ending."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        return tasks

    def refuse(self, request: int, uri: str, text: str) -> None:
        """Answer an invocation that is not served at all."""
        self._error(request, uri, [text], {})

    async def _run(self, request: int, invocation: base.Invocation) -> None:
        try:
            result = await self._serve(invocation)
        except WampError as error:
            self._error(request, error.uri, error.wamp_args, error.wamp_kwargs)
        except Exception:  # the caller must have an answer, whatever is wrong here
            log.exception("invocation failed", procedure=invocation.procedure)
            self._error(request, RUNTIME_ERROR, ["The bridge failed to serve the call."], {})
        else:
            self._result(request, result)

    def _ended(self, request: int, task: asyncio.Task[None]) -> None:
        del self._tasks[request]
        if task.cancelled():
            # The router keeps a cancelled invocation until it is answered.
            self._error(request, CANCELED, [], {})

    def _result(self, request: int, result: base.Result) -> None:
        try:
            check_arguments(result.args, result.kwargs)
            self._send(Yield(request, list(result.args), dict(result.kwargs)))
        except Undeliverable as error:
            self._error(request, RUNTIME_ERROR, [f"The result can't be delivered: {error}."], {})

    def _error(
        self, request: int, uri: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        kind = Invocation.MESSAGE_TYPE
        try:
            check_uri(uri)
            check_arguments(args, kwargs)
            self._send(Error(kind, request, uri, list(args), dict(kwargs)))
        except Undeliverable as error:
            text = f"The error can't be delivered: {error}."
            self._send(Error(kind, request, RUNTIME_ERROR, [text]))
