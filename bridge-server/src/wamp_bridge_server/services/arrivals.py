"""What arrives from the network for the apps, and where it goes. The backends' `Listener`."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

import structlog

from wamp_bridge_server.backends.base import WampError
from wamp_bridge_server.callbacks import envelopes
from wamp_bridge_server.callbacks.invocations import invoke
from wamp_bridge_server.errors import NO_SUCH_PROCEDURE, UNAVAILABLE
from wamp_bridge_server.identifiers import new_id
from wamp_bridge_server.services.history import MOST_HELD_BACK, History
from wamp_bridge_server.store import Arrival, DeliveryRecord, EventRecord
from wamp_bridge_server.values import NotJson

if TYPE_CHECKING:
    from collections.abc import Callable

    from wamp_bridge_server.backends.base import Event, Invocation, Result
    from wamp_bridge_server.callbacks.sender import Sender
    from wamp_bridge_server.config import DeliveryConfig
    from wamp_bridge_server.services.inbox import Inbox
    from wamp_bridge_server.services.reconciler import Reconciler
    from wamp_bridge_server.services.table import Group, Table
    from wamp_bridge_server.store import Store

log = structlog.get_logger("wamp_bridge.arrivals")


class Arrivals:
    """Hands invocations and events to the endpoints that they are for."""

    def __init__(
        self,
        table: Table,
        reconciler: Reconciler,
        sender: Sender,
        inbox: Inbox,
        limit: int,
        store: Store,
        policy_of: Callable[[str], DeliveryConfig],
    ) -> None:
        """Told, after the inbox, how many invocations are served at once."""
        self._table = table
        self._reconciler = reconciler
        self._sender = sender
        self._inbox = inbox
        self._limit = limit
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._ours: Callable[[str], bool] | None = None
        self._history = reconciler.history = History(store, policy_of, self._take, inbox.calm)

    async def start(self) -> None:
        """Learn what the store knows of absences, before any session joins. Raises `StoreError`."""
        await self._history.start()

    async def close(self) -> None:
        """Fill no more gaps."""
        await self._history.close()

    def joined(self, app: str) -> None:
        """An app's session has joined the router."""
        log.info("joined", app=app)
        self._history.joined(app)
        self._reconciler.joined(app)

    def left(self, app: str, reason: str) -> None:
        """An app's session is gone."""
        log.warning("left", app=app, reason=reason)
        self._history.left(app)
        self._reconciler.left(app)

    async def invoked(self, app: str, invocation: Invocation) -> Result:
        """Have the app serve a call, at one of its URLs that can take it.

        Raises:
            WampError: What the app answered, or why there is no answer.
        """
        group = self._table.groups.get((app, "procedure", invocation.uri, invocation.match))
        callees = group.callees() if group is not None else []
        if not callees:
            raise WampError(NO_SUCH_PROCEDURE, ["Nobody serves this procedure at the moment."])
        if self._ours is not None and not self._is_ours(invocation, self._ours):
            raise WampError(UNAVAILABLE, ["The bridge is going down."])
        if self._busy >= self._limit:
            raise WampError(UNAVAILABLE, ["The bridge has as many calls to serve as it takes."])
        callees = [endpoint for endpoint in callees if endpoint.has_room]
        if not callees:
            raise WampError(UNAVAILABLE, ["The app serves as many calls of this as it takes."])
        self._busy += 1
        self._idle.clear()
        try:
            return await invoke(
                self._sender,
                invocation,
                app=app,
                callees=callees,
                caller_app=invocation.details.app,
            )
        finally:
            self._busy -= 1
            if not self._busy:
                self._idle.set()

    def stop(self, ours: Callable[[str], bool]) -> None:
        """Serve no new calls but those that apps of this bridge are making.

        Args:
            ours: Whether an app of this bridge waits for an answer of a procedure.
        """
        self._ours = ours

    async def idle(self) -> None:
        """Wait until no call is being served."""
        await self._idle.wait()

    @staticmethod
    def _is_ours(invocation: Invocation, ours: Callable[[str], bool]) -> bool:
        """Whether an app of this bridge calls; routers may well not disclose who it is."""
        caller = invocation.details
        stranger = caller.session is not None and caller.app is None
        return not stranger and ours(invocation.procedure)

    def received(self, app: str, event: Event) -> None:
        """Have an event kept for whom it is for, and then delivered."""
        group = self._table.groups.get((app, "topic", event.uri, event.match))
        if group is not None and group.held_back is not None:
            group.held_back.append(event)
            if len(group.held_back) > MOST_HELD_BACK:
                self._history.let_go(group)
            return
        self._take(app, event, None)

    def _take(self, app: str, event: Event, published: float | None) -> None:
        """Have an event kept, for those that were there when it was published, where that is told.

        It is when it comes from the history of the router.
        """
        group = self._table.groups.get((app, "topic", event.uri, event.match))
        if group is None:
            return  # taken back while the event was on its way
        try:
            self._keep(group, event, math.inf if published is None else published)
        except NotJson as error:
            log.warning("event not delivered", app=app, topic=event.topic, reason=str(error))

    def _keep(self, group: Group, event: Event, published: float) -> None:
        """Have an event kept for the endpoints and the log of a group. Raises `NotJson`."""
        app, now = group.app, time.time()
        recipients = [e for e in group.recipients() if e.record.created_at <= published]
        if event.retained:  # for those alone who have asked for it
            recipients = group.with_retained("asked")
            for endpoint in recipients:
                endpoint.retained = None
        elif group.log is not None and group.log.created_at <= published:
            self._inbox.put(
                EventRecord(
                    log=group.log.id,
                    app=app,
                    topic=event.topic,
                    publication=event.publication,
                    body=envelopes.streamed(event),
                    created_at=now,
                )
            )
        body = envelopes.event(event) if recipients else b""
        for endpoint in recipients:
            delivery = DeliveryRecord(
                id=new_id("msg"),
                app=app,
                lane=endpoint.lane,
                type="event",
                uri=event.uri,
                match=event.match,
                body=body,
                created_at=now,
                due_at=now,
            )
            self._inbox.put(Arrival(delivery, endpoint.subscription, event.publication))
