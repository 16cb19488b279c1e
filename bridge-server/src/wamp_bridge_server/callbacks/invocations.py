"""A call that arrived for an app: POSTed to its callback URL, its answer carried back.

In memory, with no store on the way. An invocation is not sent twice once a byte of it was sent; a
refused connection, where none was, is tried once more (protocol, section 3).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from wamp_bridge_server.backends.base import WampError
from wamp_bridge_server.callbacks import envelopes
from wamp_bridge_server.callbacks.answers import failure_of, result_of
from wamp_bridge_server.callbacks.sender import Failure, SendError
from wamp_bridge_server.errors import INVALID_ARGUMENT
from wamp_bridge_server.identifiers import new_id
from wamp_bridge_server.values import NotJson

if TYPE_CHECKING:
    from collections.abc import Callable

    from wamp_bridge_server.backends.base import Invocation, Result
    from wamp_bridge_server.callbacks.sender import Answer, Sender

MAX_SECONDS = 30.0


async def invoke(
    sender: Sender,
    invocation: Invocation,
    *,
    app: str,
    url: str,
    elsewhere: Callable[[], str],
    timeout: float | None,
    caller_app: str | None,
) -> Result:
    """Have an app serve an invocation.

    Args:
        sender: Who posts.
        invocation: What arrived.
        app: The app whose procedure it is.
        url: The callback URL chosen for it.
        elsewhere: Asked for the URL of the second attempt, where the first was refused; raises
            `WampError` where there shall be none.
        timeout: Seconds that the registration allows; None where it says nothing.
        caller_app: The app of this bridge that calls, where it is one.

    Raises:
        WampError: What the app answered, or why there is no answer.
    """
    deadlines = (MAX_SECONDS, timeout, invocation.details.deadline_seconds)
    within = min(seconds for seconds in deadlines if seconds is not None)
    try:
        body = envelopes.invocation(invocation, caller_app, time.time() + within)
    except NotJson as error:
        raise WampError(
            INVALID_ARGUMENT, [f"This procedure is served over JSON, and {error}."]
        ) from None
    try:
        answer = await _post(sender, app, url, elsewhere, body, within)
    except SendError as error:
        raise failure_of(error) from error
    return result_of(answer)


async def _post(
    sender: Sender, app: str, url: str, elsewhere: Callable[[], str], body: bytes, within: float
) -> Answer:
    message, end = new_id("msg"), time.monotonic() + within
    try:
        return await sender.post(app, url, body, message=message, attempt=1, within=within)
    except SendError as error:
        left = end - time.monotonic()
        if error.failure is not Failure.REFUSED or left <= 0:
            raise
    url = elsewhere()
    return await sender.post(app, url, body, message=message, attempt=2, within=left)
