"""Which of the endpoints that apps have they may still have, as the configuration is now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wamp_bridge_server.errors import Forbidden

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wamp_bridge_server.backends.base import Match
    from wamp_bridge_server.config import Action
    from wamp_bridge_server.services.apps import App
    from wamp_bridge_server.services.table import Endpoint, Table
    from wamp_bridge_server.store.records import Kind

ACTIONS: Mapping[Kind, Action] = {"procedure": "register", "topic": "subscribe"}


def bar(table: Table, app: App) -> list[Endpoint]:
    """Bar what an app may not have any more, and no more what it may; those that changed."""
    changed = []
    for kind in ACTIONS:
        for endpoint in table.of_app(app.name, kind):
            record = endpoint.record
            reason = barred(app, kind, record.uri, record.match, record.url)
            if reason != endpoint.barred:
                endpoint.barred = reason
                changed.append(endpoint)
    return changed


def barred(app: App, kind: Kind, uri: str, match: Match, url: str) -> str | None:
    """Why an app may not have an endpoint with this callback URL, None where it may."""
    try:
        app.permissions.check(ACTIONS[kind], uri, match)
    except Forbidden as error:
        return error.detail
    problem = app.destinations.refusal(url)
    return f"The callback URL {problem}." if problem is not None else None
