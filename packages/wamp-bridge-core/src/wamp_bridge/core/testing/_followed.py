"""A topic that an app follows while it is tested: what was published in the test so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wamp_bridge.core._messages import TopicEvent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wamp_bridge.core._uris import Match
    from wamp_bridge.core.testing._asked import Published


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
