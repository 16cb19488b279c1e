"""What a fake bridge tells of topics: events to who follows them, an answer to each of several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from wamp_bridge.core._json import AROUND, dumps, loads
from wamp_bridge.core._requests import Answer
from wamp_bridge.core._uris import matches, unescape_segment
from wamp_bridge.core.testing._answers import json_answer, stream_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wamp_bridge.core._requests import Failure, Outgoing
    from wamp_bridge.core.testing._asked import Published

URL: Final = "http://fake-bridge.invalid/"
_NEVER: Final = 2.0**33


def followed(published: Sequence[Published], request: Outgoing) -> Answer:
    """The events of a topic, behind a place; a place is the number of a publication."""
    path, _, query = request.path.partition("?")
    uri = unescape_segment(path.removeprefix("events/").strip("/"))
    match = dict(parse_qsl(query)).get("match", "exact")
    place = request.headers.get("last-event-id", "")
    behind = int(place) if place.isdecimal() else 0
    return stream_of(
        (number, "message", _members(number, event))
        for number, event in enumerate(published, 1)
        if number > behind and matches(event.topic, uri, match)
    )


def _members(number: int, event: Published) -> bytes:
    members = {"topic": event.topic, "publication": number}
    return dumps({**members, "args": event.args, "kwargs": event.kwargs}, around=AROUND)


def told_of(answers: Sequence[Answer | Failure]) -> Answer:
    """The answer to several events, of those to each."""
    bodies = [each.body if isinstance(each, Answer) else b'{"status":503}' for each in answers]
    told = [loads(body) if body else {"publication": None} for body in bodies]
    return json_answer(200, {"events": told})


def _source(_request: Outgoing, members: Mapping[str, Any]) -> dict[str, Any]:
    return {"source": {"id": "src_1", "url": members["url"], "state": "live", "reason": None}}


def _signed(request: Outgoing, _members: Mapping[str, Any]) -> dict[str, Any]:
    return {"url": URL + request.path.removesuffix("url/"), "expires_at": _NEVER}


TOLD: Final[Mapping[str, Callable[[Outgoing, Mapping[str, Any]], dict[str, Any]]]] = {
    "announce": _source,
    "events": _signed,
    "withdraw": lambda _request, _members: {},
}
