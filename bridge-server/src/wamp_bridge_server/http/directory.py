"""`/procedures/`, `/topics/` and the history of a topic: what the router tells of itself."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from wamp_bridge_server.callbacks.envelopes import disclosed
from wamp_bridge_server.errors import Unprocessable
from wamp_bridge_server.http import documents
from wamp_bridge_server.http.hanging_up import while_connected
from wamp_bridge_server.http.paging import PAGE, Paging, cursor_behind
from wamp_bridge_server.http.routes import MATCH, TOPICS, Answer, Parameter, Route
from wamp_bridge_server.services.checks import checked_match, checked_uri
from wamp_bridge_server.services.recall import Span
from wamp_bridge_server.values import NotJson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from wamp_bridge_server.backends.base import Event
    from wamp_bridge_server.http.asking import Asking
    from wamp_bridge_server.http.forms import Form
    from wamp_bridge_server.services.directory import Directory, Held
    from wamp_bridge_server.services.recall import Recall
    from wamp_bridge_server.store import Kind

_SPAN = (
    PAGE[0],
    MATCH,
    Parameter("since", float, "Events of then or later, Unix seconds.", 1700000000),
    Parameter("until", float, "Events before then, Unix seconds.", 1700086400),
)
_HISTORY = {parameter.name for parameter in _SPAN}
_HELD = {"id": 5120713, "uri": "com.shop.price", "match": "exact", "created_at": 1700000000.0}
_PAST = {
    "publication": 3921750485123,
    "topic": "com.shop.sold",
    "published_at": 1700000000.0,
    "details": {"publisher": 7240501394},
    "args": ["book"],
    "kwargs": {},
}
_ERRORS = (
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.NOT_IMPLEMENTED,
    HTTPStatus.GATEWAY_TIMEOUT,
)
"""Beside what the router may say of itself, those of a router that has not what is asked."""


class DirectoryRequests:
    """Answers what apps ask of the router itself."""

    def __init__(self, directory: Directory, recall: Recall) -> None:
        self._directory = directory
        self._recall = recall

    def routes(self) -> list[Route]:
        """The requests that are answered here."""
        procedure = {**_HELD, "invoke": "single", "callees": 1}
        topic = {**_HELD, "uri": "com.shop.sold", "subscribers": 2}
        return [
            Route(
                name="list_procedures",
                method="GET",
                path="/procedures/",
                handler=self.procedures,
                summary="List the procedures at the router",
                description="Those that the app may call, whoever serves them.",
                parameters=PAGE,
                answers=(
                    Answer(
                        "A page of them.",
                        documents.ProcedurePage,
                        {"procedures": [procedure], "cursor": None},
                    ),
                ),
                errors=_ERRORS,
            ),
            Route(
                name="list_topics",
                method="GET",
                path="/topics/",
                handler=self.topics,
                summary="List the topics at the router that have subscribers",
                description="Those that the app may subscribe to.",
                parameters=PAGE,
                answers=(
                    Answer(
                        "A page of them.", documents.TopicPage, {"topics": [topic], "cursor": None}
                    ),
                ),
                errors=_ERRORS,
            ),
            Route(
                name="read_history",
                method="GET",
                path="/topics/{topic}/history/",
                handler=self.history,
                summary="Read past events of a topic",
                description="The newest first, as far as the router keeps them.",
                parameters=(TOPICS, *_SPAN),
                answers=(Answer("Past events.", documents.History, {"events": [_PAST]}),),
                errors=_ERRORS,
            ),
        ]

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
        uri = checked_uri(uri, match)
        async with while_connected(ask.request):
            events = await self._recall.events(ask.app, uri, match, span, limit)
        return ask.answer({"events": [_past(ask.accepts, *event) for event in events]})

    async def _list(self, ask: Asking, kind: Kind) -> web.Response:
        paging = Paging.asked(ask.request.query)
        after = paging.after_number
        async with while_connected(ask.request):  # which may be thousands of questions
            held, last = await self._directory.page(ask.app, kind, after, paging.limit)
        cursor = None if last is None else cursor_behind(str(last))
        return ask.answer({f"{kind}s": [_described(kind, each) for each in held], "cursor": cursor})


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


def _past(form: Form, published: float, event: Event) -> dict[str, Any]:
    document = {
        "publication": event.publication,
        "topic": event.topic,
        "published_at": published,
        "details": disclosed("publisher", event.details),
    }
    try:
        args, kwargs = form.writable(event.args), form.writable(event.kwargs)
    except NotJson as reason:  # of one event, which takes no other with it
        return {**document, "args": [], "kwargs": {}, "unreadable": str(reason)}
    return {**document, "args": args, "kwargs": kwargs}


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
