"""The progress of asynchronous calls, on its way to their callback URLs (protocol, section 3).

It is worth something while the call goes on and is kept in memory alone: posted once, in order, one
step at a time. Of what can't be posted, or waits when the app doesn't keep up, nothing is sent; the
sequence tells. The outcome waits for the last step, and no longer than that takes.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Final

import structlog

from wamp_bridge_server.callbacks import envelopes
from wamp_bridge_server.callbacks.sender import SendError
from wamp_bridge_server.identifiers import new_id
from wamp_bridge_server.services.steps import Steps
from wamp_bridge_server.values import NotJson

if TYPE_CHECKING:
    from wamp_bridge_server.backends.base import Result
    from wamp_bridge_server.callbacks.sender import Sender
    from wamp_bridge_server.services.steps import StepRoom
    from wamp_bridge_server.store import CallRecord

POST_SECONDS: Final = 15.0
"""For one step, and for all that are left when the call has ended."""

log = structlog.get_logger("wamp_bridge.calls")


class Reports:
    """Posts the progress of one call; `take` is what the backend tells of it."""

    def __init__(self, sender: Sender, room: StepRoom, call: CallRecord, callback: str) -> None:
        self._sender = sender
        self._call = call
        self._callback = callback
        self._numbers = count()
        self._steps = Steps(room)
        self._task = asyncio.create_task(self._post_all(), name=f"progress of {call.id}")

    def take(self, step: Result) -> None:
        """Have a step posted, unless too much waits already."""
        call = self._call
        number = next(self._numbers)
        try:
            body = envelopes.progress(call.id, call.procedure, self._callback, number, step)
        except NotJson as error:
            log.warning("progress not delivered", call=call.id, reason=str(error))
            return
        self._steps.offer(body)

    async def close(self, within: float) -> None:
        """Wait until all that waits was posted; what is left after so many seconds is dropped."""
        self._steps.end()
        try:
            await asyncio.wait([self._task], timeout=within)
        finally:
            self._task.cancel()
            await asyncio.wait([self._task])

    def cut(self) -> None:
        """Post no more; who waits for that to end goes on."""
        self._task.cancel()

    async def _post_all(self) -> None:
        with self._steps as steps:
            while (body := await steps.take_one()) is not None:
                if not await self._post(body):
                    steps.drop()  # it has trouble enough with what is new

    async def _post(self, body: bytes) -> bool:
        try:
            answer = await self._sender.post(
                self._call.app,
                self._callback,
                body,
                message=new_id("msg"),
                attempt=1,
                within=POST_SECONDS,
            )
        except SendError as error:
            log.info("progress not delivered", call=self._call.id, reason=str(error))
            return False
        return answer.accepted
