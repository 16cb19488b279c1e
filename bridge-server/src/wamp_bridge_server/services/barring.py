"""Which of the endpoints that apps have they may still have, as their permissions are now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wamp_bridge_server.errors import Forbidden

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wamp_bridge_server.config import Action
    from wamp_bridge_server.services.apps import App
    from wamp_bridge_server.services.table import Endpoint, Table
    from wamp_bridge_server.store.records import EndpointRecord, Kind

ACTIONS: Mapping[Kind, Action] = {"procedure": "register", "topic": "subscribe"}


def bar(table: Table, app: App) -> list[Endpoint]:
    """Bar what an app may not have any more, and no more what it may; those that changed."""
    changed = []
    for kind in ACTIONS:
        for endpoint in table.of_app(app.name, kind):
            reason = _reason(app, endpoint.record)
            if reason != endpoint.barred:
                endpoint.barred = reason
                changed.append(endpoint)
    return changed


def _reason(app: App, record: EndpointRecord) -> str | None:
    try:
        app.permissions.check(ACTIONS[record.kind], record.uri, record.match)
    except Forbidden as error:
        return error.detail
    return None
