"""Calls that apps make: answered in the response, or later at a callback URL.

Asynchronous calls and their outcomes are kept in memory, for as long as the process lives and at
most an hour.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import structlog

from wamp_bridge_server.backends.base import Result, Unavailable, Undeliverable, WampError
from wamp_bridge_server.callbacks import envelopes
from wamp_bridge_server.errors import (
    CANCELED,
    INVALID_ARGUMENT,
    RUNTIME_ERROR,
    UNAVAILABLE,
    CallFailed,
    NotFound,
    Unprocessable,
    status_of,
)
from wamp_bridge_server.errors import Unavailable as UnavailableProblem
from wamp_bridge_server.identifiers import new_id
from wamp_bridge_server.store import Arrival, DeliveryRecord
from wamp_bridge_server.values import NotJson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wamp_bridge_server.backends.base import Backend
    from wamp_bridge_server.services.apps import App
    from wamp_bridge_server.services.inbox import Inbox

DEFAULT_SECONDS = 30.0
DEFAULT_ASYNCHRONOUS_SECONDS = 3600.0
KEPT_SECONDS = 3600.0
KEPT_CALLS = 100_000
RUNNING_CALLS_AN_APP = 1_000

CONFLICT = 409

log = structlog.get_logger("wamp_bridge.calls")


@dataclass(slots=True, eq=False)
class PendingCall:
    """An asynchronous call and, when it has ended, its outcome."""

    app: str
    procedure: str
    callback: str | None
    id: str = field(default_factory=lambda: new_id("call"))
    outcome: Result | WampError | None = None
    cancelled: bool = False
    ended_at: float | None = None
    task: asyncio.Task[None] | None = None

    @property
    def status(self) -> Literal["pending", "succeeded", "failed", "cancelled"]:
        """Where it stands."""
        if self.outcome is None:
            return "pending"
        if self.cancelled:
            return "cancelled"
        return "failed" if isinstance(self.outcome, WampError) else "succeeded"


class Calls:
    """Makes calls for apps, each in its app's own session."""

    def __init__(self, backend: Backend, inbox: Inbox) -> None:
        self._backend = backend
        self._inbox = inbox
        self._calls: dict[str, PendingCall] = {}
        self._ended: deque[PendingCall] = deque()
        self._running: dict[str, int] = {}

    async def call(
        self,
        app: App,
        procedure: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        timeout: float,
    ) -> Result:
        """Call and wait for the result at most `timeout` seconds.

        Raises:
            Forbidden: Not allowed to this app.
            Unprocessable: A value that WAMP can't carry.
            CallFailed: What the router or the callee answered.
            Unavailable: There is no router, or it was lost meanwhile.
        """
        app.permissions.check("call", procedure)
        session = self._backend.session(app.name)
        try:
            return await session.call(procedure, args, kwargs, timeout=timeout)
        except WampError as error:
            raise CallFailed(error.uri, error.wamp_args, error.wamp_kwargs) from error
        except Unavailable as error:
            raise UnavailableProblem(f"The call could not be made: {error}.") from error
        except Undeliverable as error:
            raise Unprocessable(f"The call can't be carried by WAMP: {error}.") from error

    def start(
        self,
        app: App,
        procedure: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        timeout: float,
        callback: str | None,
    ) -> PendingCall:
        """Begin a call whose outcome is read later, and delivered to the callback URL if given.

        Raises:
            Forbidden: Not allowed to this app.
            Unavailable: The app has as many calls under way as it may.
        """
        app.permissions.check("call", procedure)
        if self._running.get(app.name, 0) >= RUNNING_CALLS_AN_APP:
            raise UnavailableProblem(
                f"This app has {RUNNING_CALLS_AN_APP} asynchronous calls under way already."
            )
        call = PendingCall(app.name, procedure, callback)
        self._calls[call.id] = call
        self._running[app.name] = self._running.get(app.name, 0) + 1
        work = self._run(app, call, args, kwargs, timeout)
        call.task = asyncio.create_task(work, name=f"call {call.id}")
        self._forget_old()
        return call

    def get(self, app: App, identifier: str) -> PendingCall:
        """An asynchronous call of this app. Raises `NotFound`, also where it is another's."""
        self._forget_old()
        call = self._calls.get(identifier)
        if call is None or call.app != app.name:
            raise NotFound(f'This app has no call "{identifier}".')
        return call

    async def cancel(self, app: App, identifier: str) -> None:
        """Cancel an asynchronous call; one that has ended stays as it is. Raises `NotFound`."""
        call = self.get(app, identifier)
        if call.outcome is None and call.task is not None:
            call.cancelled = True
            call.task.cancel()
            await asyncio.wait([call.task])

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = [c.task for c in self._calls.values() if c.task is not None and not c.task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(
        self,
        app: App,
        call: PendingCall,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        timeout: float,
    ) -> None:
        session = self._backend.session(app.name)
        outcome: Result | WampError
        try:
            outcome = await session.call(call.procedure, args, kwargs, timeout=timeout)
        except WampError as error:
            outcome = error
        except Unavailable as error:
            outcome = WampError(UNAVAILABLE, [f"The call could not be made: {error}."])
        except Undeliverable as error:
            outcome = WampError(INVALID_ARGUMENT, [f"WAMP can't carry the call: {error}."])
        except asyncio.CancelledError:
            if not call.cancelled:
                raise  # the bridge is going down
            outcome = WampError(CANCELED, ["The call was cancelled by its caller."])
        finally:
            self._running[app.name] -= 1
        self._end(call, outcome)

    def _end(self, call: PendingCall, outcome: Result | WampError) -> None:
        call.ended_at = time.monotonic()
        try:
            body = _envelope(call, outcome)
        except NotJson as error:
            outcome = WampError(RUNTIME_ERROR, [f"What the callee answered is no JSON: {error}."])
            body = _envelope(call, outcome)
        call.outcome = outcome
        self._ended.append(call)
        if call.callback is not None:
            now = time.time()
            delivery = DeliveryRecord(
                id=new_id("msg"),
                app=call.app,
                lane=call.callback,
                type="error" if isinstance(outcome, WampError) else "result",
                uri=call.procedure,
                body=body,
                created_at=now,
                due_at=now,
            )
            self._inbox.put(Arrival(delivery))

    def _forget_old(self) -> None:
        """Let go of what ended long ago, and of the oldest where there are too many."""
        limit = time.monotonic() - KEPT_SECONDS
        while self._ended and (
            len(self._ended) > KEPT_CALLS or (self._ended[0].ended_at or 0) < limit
        ):
            del self._calls[self._ended.popleft().id]


def status_of_outcome(call: PendingCall, outcome: WampError) -> int:
    """The HTTP status for the error in which a call ended (protocol, section 2)."""
    return CONFLICT if call.cancelled else status_of(outcome.uri)


def _envelope(call: PendingCall, outcome: Result | WampError) -> bytes:
    if isinstance(outcome, Result):
        return envelopes.result(call.id, call.procedure, call.callback, outcome)
    status = status_of_outcome(call, outcome)
    return envelopes.error(call.id, call.procedure, call.callback, status, outcome)
