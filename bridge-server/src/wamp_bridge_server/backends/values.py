"""What a backend can carry: checked before anything is sent.

Much of it a router takes only by dropping the whole session, or passes on to a peer which then
drops its own.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from wamp_bridge import core
from wamp_bridge_server.backends.base import Undeliverable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wamp_bridge_server.backends.base import Match

MAX_DEPTH: Final = 64
"""Levels of lists and objects within one argument; Crossbar gives up at 400 in a message."""

LEAST_INTEGER: Final = -(2**63)
GREATEST_INTEGER: Final = 2**64 - 1
"""MessagePack's range; what CBOR carries beyond it, a router can't pass on to everyone."""

GREATEST_ID: Final = 2**53
"""Of WAMP's ids."""

_SAFE: Final = frozenset({bool, type(None), bytes})


def check_uri(uri: str, match: Match = "exact") -> None:
    """Refuse a URI that routers refuse. Raises `Undeliverable`."""
    try:
        core.check_uri(uri, match)
    except core.InvalidURI as error:
        raise Undeliverable(str(error)) from None


def check_arguments(args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Refuse positional and keyword arguments that WAMP's serialisations don't all have.

    Raises:
        Undeliverable: There is a value of another kind, an integer beyond 64 bits, NaN or an
            infinity, a key that is no string, half a character, or more than `MAX_DEPTH` levels.
    """
    for value in args:
        _check(value, MAX_DEPTH)
    if kwargs:
        _check_mapping(kwargs, MAX_DEPTH + 1)


def check_ids(name: str, ids: Iterable[Any] | None) -> list[int] | None:
    """Return a list of session ids. Raises `Undeliverable` for what is none."""
    if ids is None:
        return None
    given = list(ids)
    for item in given:
        if type(item) is not int or not 0 < item <= GREATEST_ID:
            raise Undeliverable(f"{name}: {item!r} is no session id")
    return given


def check_names(name: str, names: Iterable[Any] | None) -> list[str] | None:
    """Return a list of authids or authroles. Raises `Undeliverable` for what is none."""
    if names is None:
        return None
    given = list(names)
    for item in given:
        if type(item) is not str:
            raise Undeliverable(f"{name}: {item!r} is no string")
        _check_string(item)
    return given


def _check(value: Any, levels: int) -> None:
    kind = type(value)
    if kind is str:
        _check_string(value)
    elif kind is int or kind is float:
        _check_number(value)
    elif kind is dict:
        _check_mapping(value, levels)
    elif kind is list or kind is tuple:
        if levels == 0:
            raise Undeliverable(f"a value is nested deeper than {MAX_DEPTH} levels")
        for item in value:
            _check(item, levels - 1)
    elif kind not in _SAFE:
        raise Undeliverable(f"a value of type {kind.__name__} is none of WAMP's")


def _check_number(number: float) -> None:
    if type(number) is int:
        if not LEAST_INTEGER <= number <= GREATEST_INTEGER:
            raise Undeliverable("an integer is beyond 64 bits")
    elif not isfinite(number):
        raise Undeliverable(f"{number!r} is no number that JSON has")


def _check_mapping(mapping: Mapping[Any, Any], levels: int) -> None:
    if levels == 0:
        raise Undeliverable(f"a value is nested deeper than {MAX_DEPTH} levels")
    for key, item in mapping.items():
        if type(key) is not str:
            raise Undeliverable(f"the key {key!r} is no string")
        _check_string(key)
        _check(item, levels - 1)


def _check_string(text: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Undeliverable("a string holds half a character (a lone surrogate)") from None
