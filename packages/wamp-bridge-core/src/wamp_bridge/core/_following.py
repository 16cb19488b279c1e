"""Topics followed by server-sent events (protocol, section 1), and URLs that let a browser do so.

All is pure; what follows a topic never ends by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from wamp_bridge.core import _arguments as arguments
from wamp_bridge.core._errors import BridgeError, EventsLost, ServerError, Unavailable
from wamp_bridge.core._event_streams import EVENT_STREAM, Deliver, Open, Reader, Receive
from wamp_bridge.core._json import AROUND, loads
from wamp_bridge.core._messages import SignedURL, TopicEvent
from wamp_bridge.core._operations import ask
from wamp_bridge.core._requests import (
    Answer,
    Failure,
    Outgoing,
    Pause,
    error_in,
    error_of_failure,
    json_of,
)
from wamp_bridge.core._uris import check_uri, escape_segment

if TYPE_CHECKING:
    from wamp_bridge.core._event_streams import Came, Flow
    from wamp_bridge.core._requests import Exchange
    from wamp_bridge.core._settings import Settings
    from wamp_bridge.core._uris import Match

SILENCE_SECONDS: Final = 45.0
"""The bridge says something each 15 s; who hears nothing for so long is cut off."""

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 30.0
_PAUSE_GROWTH: Final = 3.0
_FIRST_TRIES: Final = 3


def events_url(
    settings: Settings, topic: str, match: Match, lifetime: float | None, origin: str | None
) -> Exchange[SignedURL]:
    """Have a URL signed that lets a browser follow a topic."""
    members = {"match": match, "lifetime": lifetime, "origin": origin}

    def read(answer: Answer) -> SignedURL:
        told = json_of(answer)
        return SignedURL(str(told.get("url")), float(told.get("expires_at") or 0))

    return ask("POST", f"{_path(settings, topic, match)}url/", members, settings.timeout, read)


def follow(
    settings: Settings, topic: str, match: Match, last_event_id: str | None
) -> Flow[TopicEvent]:
    """Follow a topic, by one stream after another.

    Raises:
        InvalidURI: The topic is none; at once, and not when the first step is asked for.
    """
    path = f"{_path(settings, topic, match)}?{urlencode({'match': match})}"
    return _flow(settings, path, Reader(last_event_id))


def _path(settings: Settings, topic: str, match: Match) -> str:
    uri = settings.resolve(arguments.text("topic", topic))
    check_uri(uri, match)
    return f"events/{escape_segment(uri)}/"


def _flow(settings: Settings, path: str, reader: Reader) -> Flow[TopicEvent]:
    """Come back whenever a stream ends; give up at once where it never began, or is refused."""
    tries, pause, began = 0, _FIRST_PAUSE_SECONDS, False
    while True:
        came = yield Open(_request(settings, path, reader.last_id), SILENCE_SECONDS)
        if came is True:
            began, pause = True, reader.retry or _FIRST_PAUSE_SECONDS
            yield from _read(reader)
            yield Pause(reader.retry or _FIRST_PAUSE_SECONDS)
            continue
        error = _refusal(came)
        tries += 1
        if not began and tries >= _FIRST_TRIES:
            raise error
        yield Pause(error.retry_after or pause)
        pause = min(pause * _PAUSE_GROWTH, _LONGEST_PAUSE_SECONDS)


def _refusal(came: Came) -> BridgeError:
    """Why there was no stream, where it is worth asking again.

    Raises:
        BridgeError: It isn't.
    """
    if isinstance(came, Failure):
        return error_of_failure(came)
    assert isinstance(came, Answer)  # noqa: S101 - what an Open is answered with
    error = error_in(came) or ServerError.explained("the answer is no stream of events")
    if not isinstance(error, Unavailable):
        raise error
    return error


def _read(reader: Reader) -> Flow[TopicEvent]:
    while isinstance(octets := (yield Receive()), bytes):
        for message in reader.feed(octets):
            if message.event == "gap":
                lost = EventsLost.explained("the bridge keeps events for a while only")
                lost.last_event_id = reader.last_id
                raise lost
            if message.event == "message":
                yield Deliver(_event(message.data, reader.last_id or ""))
    reader.begin_anew()


def _request(settings: Settings, path: str, place: str | None) -> Outgoing:
    headers = {"accept": EVENT_STREAM}
    if place:
        headers["last-event-id"] = place
    return Outgoing("GET", path, None, settings.timeout, repeatable=True, headers=headers)


def _event(data: bytes, place: str) -> TopicEvent:
    members: Any = loads(data, around=AROUND)
    details = members.get("details") or {}
    return TopicEvent(
        topic=str(members.get("topic")),
        args=members.get("args") or [],
        kwargs=members.get("kwargs") or {},
        publication=members.get("publication"),
        id=place,
        publisher=details.get("publisher"),
        publisher_authid=details.get("publisher_authid"),
        publisher_authrole=details.get("publisher_authrole"),
        publisher_app=details.get("publisher_app"),
    )
