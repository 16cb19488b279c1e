"""How the bridge is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from wamp_bridge_server.backends.base import Backend
    from wamp_bridge_server.callbacks.outbox import Outbox
    from wamp_bridge_server.services.inbox import Inbox
    from wamp_bridge_server.services.sources import Sources
    from wamp_bridge_server.services.table import Table
    from wamp_bridge_server.store import Store


class Health:
    """Whether requests will be answered, and what the bridge holds."""

    def __init__(
        self,
        backend: Backend,
        table: Table,
        inbox: Inbox,
        outbox: Outbox,
        store: Store,
        sources: Sources,
    ) -> None:
        self._backend = backend
        self._table = table
        self._inbox = inbox
        self._outbox = outbox
        self._store = store
        self._sources = sources
        self.phase: Literal["starting", "serving", "stopping"] = "starting"

    def report(self) -> dict[str, Any]:
        """The report; `status` is `ready` when requests will be answered."""
        joined = self._backend.joined
        working = self._store.trouble is None
        stocks = self._outbox.stocks.values()
        return {
            "status": "ready" if joined and working and self.phase == "serving" else "not ready",
            "router": "joined" if joined else "away",
            "realms": {
                name: "joined" if there else "away" for name, there in self._backend.realms.items()
            },
            "store": "working" if working else "failing",
            "phase": self.phase,
            "endpoints": len(self._table.endpoints),
            "cut_off": self._sources.cut_off,
            "deliveries_waiting": self._inbox.waiting + self._outbox.waiting,
            "dead_letters": sum(stock.dead for stock in stocks),
            "events_refused": sum(stock.refused for stock in stocks),
        }
