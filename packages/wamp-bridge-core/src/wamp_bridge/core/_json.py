"""WAMP's values in JSON (protocol, section 2), by the standard library alone.

Binary values travel as WAMP's JSON serialisation has them: a string of U+0000 and base64. What
JSON lacks is an error to the one who sends it, never a silence and never a null.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import Any, Final, TypeAlias

from wamp_bridge.core._errors import InvalidJSON, InvalidValue

_Place: TypeAlias = tuple[Any, Any] | None  # a key or index, after the place that it is in

MAX_DEPTH: Final = 64
AROUND: Final = 2
"""The levels that the bridge's bodies put around a value: their own, and that of `args`."""

_BINARY: Final = "\0"
_TOO_DEEP: Final = f"more than {MAX_DEPTH} levels"


def dumps(value: Any, *, around: int = 0) -> bytes:
    """A value as JSON in UTF-8.

    Args:
        value: With at most 64 levels.
        around: Levels beside those, for what the bridge itself puts around values.

    Raises:
        InvalidValue: It holds NaN, an infinity, a key that is no string, half a character, a
            string that begins with U+0000 and is no base64 after it, an object that JSON lacks,
            or is nested deeper than 64 levels. Says where.
    """
    plain = _plain(value, None, MAX_DEPTH + around)
    try:
        return _encode(plain).encode()
    except UnicodeEncodeError:
        raise InvalidValue("a text holds half a character (a lone surrogate)") from None
    except ValueError as error:  # an integer of more digits than Python writes
        raise InvalidValue(str(error)) from None


def loads(data: bytes, *, around: int = 0) -> Any:
    """The value of a JSON text in UTF-8.

    Args:
        data: The text, with at most 64 levels.
        around: Levels beside those, for what the bridge itself puts around values.

    Raises:
        InvalidJSON: It is no JSON, no UTF-8, nested deeper than 64 levels, holds a number beyond
            a double's range or half a character.
        InvalidValue: A string begins with U+0000 and is no base64 after it.
    """
    try:
        value = _decode(data.decode())
    except UnicodeDecodeError:
        raise InvalidJSON("the text is not in UTF-8") from None
    except RecursionError:
        raise InvalidJSON(f"the value has {_TOO_DEEP}") from None
    except ValueError as error:
        raise InvalidJSON(f"the text is no JSON: {error}") from None
    # A walk costs more than the parse, so it is made only where a look at the text can't spare it.
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH or b"\\u" in data:
        return _restored(value, MAX_DEPTH + around)
    return value


def _number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise InvalidJSON(f"the number {text[:32]} is beyond the range of a double")
    return number


def _constant(text: str) -> float:
    raise InvalidJSON(f"{text} is no JSON")


_decode: Final = json.JSONDecoder(parse_float=_number, parse_constant=_constant).decode
_encode: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
).encode


def _plain(value: Any, place: _Place, levels: int) -> Any:
    """The value with what WAMP has and JSON lacks written as JSON."""
    if not isinstance(value, (list, tuple, dict)):
        return value if value is None else _plain_scalar(value, place)
    if levels == 0:
        raise _unsuited(_TOO_DEEP, place)
    if not isinstance(value, dict):
        return [_plain(item, (place, index), levels - 1) for index, item in enumerate(value)]
    for key in value:
        if not isinstance(key, str):
            raise _unsuited(f"the key {key!r} is no text", place)
    return {key: _plain(item, (place, key), levels - 1) for key, item in value.items()}


def _plain_scalar(value: Any, place: _Place) -> Any:
    if isinstance(value, str):
        if value.startswith(_BINARY) and _binary(value) is None:
            raise _unsuited("a text that begins with U+0000 stands for bytes", place)
        return value
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _unsuited(f"{value} is no JSON value", place)
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _BINARY + base64.b64encode(value).decode("ascii")
    raise _unsuited(f"{type(value).__name__} is no JSON value", place)


def _unsuited(reason: str, place: _Place) -> InvalidValue:
    path: list[str] = []
    while place is not None:
        place, key = place
        path.insert(0, f"[{key!r}]")
    shown = "".join(path[:8]) + ("[...]" if path[8:] else "")
    return InvalidValue(f"{reason} (at value{shown})")


def _restored(value: Any, levels: int) -> Any:
    """The value with WAMP's bytes in their place, refusing what is no text or too deep."""
    if isinstance(value, str):
        return _restored_text(value)
    if not isinstance(value, (list, dict)):
        return value
    if levels <= 0:
        raise InvalidJSON(f"the value has {_TOO_DEEP}")
    if isinstance(value, list):
        return [_restored(item, levels - 1) for item in value]
    for key in value:
        _check_text(key)
    return {key: _restored(item, levels - 1) for key, item in value.items()}


def _restored_text(text: str) -> str | bytes:
    if text.startswith(_BINARY):
        binary = _binary(text)
        if binary is None:
            raise InvalidValue("a text that begins with U+0000 stands for bytes and needs base64")
        return binary
    _check_text(text)
    return text


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidJSON("a text holds half a character (a lone surrogate)") from None


def _binary(text: str) -> bytes | None:
    try:
        return binascii.a2b_base64(text[1:].encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
