"""How the bridge goes down: nothing new is taken, what is under way is finished, then it leaves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from wamp_bridge_server.callbacks.outbox import Outbox
    from wamp_bridge_server.http.admission import Admission
    from wamp_bridge_server.services.arrivals import Arrivals
    from wamp_bridge_server.services.asynchronous import AsynchronousCalls
    from wamp_bridge_server.services.calls import Calls
    from wamp_bridge_server.services.health import Health
    from wamp_bridge_server.services.reconciler import Reconciler
    from wamp_bridge_server.services.streams import Streams
    from wamp_bridge_server.services.table import Group

_ROUTER_SECONDS = 2.0
"""How long the router may take to be told, once what is under way has had its time."""

log = structlog.get_logger("wamp_bridge")


class Departure:
    """Takes leave of apps and the router.

    Apps of this bridge may call one another through it, so a procedure is given back when no app
    of the bridge waits for it.
    """

    def __init__(
        self,
        health: Health,
        admission: Admission,
        streams: Streams,
        arrivals: Arrivals,
        calls: Calls,
        asynchronous: AsynchronousCalls,
        reconciler: Reconciler,
        outbox: Outbox,
    ) -> None:
        self._health = health
        self._admission = admission
        self._streams = streams
        self._arrivals = arrivals
        self._calls = calls
        self._asynchronous = asynchronous
        self._reconciler = reconciler
        self._outbox = outbox

    async def take_leave(self, grace: float) -> None:
        """Take nothing more, and give what is under way so many seconds to end."""
        self._health.phase = "stopping"
        self._admission.close()
        self._streams.stop()  # who follows a topic goes on at the next bridge
        self._arrivals.stop(self._is_waited_for)
        self._outbox.stop()
        try:
            async with asyncio.timeout(grace):
                await self._finish(grace)
        except TimeoutError:
            log.warning("cut off what is under way", after_seconds=grace)
            self._admission.cut()
            await self._reconciler.leave(lambda _: False, _ROUTER_SECONDS)

    async def _finish(self, grace: float) -> None:
        await self._admission.idle()
        await self._reconciler.leave(self._is_needed, grace)
        await self._asynchronous.idle()
        await self._reconciler.leave(lambda _: False, grace)
        await self._arrivals.idle()
        await self._outbox.idle()

    def _is_waited_for(self, procedure: str) -> bool:
        return procedure in self._calls.under_way or procedure in self._asynchronous.under_way

    def _is_needed(self, group: Group) -> bool:
        """Whether an app of this bridge waits for an answer of it, or may do so."""
        if group.match == "exact":
            return self._is_waited_for(group.uri)
        return bool(self._calls.under_way or self._asynchronous.under_way)
