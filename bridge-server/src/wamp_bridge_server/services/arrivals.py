"""What arrives from the network for the apps, and where it goes. The backends' `Listener`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from wamp_bridge_server.backends.base import WampError
from wamp_bridge_server.callbacks import envelopes
from wamp_bridge_server.callbacks.invocations import invoke
from wamp_bridge_server.callbacks.outbox import Delivery
from wamp_bridge_server.errors import NO_SUCH_PROCEDURE, UNAVAILABLE
from wamp_bridge_server.values import NotJson

if TYPE_CHECKING:
    from wamp_bridge_server.backends.base import Event, Invocation, Result
    from wamp_bridge_server.callbacks.outbox import Outbox
    from wamp_bridge_server.callbacks.sender import Sender
    from wamp_bridge_server.services.reconciler import Reconciler
    from wamp_bridge_server.services.table import Table

log = structlog.get_logger("wamp_bridge.arrivals")


class Arrivals:
    """Hands invocations and events to the endpoints that they are for."""

    def __init__(
        self, table: Table, reconciler: Reconciler, sender: Sender, outbox: Outbox
    ) -> None:
        self._table = table
        self._reconciler = reconciler
        self._sender = sender
        self._outbox = outbox
        self._apps_of_sessions: dict[int, str] = {}

    def joined(self, app: str) -> None:
        """An app's session has joined the router."""
        log.info("joined", app=app)
        self._reconciler.joined(app)

    def left(self, app: str, reason: str) -> None:
        """An app's session is gone."""
        log.warning("left", app=app, reason=reason)
        self._reconciler.left(app)

    async def invoked(self, app: str, invocation: Invocation) -> Result:
        """Have the app serve a call, at one of its URLs that can take it.

        Raises:
            WampError: What the app answered, or why there is no answer.
        """
        group = self._table.groups.get((app, "procedure", invocation.uri, invocation.match))
        endpoints = group.callees() if group is not None else []
        if not endpoints:
            raise WampError(NO_SUCH_PROCEDURE, ["Nobody serves this procedure at the moment."])
        callees = [endpoint for endpoint in endpoints if endpoint.has_room]
        if not callees:
            raise WampError(UNAVAILABLE, ["The app serves as many calls of this as it takes."])
        return await invoke(
            self._sender,
            invocation,
            app=app,
            callees=callees,
            caller_app=invocation.details.app,
        )

    def received(self, app: str, event: Event) -> None:
        """Have an event delivered to whom it is for."""
        group = self._table.groups.get((app, "topic", event.uri, event.match))
        if group is None:
            return  # taken back while the event was on its way
        try:
            body = envelopes.event(event)
        except NotJson as error:
            log.warning("event not delivered", app=app, topic=event.topic, reason=str(error))
            return
        for endpoint in group.recipients():
            self._outbox.put(endpoint, Delivery(body, about=f"event on {event.topic}"))
