"""`POST /call/PROCEDURE/` as a stream: its progressive results, then how it ended."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Any

from wamp_bridge_server.backends.base import CallOptions
from wamp_bridge_server.errors import ClientGone
from wamp_bridge_server.http import event_stream
from wamp_bridge_server.http.answers import result_members, unreadable
from wamp_bridge_server.http.event_stream import KEEPALIVE, KEEPALIVE_SECONDS, event
from wamp_bridge_server.http.hanging_up import while_connected
from wamp_bridge_server.services.steps import StepRoom, Steps
from wamp_bridge_server.values import NotJson, encode_json, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web

    from wamp_bridge_server.backends.base import CancelMode, Result
    from wamp_bridge_server.http.asking import Asking
    from wamp_bridge_server.services.calls import Calls

READ_SECONDS = 30.0
"""How long a client may take to read what is left when the call has ended."""


class StreamedCalls:
    """Calls whose progress is told as it comes.

    Args:
        calls: Makes them.
        room: How much of their progress may wait for clients, all together.
    """

    def __init__(self, calls: Calls, room: StepRoom) -> None:
        self._calls = calls
        self._room = room

    async def answer(
        self,
        ask: Asking,
        procedure: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        timeout: float,
        cancel: CancelMode,
    ) -> web.StreamResponse:
        """Call, and answer with events. A client that goes away cancels the call.

        Raises:
            Problem: How the call failed; told by an event where the answer has begun.
        """
        ask.app.permissions.check("call", procedure)
        response = await event_stream.opened(ask.request)
        numbers = count()
        with Steps(self._room, failed=lambda: call.cancel()) as steps:  # noqa: PLW0108 - made below

            def progress(step: Result) -> None:
                try:
                    data = encode_json({"args": to_json(step.args), "kwargs": to_json(step.kwargs)})
                except NotJson as reason:
                    steps.fail(unreadable("returned", reason))
                else:
                    steps.put(event("progress", data, next(numbers)))

            options = CallOptions(progress, cancel)
            async with while_connected(ask.request):
                call = asyncio.create_task(
                    self._calls.call(ask.app, procedure, args, kwargs, timeout, options)
                )
                call.add_done_callback(lambda _: steps.end())
                try:
                    await _tell(response, steps, call)
                finally:
                    call.cancel()
                    await asyncio.wait([call])
        return response


async def _tell(response: web.StreamResponse, steps: Steps, call: asyncio.Task[Result]) -> None:
    """Write what comes, as fast as the client reads it, and last the result.

    Raises:
        Problem: How the call failed.
    """
    patience = asyncio.timeout(None)

    def hurry(_: object) -> None:
        patience.reschedule(asyncio.get_running_loop().time() + READ_SECONDS)

    try:
        async with patience:
            call.add_done_callback(hurry)
            while text := await _taken(steps):
                await response.write(text)
            await response.write(event("result", encode_json(result_members(call.result()))))
    except (TimeoutError, ConnectionError):
        raise ClientGone from None
    finally:
        call.remove_done_callback(hurry)


async def _taken(steps: Steps) -> bytes:
    try:
        async with asyncio.timeout(KEEPALIVE_SECONDS):
            return await steps.take()
    except TimeoutError:
        return KEEPALIVE
