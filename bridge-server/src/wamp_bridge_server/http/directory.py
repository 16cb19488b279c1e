"""`/procedures/`, `/topics/` and the history of a topic: what the router tells of itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from wamp_bridge_server.callbacks.envelopes import disclosed
from wamp_bridge_server.errors import Unprocessable
from wamp_bridge_server.http.answers import answer
from wamp_bridge_server.http.paging import Paging, cursor_behind
from wamp_bridge_server.services.checks import checked_match, checked_uri
from wamp_bridge_server.services.recall import Span
from wamp_bridge_server.values import NotJson, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from wamp_bridge_server.backends.base import Event
    from wamp_bridge_server.http.asking import Asking
    from wamp_bridge_server.services.directory import Directory, Held
    from wamp_bridge_server.services.recall import Recall
    from wamp_bridge_server.store import Kind

_HISTORY = {"limit", "match", "since", "until"}


class DirectoryRequests:
    """Answers what apps ask of the router itself."""

    def __init__(self, directory: Directory, recall: Recall) -> None:
        self._directory = directory
        self._recall = recall

    async def procedures(self, ask: Asking) -> web.Response:
        """`GET /procedures/`."""
        return await self._list(ask, "procedure")

    async def topics(self, ask: Asking) -> web.Response:
        """`GET /topics/`."""
        return await self._list(ask, "topic")

    async def history(self, ask: Asking) -> web.Response:
        """`GET /topics/NAME/history/`."""
        query = ask.request.query
        if unknown := sorted(set(query) - _HISTORY):
            raise Unprocessable(
                f'"{unknown[0]}" is nothing to choose past events by; known are '
                f"{', '.join(sorted(_HISTORY))}."
            )
        uri = ask.name
        match = checked_match(uri, query.get("match"))
        span = Span(_moment(query, "since", -math.inf), _moment(query, "until", math.inf))
        limit = Paging.asked(query).limit
        events = await self._recall.events(ask.app, checked_uri(uri, match), match, span, limit)
        return answer({"events": [_past(*event) for event in events]})

    async def _list(self, ask: Asking, kind: Kind) -> web.Response:
        paging = Paging.asked(ask.request.query)
        held, last = await self._directory.page(ask.app, kind, paging.after_number, paging.limit)
        cursor = None if last is None else cursor_behind(str(last))
        return answer({f"{kind}s": [_described(kind, each) for each in held], "cursor": cursor})


def _described(kind: Kind, held: Held) -> dict[str, Any]:
    of_kind = (
        {"invoke": held.invoke, "callees": held.holders}
        if kind == "procedure"
        else {"subscribers": held.holders}
    )
    return {
        "id": held.id,
        "uri": held.uri,
        "match": held.match,
        **of_kind,
        "created_at": held.created_at,
    }


def _past(published: float, event: Event) -> dict[str, Any]:
    document = {
        "publication": event.publication,
        "topic": event.topic,
        "published_at": published,
        "details": disclosed("publisher", event.details),
    }
    try:
        return {**document, "args": to_json(event.args), "kwargs": to_json(event.kwargs)}
    except NotJson as reason:  # of one event, which takes no other with it
        return {**document, "args": [], "kwargs": {}, "unreadable": str(reason)}


def _moment(query: Mapping[str, str], name: str, default: float) -> float:
    if name not in query:
        return default
    try:
        seconds = float(query[name])
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise Unprocessable(f'"{name}" must be a Unix time in seconds.')
    return seconds
