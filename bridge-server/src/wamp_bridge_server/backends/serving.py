"""What a listener makes of an invocation, as something that can be sent to the caller."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import structlog

from wamp_bridge_server.backends.base import Result, Undeliverable, WampError
from wamp_bridge_server.backends.values import check_arguments, check_uri
from wamp_bridge_server.errors import RUNTIME_ERROR

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wamp_bridge_server.backends.base import Invocation

log = structlog.get_logger("wamp_bridge.router")


async def outcome_of(
    serve: Callable[[Invocation], Awaitable[Result]], invocation: Invocation
) -> Result | WampError:
    """Have an invocation served. The caller gets an answer in any case, save when cancelled.

    What can't be carried to the caller becomes an error that says so.
    """
    outcome: Result | WampError
    give = invocation.progress
    if give is not None:
        invocation = replace(invocation, progress=partial(_checked, give))
    try:
        outcome = await serve(invocation)
    except WampError as error:
        outcome = error
    except Undeliverable as error:  # a progressive result
        return undeliverable(error)
    except Exception:  # whatever is wrong here, the caller must not wait for nothing
        log.exception("invocation failed", procedure=invocation.procedure)
        return WampError(RUNTIME_ERROR, ["The bridge failed to serve the call."])
    try:
        if isinstance(outcome, WampError):
            check_uri(outcome.uri)
            check_arguments(outcome.wamp_args, outcome.wamp_kwargs)
        else:
            check_arguments(outcome.args, outcome.kwargs)
    except Undeliverable as error:
        return undeliverable(error)
    return outcome


async def _checked(give: Callable[[Result], Awaitable[None]], step: Result) -> None:
    check_arguments(step.args, step.kwargs)
    await give(step)


def undeliverable(error: Undeliverable) -> WampError:
    """What a caller is told in place of an answer that can't be carried to it."""
    return WampError(RUNTIME_ERROR, [f"The answer can't be delivered: {error}."])
