"""WAMP messages to bytes and back, by autobahn's messages and serializers.

An incoming message that can't be read is no reason to drop the session: what is known of it is
returned, so that whoever waits can be told.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import Any, Final

import cbor2
from autobahn.wamp import message
from autobahn.wamp.exception import Error
from autobahn.wamp.serializer import SERID_TO_OBJSER, Serializer

from wamp_bridge_server.backends.base import Undeliverable

_UNWRITABLE: Final = (TypeError, ValueError, OverflowError, RecursionError, cbor2.CBORError)
_UNREADABLE: Final = (*_UNWRITABLE, LookupError)
_UNPARSABLE: Final = (Error, AssertionError, TypeError, ValueError, LookupError)

_CBOR_ARRAYS: Final = range(0x80, 0x98)
_HEAD: Final = 3
"""The kind of a message and its ids, which come first in all of WAMP's."""

_ARGUMENTS: Final = {
    message.Invocation.MESSAGE_TYPE: 4,
    message.Event.MESSAGE_TYPE: 4,
    message.Result.MESSAGE_TYPE: 3,
    message.Error.MESSAGE_TYPE: 5,
}
"""Where a message's positional arguments stand; those by keyword follow them."""

_WITH_KEYWORDS: Final = (message.Invocation, message.Event, message.Result, message.Error)


@dataclass(frozen=True, slots=True)
class Malformed:
    """A message that can't be read: the integers it begins with, as far as known, and why.

    The reason is for logs, so nothing of the message's own is in it.
    """

    head: tuple[int, ...]
    reason: str


class Codec:
    """One serialisation of WAMP: `cbor`, `msgpack` or `json`."""

    def __init__(self, serializer: str) -> None:
        self.name = serializer
        make: Any = SERID_TO_OBJSER[serializer]
        self._objects: Any = make()

    def encode(self, msg: message.Message) -> bytes:
        """Write a message.

        Raises:
            Undeliverable: The serialisation lacks something that is in it.
        """
        try:
            encoded: bytes = msg.serialize(self._objects)
        except _UNWRITABLE as error:
            raise Undeliverable(f"a value can't be written: {error}") from error
        return encoded

    def decode(self, payload: bytes) -> message.Message | Malformed:
        """Read a message."""
        try:
            raw = self._objects.unserialize(payload)[0]
        except _UNREADABLE as error:
            head = _head_of_cbor(payload) if self.name == "cbor" else ()
            return Malformed(head, type(error).__name__)
        if type(raw) is not list or not raw or type(raw[0]) is not int:
            return Malformed((), "it is no WAMP message")
        kind: Any = Serializer.MESSAGE_TYPE_MAP.get(raw[0])
        if kind is None:
            return Malformed(_head(raw), "its kind is unknown")
        _leave_out_nulls(raw)
        try:
            msg: message.Message = kind.parse(raw)
        except _UNPARSABLE as error:
            return Malformed(_head(raw), type(error).__name__)
        if isinstance(msg, _WITH_KEYWORDS) and not _has_names(msg.kwargs):
            return Malformed(_head(raw), "a keyword argument has no name")
        return msg


def _leave_out_nulls(raw: list[Any]) -> None:
    """Take null for arguments that aren't there, as some routers mean it."""
    first = _ARGUMENTS.get(raw[0], len(raw))
    while len(raw) > first and raw[-1] is None:
        raw.pop()
    if len(raw) > first and raw[first] is None:
        raw[first] = []


def _has_names(kwargs: dict[Any, Any] | None) -> bool:
    return not kwargs or all(type(key) is str for key in kwargs)


def _head(raw: list[Any]) -> tuple[int, ...]:
    head: list[int] = []
    for item in raw[:_HEAD]:
        if type(item) is not int:
            break
        head.append(item)
    return tuple(head)


def _head_of_cbor(payload: bytes) -> tuple[int, ...]:
    """Read a message's first integers where the whole can't be read, as for being too deep."""
    if not payload or payload[0] not in _CBOR_ARRAYS:
        return ()
    decoder = cbor2.CBORDecoder(io.BytesIO(payload[1:32]))
    raw: list[Any] = []
    with contextlib.suppress(cbor2.CBORError):
        raw.extend(decoder.decode() for _ in range(_HEAD))
    return _head(raw)
