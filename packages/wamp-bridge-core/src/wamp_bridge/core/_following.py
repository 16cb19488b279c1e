"""Topics followed by server-sent events (protocol, section 1), and URLs that let a browser do so.

All is pure. To follow is a generator that yields what is to be done, and is sent what became of it;
it never ends by itself. The clients drive it, and hand its events on.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import urlencode

from wamp_bridge.core import _arguments as arguments
from wamp_bridge.core._errors import BridgeError, EventsLost, ServerError, Unavailable
from wamp_bridge.core._json import AROUND, loads
from wamp_bridge.core._messages import SignedURL, TopicEvent
from wamp_bridge.core._operations import ask
from wamp_bridge.core._requests import Answer, Failure, Outgoing, Pause, error_in, failed, json_of
from wamp_bridge.core._uris import check_uri, escape_segment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wamp_bridge.core._requests import Exchange
    from wamp_bridge.core._settings import Settings
    from wamp_bridge.core._uris import Match

SILENCE_SECONDS: Final = 45.0
"""The bridge says something each 15 s; who hears nothing for so long is cut off."""

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 30.0
_PAUSE_GROWTH: Final = 3.0
_FIRST_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Open:
    """A step: ask for a stream. Sent back: True, or what came in its place."""

    request: Outgoing


@dataclass(frozen=True, slots=True)
class Receive:
    """A step: wait for more of it. Sent back: octets, or None at its end, however that came."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """A step: hand an event to the one who follows."""

    event: TopicEvent


Step: TypeAlias = Open | Receive | Deliver | Pause
Flow: TypeAlias = Generator[Step, Answer | Failure | bytes | bool | None, None]


@dataclass(frozen=True, slots=True)
class _Message:
    event: str
    data: str


@dataclass(slots=True)
class _Reader:
    """Server-sent events (WHATWG HTML, section 9.2.6), as the bridge writes them.

    Attributes:
        last_id: The place behind the last message that is complete.
        retry: Seconds to wait before coming back, where the bridge has said so.
    """

    last_id: str | None = None
    retry: float | None = None
    _rest: bytes = b""
    _id: str | None = None
    _event: str = ""
    _data: list[str] = field(default_factory=list)

    def feed(self, octets: bytes) -> Iterator[_Message]:
        """The messages that are complete with these octets."""
        *lines, self._rest = (self._rest + octets).split(b"\n")
        for line in lines:
            message = self._line(line.removesuffix(b"\r").decode("utf-8", "replace"))
            if message is not None:
                yield message

    def begin_anew(self) -> None:
        """Forget what was begun: the rest of it won't come. The place is kept."""
        self._rest, self._id, self._event, self._data = b"", None, "", []

    def _line(self, line: str) -> _Message | None:
        if not line:
            event, data = self._event or "message", self._data
            self._event, self._data = "", []
            if self._id is not None:
                self.last_id, self._id = self._id, None
            return _Message(event, "\n".join(data)) if data else None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id":
            self._id = value
        elif name == "retry" and value.isdecimal():
            self.retry = int(value) / 1000
        return None


def events_url(
    settings: Settings, topic: str, match: Match, lifetime: float | None, origin: str | None
) -> Exchange[SignedURL]:
    """Have a URL signed that lets a browser follow a topic."""
    members = {"match": match, "lifetime": lifetime, "origin": origin}

    def read(answer: Answer) -> SignedURL:
        told = json_of(answer)
        return SignedURL(str(told.get("url")), float(told.get("expires_at") or 0))

    return ask("POST", f"{_path(settings, topic, match)}url/", members, settings.timeout, read)


def follow(settings: Settings, topic: str, match: Match, last_event_id: str | None) -> Flow:
    """Follow a topic, by one stream after another.

    Raises:
        InvalidURI: The topic is none; at once, and not when the first step is asked for.
    """
    path = f"{_path(settings, topic, match)}?{urlencode({'match': match})}"
    return _flow(settings, path, _Reader(last_event_id))


def _path(settings: Settings, topic: str, match: Match) -> str:
    uri = settings.resolve(arguments.text("topic", topic))
    check_uri(uri, match)
    return f"events/{escape_segment(uri)}/"


def _flow(settings: Settings, path: str, reader: _Reader) -> Flow:
    """Come back whenever a stream ends; give up at once where it never began, or is refused."""
    tries, pause, began = 0, _FIRST_PAUSE_SECONDS, False
    while True:
        came = yield Open(_request(settings, path, reader.last_id))
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


def _refusal(came: Answer | Failure | bytes | bool | None) -> BridgeError:
    """Why there was no stream, where it is worth asking again.

    Raises:
        BridgeError: It isn't.
    """
    if isinstance(came, Failure):
        return failed(came)
    assert isinstance(came, Answer)  # noqa: S101 - what an Open is answered with
    error = error_in(came) or ServerError.explained("the answer is no stream of events")
    if not isinstance(error, Unavailable):
        raise error
    return error


def _read(reader: _Reader) -> Generator[Step, Answer | Failure | bytes | bool | None, None]:
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
    headers = {"accept": "text/event-stream"}
    if place:
        headers["last-event-id"] = place
    return Outgoing("GET", path, None, settings.timeout, repeatable=True, headers=headers)


def _event(data: str, place: str) -> TopicEvent:
    members: Any = loads(data.encode(), around=AROUND)
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
    )
