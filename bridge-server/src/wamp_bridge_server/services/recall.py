"""The past events of a topic, for an app that asks: from a router that keeps history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from wamp_bridge_server.errors import NotFound
from wamp_bridge_server.services import meta
from wamp_bridge_server.services.history import GET_EVENTS, event_of
from wamp_bridge_server.services.meta import Gone

if TYPE_CHECKING:
    from wamp_bridge_server.backends.base import Backend, Event, Match, Session
    from wamp_bridge_server.services.apps import App

MOST = 1000
_GROWTH = 4
_MOST_PATTERNS = 8


class Span(NamedTuple):
    """Unix times in seconds: not before the first, before the second."""

    since: float
    until: float


class Recall:
    """Reads what the router keeps of a topic, in an app's session."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def events(
        self, app: App, uri: str, match: Match, span: Span, limit: int
    ) -> list[tuple[float, Event]]:
        """The newest events of a topic or pattern, newest first, each with its time.

        A topic whose history is kept under a pattern alone is found there.

        Raises:
            Forbidden: This app may not subscribe to it, or the router doesn't let it ask.
            NotFound: The router keeps no history of it.
            NotOffered: The router keeps no history at all.
            CallFailed: Any other error of the router.
            Unavailable: There is no router.
        """
        app.permissions.check("subscribe", uri, match)
        session = self._backend.session(app.name)
        number = await meta.ask(session, "wamp.subscription.lookup", uri, {"match": match})
        numbers = [number] if isinstance(number, int) else []
        if match == "exact":
            numbers += await self._patterns(session, uri)
        for number in dict.fromkeys(numbers):
            try:
                return await self._read(session, number, uri, match, span, limit)
            except Gone:
                continue
        raise NotFound(
            f'The router keeps no history of "{uri}"; it must be told to in its configuration.'
        )

    async def _patterns(self, session: Session, topic: str) -> list[int]:
        matching = await meta.ask(session, "wamp.subscription.match", topic)
        found = matching if isinstance(matching, list) else []
        return [number for number in found if isinstance(number, int)][:_MOST_PATTERNS]

    async def _read(
        self, session: Session, number: int, uri: str, match: Match, span: Span, limit: int
    ) -> list[tuple[float, Event]]:
        """Ask for more and more, until there are enough: Crossbar knows nothing but a number."""
        asked = limit
        while True:
            told = await meta.ask(session, GET_EVENTS, number, limit=asked)
            entries: list[Any] = told if isinstance(told, list) else []
            events: dict[int, tuple[float, Event]] = {}
            oldest = span.until
            for entry in entries:  # the newest first, one for each who got it
                published_event = event_of(entry, uri, match)
                if published_event is None:
                    continue
                published, event = published_event
                oldest = min(oldest, published)
                if match == "exact" and event.topic != uri:
                    continue
                if span.since <= published < span.until:
                    events.setdefault(event.publication, published_event)
            enough = len(events) >= limit or oldest < span.since
            if enough or len(entries) < asked or asked >= MOST:
                return [*events.values()][:limit]
            asked = min(asked * _GROWTH, MOST)
