"""Another configuration of the apps, taken while the bridge runs (protocol, section 6).

No request is dropped for it: what is under way ends by what was in force when it came. The
endpoints of an app that is named no more are kept, and withdrawn at the router until it is named
again; those that an app isn't allowed any more are refused until it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from wamp_bridge_server.services.barring import ACTIONS, bar
from wamp_bridge_server.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wamp_bridge_server.backends.base import Backend
    from wamp_bridge_server.callbacks.outbox import Outbox
    from wamp_bridge_server.config import AppConfig
    from wamp_bridge_server.services.apps import App, Apps
    from wamp_bridge_server.services.endpoints import Endpoints
    from wamp_bridge_server.services.reconciler import Reconciler
    from wamp_bridge_server.services.sources import Sources
    from wamp_bridge_server.services.table import Endpoint, Table

log = structlog.get_logger("wamp_bridge.apps")


class Reloading:
    """Makes all that runs go by another configuration."""

    def __init__(
        self,
        apps: Apps,
        table: Table,
        endpoints: Endpoints,
        sources: Sources,
        reconciler: Reconciler,
        backend: Backend,
        outbox: Outbox,
    ) -> None:
        self._apps = apps
        self._table = table
        self._endpoints = endpoints
        self._sources = sources
        self._reconciler = reconciler
        self._backend = backend
        self._outbox = outbox

    async def apply(self, before: Mapping[str, AppConfig], after: Mapping[str, AppConfig]) -> None:
        """Go by other apps from now on.

        Args:
            before: Those in force; the identities at the router are already those of `after`.
            after: Those to come.
        """
        changes = self._apps.configure(after)
        for app in changes.removed:  # before anything is awaited: nothing could be signed for it
            self._table.set_gone(app.name, gone=True)
        for app in changes.removed:
            await self._take_leave(app)
        for app in changes.changed:
            self._endpoints.changed(bar(self._table, app))
            if _place(before[app.name]) != _place(after[app.name]):
                await self._join_anew(app)
        for app in changes.added:
            self._return(app)
        await self._change_sources(before, after)
        if changes.added or changes.changed or changes.removed:
            log.info(
                "apps changed",
                added=_names(changes.added),
                changed=_names(changes.changed),
                removed=_names(changes.removed),
            )

    async def _take_leave(self, app: App) -> None:
        await self._sources.park(app.name)
        await self._leave_router(app)

    def _return(self, app: App) -> None:
        self._table.set_gone(app.name, gone=False)
        bar(self._table, app)
        self._endpoints.changed(self._endpoints_of(app))
        self._sources.unpark(app)
        self._outbox.resume_app(app.name)

    async def _join_anew(self, app: App) -> None:
        """Join with another identity, or another realm; what the app holds is away for a moment."""
        await self._leave_router(app)
        self._table.set_gone(app.name, gone=False)
        self._endpoints.changed(self._endpoints_of(app))

    async def _leave_router(self, app: App) -> None:
        self._table.set_gone(app.name, gone=True)
        endpoints = self._endpoints_of(app)
        self._endpoints.changed(endpoints)
        await self._endpoints.settle(endpoints)
        self._backend.release(app.name)
        self._reconciler.released(app.name)

    async def _change_sources(
        self, before: Mapping[str, AppConfig], after: Mapping[str, AppConfig]
    ) -> None:
        for name, config in after.items():
            app = self._apps.by_name[name]
            known = before[name].sources if name in before else ()
            try:
                for url in set(known) - set(config.sources):
                    await self._sources.withdraw(app, url)
                for url in config.sources:
                    if url not in known:
                        await self._sources.announce(app, url)
            except StoreError as error:
                log.error("sources can't be changed now", app=name, reason=str(error))  # noqa: TRY400 - no bug

    def _endpoints_of(self, app: App) -> list[Endpoint]:
        return [each for kind in ACTIONS for each in self._table.of_app(app.name, kind)]


def _place(config: AppConfig) -> tuple[object, ...]:
    """What takes another session."""
    return (config.realm, config.router_auth)


def _names(apps: Iterable[App]) -> list[str]:
    return [app.name for app in apps]
