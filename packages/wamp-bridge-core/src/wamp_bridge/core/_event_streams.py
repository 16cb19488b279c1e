"""Server-sent events as an app reads them (WHATWG HTML, section 9.2), and how they are asked for.

All is pure. A flow is a generator that yields what is to be done, and is sent what became of it;
the clients drive it, and hand on what it delivers.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

from wamp_bridge.core._requests import Answer, Failure, Outgoing, Pause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

EVENT_STREAM: Final = "text/event-stream"

_MOST_DIGITS: Final = 9

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Open:
    """A step: ask for a stream. Sent back: True, or what came in its place.

    Attributes:
        request: What is sent.
        silence: Seconds without a word after which it is cut off.
    """

    request: Outgoing
    silence: float


@dataclass(frozen=True, slots=True)
class Receive:
    """A step: wait for more of it. Sent back: octets, None at its end, or what cut it off."""


@dataclass(frozen=True, slots=True)
class Deliver(Generic[_T]):
    """A step: hand something to the one who waits for it."""

    item: _T


Came: TypeAlias = Answer | Failure | bytes | bool | None
Flow: TypeAlias = Generator[Open | Receive | Deliver[_T] | Pause, Came, None]


@dataclass(frozen=True, slots=True)
class Message:
    """One of the events."""

    event: str
    data: bytes


@dataclass(slots=True)
class Reader:
    """What has come of a stream.

    Attributes:
        last_id: The place behind the last message that is complete.
        retry: Seconds to wait before coming back, where the bridge has said so.
    """

    last_id: str | None = None
    retry: float | None = None
    _rest: bytearray = field(default_factory=bytearray)
    _id: str | None = None
    _event: str = ""
    _data: list[bytes] = field(default_factory=list)

    def feed(self, octets: bytes) -> Iterator[Message]:
        """The messages that are complete with these octets."""
        self._rest += octets
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            message = self._line(bytes(line).removesuffix(b"\r"))
            if message is not None:
                yield message

    def begin_anew(self) -> None:
        """Forget what was begun: the rest of it won't come. The place is kept."""
        self._rest, self._id, self._event, self._data = bytearray(), None, "", []

    def _line(self, line: bytes) -> Message | None:
        if not line:
            event, data = self._event or "message", self._data
            self._event, self._data = "", []
            if self._id is not None:
                self.last_id, self._id = self._id, None
            return Message(event, b"\n".join(data)) if data else None
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id":
            self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) <= _MOST_DIGITS:
            self.retry = int(value) / 1000
        return None


def is_event_stream(headers: Mapping[str, str]) -> bool:
    """Whether an answer with these headers is a stream of events."""
    return headers.get("content-type", "").partition(";")[0].strip() == EVENT_STREAM


def answered(
    flow: Flow[_T], answer: Callable[[Outgoing], Answer | Failure]
) -> Generator[_T, None, None]:
    """Drive a flow against a stand-in, which answers at once and with a whole stream in one piece.

    What would come back for more when it has read that is at its end.
    """
    came: Came = None
    body: bytes | None = None
    began = False
    while True:
        try:
            step = flow.send(came)
        except StopIteration:
            return
        came = None
        if isinstance(step, Deliver):
            yield step.item
        elif isinstance(step, Open):
            told = came = answer(step.request)
            if isinstance(told, Answer) and is_event_stream(told.headers):
                came, body, began = True, told.body, True
        elif isinstance(step, Receive):
            came, body = body, None
        elif began:
            return
