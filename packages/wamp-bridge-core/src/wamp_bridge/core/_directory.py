"""What there is at the router, as an app asks for it (protocol, section 1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from wamp_bridge.core._errors import ServerError
from wamp_bridge.core._operations import all_pages, ask, listed
from wamp_bridge.core._requests import json_of
from wamp_bridge.core._uris import check_uri, escape_segment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wamp_bridge.core._requests import Answer, Exchange
    from wamp_bridge.core._settings import Settings
    from wamp_bridge.core._uris import Match


@dataclass(frozen=True, slots=True)
class Procedure:
    """A registration at the router, whoever made it.

    Attributes:
        id: The router's.
        uri: The procedure, or the pattern.
        match: How `uri` matches.
        invoke: How one of several callees is chosen; None where the router doesn't say.
        callees: How many sessions serve it; None where the router doesn't say.
        created_at: Unix time at which it was made; None where the router doesn't say.
    """

    id: int
    uri: str
    match: str
    invoke: str | None = None
    callees: int | None = None
    created_at: float | None = None


@dataclass(frozen=True, slots=True)
class Topic:
    """A subscription at the router, whoever made it.

    Attributes:
        id: The router's.
        uri: The topic, or the pattern.
        match: How `uri` matches.
        subscribers: How many sessions have it; None where the router doesn't say.
        created_at: Unix time at which it was made; None where the router doesn't say.
    """

    id: int
    uri: str
    match: str
    subscribers: int | None = None
    created_at: float | None = None


@dataclass(frozen=True, slots=True)
class PastEvent:
    """An event that the router has kept.

    Attributes:
        publication: WAMP's id of the publication.
        topic: As it was published to.
        published_at: Unix time.
        args: Positional arguments.
        kwargs: Keyword arguments.
        publisher: The publisher's WAMP session, where the router discloses it.
        publisher_authid: Who the publisher is, where disclosed.
        publisher_authrole: The publisher's role, where disclosed.
    """

    publication: int
    topic: str
    published_at: float
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    publisher: int | None = None
    publisher_authid: str | None = None
    publisher_authrole: str | None = None


def procedures(settings: Settings) -> Exchange[list[Procedure]]:
    """All procedures that the router tells this app of."""
    return all_pages(settings, "procedures", _procedure)


def topics(settings: Settings) -> Exchange[list[Topic]]:
    """All topics with subscribers that the router tells this app of."""
    return all_pages(settings, "topics", _topic)


def history(
    settings: Settings,
    topic: str,
    *,
    limit: int | None,
    since: float | None,
    until: float | None,
    match: Match | None,
) -> Exchange[list[PastEvent]]:
    """The past events of a topic, the newest first."""
    uri = settings.resolve(topic)
    check_uri(uri, match or "exact")
    chosen = {"limit": limit, "since": since, "until": until, "match": match}
    query = urlencode({name: value for name, value in chosen.items() if value is not None})
    path = f"topics/{escape_segment(uri)}/history/"

    def read(answer: Answer) -> list[PastEvent]:
        return [_past(item) for item in listed(json_of(answer), "events")]

    return ask("GET", f"{path}?{query}" if query else path, None, settings.timeout, read)


def _procedure(item: Any) -> Procedure:
    held = _object(item)
    return Procedure(
        id=int(held.get("id") or 0),
        uri=str(held.get("uri")),
        match=str(held.get("match")),
        invoke=held.get("invoke"),
        callees=held.get("callees"),
        created_at=held.get("created_at"),
    )


def _topic(item: Any) -> Topic:
    held = _object(item)
    return Topic(
        id=int(held.get("id") or 0),
        uri=str(held.get("uri")),
        match=str(held.get("match")),
        subscribers=held.get("subscribers"),
        created_at=held.get("created_at"),
    )


def _past(item: Any) -> PastEvent:
    event = _object(item)
    details = _object(event.get("details") or {})
    return PastEvent(
        publication=int(event.get("publication") or 0),
        topic=str(event.get("topic")),
        published_at=float(event.get("published_at") or 0),
        args=event.get("args") or [],
        kwargs=event.get("kwargs") or {},
        publisher=details.get("publisher"),
        publisher_authid=details.get("publisher_authid"),
        publisher_authrole=details.get("publisher_authrole"),
    )


def _object(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise ServerError.explained("the answer is none of a bridge; is WAMP_BRIDGE_URL one?")
    return item
