"""What a fake bridge tells of topics: events to who follows them, an answer to each of several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wamp_bridge.core._json import AROUND, dumps, loads
from wamp_bridge.core._messages import TopicEvent
from wamp_bridge.core._requests import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from wamp_bridge.core._requests import Failure, Outgoing
    from wamp_bridge.core._uris import Match
    from wamp_bridge.core.testing._asked import Published

URL: Final = "http://fake-bridge.invalid/"
_NEVER: Final = 2.0**33


def followed(
    published: Sequence[Published], uri: str, match: Match, place: str | None
) -> Iterator[TopicEvent]:
    """The events of a topic, behind a place; a place is the number of a publication."""
    behind = int(place) if place and place.isdecimal() else 0
    for number, event in enumerate(published, 1):
        if number > behind and fits(event.topic, uri, match):
            yield TopicEvent(event.topic, event.args, event.kwargs, number, str(number))


def fits(topic: str, uri: str, match: Match) -> bool:
    """Whether a topic is what is followed, or matches it (WAMP, section "Pattern-based")."""
    if match == "prefix":
        return topic.startswith(uri)
    if match == "exact":
        return topic == uri
    found, wanted = topic.split("."), uri.split(".")
    pairs = zip(found, wanted, strict=False)
    return len(found) == len(wanted) and all(part in ("", name) for name, part in pairs)


def told_of(answers: Sequence[Answer | Failure]) -> Answer:
    """The answer to several events, of those to each."""
    bodies = [each.body if isinstance(each, Answer) else b'{"status":503}' for each in answers]
    told = [loads(body) if body else {"publication": None} for body in bodies]
    body = dumps({"events": told}, around=AROUND)
    return Answer(200, {"content-type": "application/json"}, body)


def _source(_request: Outgoing, members: Mapping[str, Any]) -> dict[str, Any]:
    return {"source": {"id": "src_1", "url": members["url"], "state": "live", "reason": None}}


def _signed(request: Outgoing, _members: Mapping[str, Any]) -> dict[str, Any]:
    return {"url": URL + request.path.removesuffix("url/"), "expires_at": _NEVER}


TOLD: Final[Mapping[str, Callable[[Outgoing, Mapping[str, Any]], dict[str, Any]]]] = {
    "announce": _source,
    "events": _signed,
    "withdraw": lambda _request, _members: {},
}
