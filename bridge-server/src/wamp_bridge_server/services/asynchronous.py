"""Asynchronous calls: kept before they are made, their outcomes read later and delivered.

A call is made after it is in the store, and once: one that was under way when a bridge ended is
never made again. It has ended when its outcome is in the store, together with what is to be
delivered of it; of two ends at the same time the store takes the first.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from wamp_bridge_server.backends.base import (
    CallOptions,
    Unavailable,
    Undeliverable,
    WampError,
)
from wamp_bridge_server.backends.values import check_arguments
from wamp_bridge_server.config import CallConfig
from wamp_bridge_server.errors import (
    INVALID_ARGUMENT,
    RUNTIME_ERROR,
    UNAVAILABLE,
    NotFound,
    Unprocessable,
)
from wamp_bridge_server.errors import Unavailable as UnavailableProblem
from wamp_bridge_server.services.outcomes import CANCELLED, Outcome, ending
from wamp_bridge_server.services.persistence import Persistence
from wamp_bridge_server.services.progress import POST_SECONDS, Reports
from wamp_bridge_server.store import CallRecord, StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from wamp_bridge_server.backends.base import Backend, CancelMode
    from wamp_bridge_server.callbacks.outbox import Outbox
    from wamp_bridge_server.callbacks.sender import Sender
    from wamp_bridge_server.services.apps import App, Apps
    from wamp_bridge_server.services.inbox import Inbox
    from wamp_bridge_server.services.steps import StepRoom
    from wamp_bridge_server.store import Store
    from wamp_bridge_server.store.idempotency import Settlement

DEFAULT_SECONDS = 3600.0
CANCEL_SECONDS = 5.0
"""How long one who cancels a call waits for its end to be kept."""

_CUT = WampError(
    UNAVAILABLE, ["The bridge ended while the call was under way: it may have been made, or not."]
)

log = structlog.get_logger("wamp_bridge.calls")


@dataclass(frozen=True, slots=True)
class Request:
    """What is called, and how long that may take, in seconds."""

    procedure: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    timeout: float
    callback: str | None = None
    cancel: CancelMode = "killnowait"
    progress: bool = False


@dataclass(slots=True, eq=False)
class _Running:
    """A call that this process makes."""

    record: CallRecord
    options: CallOptions
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    refused: StoreError | None = field(default_factory=lambda: StoreError("the bridge ends"))
    task: asyncio.Task[None] | None = None
    reports: Reports | None = None
    cancelled: bool = False
    ended: bool = False


class AsynchronousCalls:
    """Makes calls for apps that don't wait for them."""

    def __init__(
        self,
        backend: Backend,
        store: Store,
        inbox: Inbox,
        outbox: Outbox,
        apps: Apps,
        sender: Sender,
        room: StepRoom,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._backend = backend
        self._room = store.calls
        self._inbox = inbox
        self._outbox = outbox
        self._apps = apps
        self._sender = sender
        self._steps = room
        self._clock = clock
        self._persistence = Persistence()
        self._running: dict[str, _Running] = {}
        self._number: Counter[str] = Counter()

    async def start(self) -> None:
        """End the calls that were under way when an earlier bridge ended. Raises `StoreError`."""
        cut = await self._room.pending()
        if cut:
            log.warning("calls were under way when the bridge ended last", calls=len(cut))
        writes = [self._ending(call, _CUT) for call in cut]
        await asyncio.gather(*(self._persistence.write_soon(write) for write in writes))

    async def begin(
        self,
        app: App,
        identifier: str,
        request: Request,
        settlement: Settlement | None = None,
    ) -> None:
        """Begin a call; it is in the store on return.

        Args:
            app: Who calls.
            identifier: The call's, new.
            request: The call.
            settlement: Kept with the call, in place of what asked for it.

        Raises:
            Forbidden: Not allowed to this app.
            Unprocessable: A value that WAMP can't carry.
            Unavailable: The app has as many calls under way, or deliveries waiting, as it may.
            StoreError: It can't be kept, and so isn't made.
        """
        app.permissions.check("call", request.procedure)
        try:
            check_arguments(request.args, request.kwargs)
        except Undeliverable as error:
            raise Unprocessable(f"The call can't be carried by WAMP: {error}.") from error
        most = app.config.calls.running
        if self._number[app.name] >= most:
            raise UnavailableProblem(f"This app has {most} asynchronous calls under way already.")
        if request.callback is not None and not self._inbox.has_room(app.name):
            raise UnavailableProblem("As many deliveries wait for this app as may.")
        record = CallRecord(
            id=identifier,
            app=app.name,
            procedure=request.procedure,
            callback=request.callback,
            created_at=self._clock(),
        )
        # A task makes it from the beginning, so that nobody who goes away can cut it in two.
        running = _Running(record, CallOptions(cancel=request.cancel))
        self._running[identifier] = running
        self._number[app.name] += 1
        running.task = asyncio.create_task(
            self._make(running, request, settlement), name=f"call {identifier}"
        )
        await running.begun.wait()
        if running.refused is not None:
            raise running.refused

    async def get(self, app: App, identifier: str) -> CallRecord:
        """A call of this app.

        Raises:
            NotFound: There is none, or it is another's, or forgotten.
            StoreError: The store can't be read.
        """
        call = await self._room.get(app.name, identifier)
        if call is None:
            raise NotFound(f'This app has no call "{identifier}".')
        return call

    async def cancel(self, app: App, identifier: str, mode: CancelMode | None = None) -> CallRecord:
        """Cancel a call; one that has ended stays as it is.

        Args:
            app: Who made it.
            identifier: The call's.
            mode: How; as the call itself said, if left out. With `kill` it goes on until the callee
                has answered, and another mode may end it before.

        Raises:
            NotFound: As for `get`.
            StoreError: The store can't be read.
        """
        call = await self.get(app, identifier)
        running = self._running.get(identifier)
        if running is None or running.task is None:
            return call
        await running.begun.wait()
        if mode is not None and not running.cancelled:
            running.options.cancel = mode
        if not running.ended and (not running.cancelled or mode not in {None, "kill"}):
            running.cancelled = True
            running.task.cancel()
        await asyncio.wait([running.task], timeout=CANCEL_SECONDS)
        return await self.get(app, identifier)

    @property
    def under_way(self) -> set[str]:
        """The procedures that are being called."""
        return {running.record.procedure for running in self._running.values()}

    async def idle(self) -> None:
        """Wait until none is under way."""
        while tasks := [r.task for r in self._running.values() if r.task is not None]:
            await asyncio.wait(tasks)

    async def close(self) -> None:
        """Cut what is under way. The store has it as such, and the next bridge ends it."""
        for running in self._running.values():
            if running.task is not None and not running.ended:
                running.task.cancel()
            elif running.reports is not None:
                running.reports.cut()  # its outcome is to be kept, and can't wait for them
        await self._persistence.close()
        left = [r.task for r in self._running.values() if r.task is not None]
        await asyncio.gather(*left, return_exceptions=True)

    async def _make(
        self, running: _Running, request: Request, settlement: Settlement | None
    ) -> None:
        record = running.record
        try:
            await self._room.begin(record, settlement)
            running.refused = None
            running.begun.set()
            reports = running.reports = self._reports(running, request)
            try:
                outcome = await self._outcome(running, request)
                running.ended = True  # no cancel comes in from here on
            except asyncio.CancelledError:
                await _closed(reports, 0.0)
                raise
            await _closed(reports)
            await self._persistence.write(self._ending(record, outcome))
        except StoreError as error:
            running.refused = error
        finally:
            running.begun.set()
            del self._running[record.id]
            self._number[record.app] -= 1

    def _reports(self, running: _Running, request: Request) -> Reports | None:
        """What posts the progress of a call, where that is asked for."""
        if request.callback is None or not request.progress:
            return None
        reports = Reports(self._sender, self._steps, running.record, request.callback)
        running.options.progress = reports.take
        return reports

    async def _outcome(self, running: _Running, request: Request) -> Outcome:
        session = self._backend.session(running.record.app)
        try:
            return await session.call(
                request.procedure,
                request.args,
                request.kwargs,
                timeout=request.timeout,
                options=running.options,
            )
        except WampError as error:
            return error
        except Unavailable as error:
            return WampError(UNAVAILABLE, [f"The call could not be made: {error}."])
        except Undeliverable as error:
            return WampError(INVALID_ARGUMENT, [f"WAMP can't carry the call: {error}."])
        except asyncio.CancelledError:
            if not running.cancelled:
                raise  # the bridge is going down
            return CANCELLED
        except Exception:  # whatever it is, the call has been taken and must end
            log.exception("call failed", call=running.record.id, app=running.record.app)
            return WampError(RUNTIME_ERROR, ["The bridge failed to do this; its log says why."])

    def _ending(self, call: CallRecord, outcome: Outcome) -> Callable[[], Awaitable[None]]:
        """What writes the end of a call."""
        app = self._apps.by_name.get(call.app)
        keep = (app.config.calls if app is not None else CallConfig()).keep
        end = ending(call, outcome, self._clock(), keep)
        again = False  # once it was tried, it may be written, whatever the store said

        async def write() -> None:
            nonlocal again
            before, again = again, True
            ended = await self._room.end(end)
            if ended.delivery is not None:
                self._outbox.kept([ended.delivery], again=before)

        return write


async def _closed(reports: Reports | None, within: float | None = None) -> None:
    if reports is not None:
        await reports.close(POST_SECONDS if within is None else within)
