"""A call that arrived for an app: POSTed to its callback URL, its answer carried back.

In memory, with no store on the way. An invocation is not sent twice once a byte of it was sent.
Where none was, for the connection was refused, the next one that serves it is tried, or the only
one once more (protocol, section 3).
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Protocol

from wamp_bridge_server.backends.base import WampError
from wamp_bridge_server.callbacks import envelopes
from wamp_bridge_server.callbacks.answers import failure_of, media_type, result_of
from wamp_bridge_server.callbacks.sender import Failure, SendError, head_of, read
from wamp_bridge_server.callbacks.streams import STREAM_TYPE, streamed_result
from wamp_bridge_server.errors import INVALID_ARGUMENT
from wamp_bridge_server.identifiers import new_id
from wamp_bridge_server.values import NotJson

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractContextManager

    from aiohttp import ClientResponse

    from wamp_bridge_server.backends.base import Invocation, Result
    from wamp_bridge_server.callbacks.sender import Sender

MAX_SECONDS = 30.0


class Callee(Protocol):
    """Who serves an invocation, at one URL."""

    @property
    def url(self) -> str:
        """Its callback URL."""

    @property
    def timeout(self) -> float | None:
        """Seconds that its registration allows; None where it says nothing."""

    def serving(self) -> AbstractContextManager[None]:
        """Entered while it serves."""


async def invoke(
    sender: Sender,
    invocation: Invocation,
    *,
    app: str,
    callees: Sequence[Callee],
    caller_app: str | None,
) -> Result:
    """Have an app serve an invocation.

    Args:
        sender: Who posts.
        invocation: What arrived.
        app: The app whose procedure it is.
        callees: Who serves it, in the order in which they are to be tried; at least one.
        caller_app: The app of this bridge that calls, where it is one.

    Raises:
        WampError: What the app answered, or why there is no answer.
    """
    deadlines = (MAX_SECONDS, callees[0].timeout, invocation.details.deadline_seconds)
    within = min(seconds for seconds in deadlines if seconds is not None)
    try:
        body = envelopes.invocation(invocation, caller_app, time.time() + within)
    except NotJson as error:
        raise WampError(
            INVALID_ARGUMENT, [f"This procedure is served over JSON, and {error}."]
        ) from None
    reading = partial(_read, progress=invocation.progress)
    try:
        return await _post(sender, app, callees, body, within, reading)
    except SendError as error:
        raise failure_of(error) from error


async def _read(
    response: ClientResponse, progress: Callable[[Result], Awaitable[None]] | None
) -> Result:
    """The result that an app answers, in one piece or in steps.

    Raises:
        WampError: It answers an error, or what can't be read as a result.
    """
    head = head_of(response)
    if head.accepted and not head.truncated and media_type(head.content_type) == STREAM_TYPE:
        return await streamed_result(response.content.iter_any(), progress)
    return result_of(await read(response))


async def _post(
    sender: Sender,
    app: str,
    callees: Sequence[Callee],
    body: bytes,
    within: float,
    reading: Callable[[ClientResponse], Awaitable[Result]],
) -> Result:
    message, end = new_id("msg"), time.monotonic() + within
    tried = callees if len(callees) > 1 else [*callees, *callees]
    for attempt, callee in enumerate(tried, 1):
        left = max(end - time.monotonic(), 0.0)
        try:
            with callee.serving():
                return await sender.exchange(
                    app, callee.url, body, reading, message=message, attempt=attempt, within=left
                )
        except SendError as error:
            if error.failure is not Failure.REFUSED or attempt == len(tried):
                raise
    raise AssertionError("there is a callee")
