"""WAMP values as JSON and back (protocol, section 2; WAMP's section 6.3.1 on binary data).

WAMP's JSON serialisation writes bytes as a string of U+0000 and base64. What JSON does not have
is an error and never a silence: msgspec alone would write NaN as null, bytes as bare base64 and
integer keys as strings, hence the walk before encoding.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from math import isfinite
from typing import Any

import msgspec

MAX_DEPTH = 64

_BYTES_MARK = "\0"
_ESCAPED_MARK = b"\\u0000"
# What is left of a text without these has no backslash but before half of a surrogate pair.
_WHOLE_ESCAPES = re.compile(
    rb"\\(?:[^u]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F]|u(?![dD][89a-fA-F]))"
)
_HALF_A_PAIR = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_TOO_DEEP = f"it is nested deeper than {MAX_DEPTH} levels"

_decode_any = msgspec.json.Decoder().decode
encode_json = msgspec.json.Encoder().encode


class NotJson(ValueError):  # noqa: N818 - named for what the value is
    """A value that WAMP's JSON can't carry; the text says which and where."""


class ReadsAsBytes(NotJson):
    """A text that starts with U+0000, which in WAMP's JSON would be bytes."""


class BadText(ValueError):  # noqa: N818 - named for what the text is
    """A text that is no JSON, or nested too deep; the text says why."""


class BadBinary(ValueError):  # noqa: N818 - named for what the value is
    """A string that starts with U+0000 and is no base64 after it."""


def load_json(text: bytes, *, outside: int = 0) -> Any:
    """Decode a JSON text of WAMP values.

    Args:
        text: The text.
        outside: How many levels more are around it; below 0, how many more it may have itself.

    Raises:
        BadText: No JSON in UTF-8, a number beyond a double's range, or nested too deep.
        BadBinary: A string starts with U+0000 and is no base64 after it.
    """
    try:
        value = _decode_any(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadText(why_no_json(error, text)) from None
    except RecursionError:
        raise BadText(_TOO_DEEP) from None
    return admit(value, text, outside=outside)


def why_no_json(error: Exception, text: bytes) -> str:
    """What is wrong with a text that `error` came of when it was decoded, quoting nothing of it.

    msgspec alone takes half of a surrogate pair, or of a character, for the end of the text.
    """
    try:
        text.decode()
    except UnicodeDecodeError as broken:
        return f"it is no UTF-8 (byte {broken.start})"
    if _HALF_A_PAIR.search(_WHOLE_ESCAPES.sub(b"", text)):
        return r"it has half a character, a \u escape of a surrogate without the other"
    return str(error)


def admit(value: Any, text: bytes, *, outside: int = 0) -> Any:
    """A value decoded from `text`, checked, with the bytes in it restored.

    Args:
        value: What was decoded, all of the text or a member of it.
        text: The JSON text, looked at to spare the walks that it can't need.
        outside: How many levels of the text enclose the value.

    Raises:
        BadText: The value is nested too deep.
        BadBinary: A string starts with U+0000 and is no base64 after it.
    """
    if text.count(b"[") + text.count(b"{") > MAX_DEPTH:
        _check_depth(value, MAX_DEPTH - outside)
    return _restore_bytes(value) if _ESCAPED_MARK in text else value


def admit_native(value: Any) -> Any:
    """A value decoded from a format that has bytes and more, checked: only what JSON carries, too.

    Raises:
        BadText: It holds what WAMP's JSON lacks, or is nested too deep.
        BadBinary: A string starts with U+0000.
    """
    _check_depth(value, MAX_DEPTH)
    try:
        _holds_bytes(value, 0)
    except ReadsAsBytes as error:
        raise BadBinary(str(error)) from None
    except NotJson as error:
        raise BadText(str(error)) from None
    return value


def native_of_json(text: bytes) -> Any:
    """The value of a JSON text that the bridge itself has written, bytes restored."""
    value = _decode_any(text)
    return _restore_bytes(value) if _ESCAPED_MARK in text else value


def check_json(value: Any) -> Any:
    """The value as it is, where `to_json` would take it. Raises `NotJson`."""
    _holds_bytes(value, 0)
    return value


def _check_depth(value: Any, limit: int) -> None:
    level, depth = [value], 0
    while level := [item for item in level if isinstance(item, list | dict)]:
        depth += 1
        if depth > limit:
            raise BadText(_TOO_DEEP)
        level = [
            child for item in level for child in (item.values() if isinstance(item, dict) else item)
        ]


def _restore_bytes(value: Any) -> Any:
    if isinstance(value, str):
        if not value.startswith(_BYTES_MARK):
            return value
        try:
            return b64decode(value[1:], validate=True)
        except ValueError:
            raise BadBinary(
                "a string that starts with U+0000 must be bytes in base64 after it"
            ) from None
    if isinstance(value, list):
        return [_restore_bytes(item) for item in value]
    if isinstance(value, dict):
        return {key: _restore_bytes(item) for key, item in value.items()}
    return value


def to_json(value: Any) -> Any:
    """The value as one that `encode_json` writes faithfully; itself where it is one already.

    Args:
        value: Positional or keyword arguments, each with at most `MAX_DEPTH` levels of its own:
            an app's answer has as many, and must not be lost on the way to who asked.

    Raises:
        NotJson: It holds what JSON lacks (NaN, an infinity, a key that is no string, a type of
            CBOR's own), text that would read as bytes, or is nested too deep.
    """
    return _rewrite(value) if _holds_bytes(value, 0) else value


def _holds_bytes(value: Any, depth: int) -> bool:
    kind = type(value)
    if kind is list or kind is tuple:
        items = value
    elif kind is dict:
        items = value.values()
        for key in value:
            if type(key) is not str:
                raise NotJson(f"JSON has no {type(key).__name__} as the key of an object")
    else:
        return _is_bytes(value, kind)
    if depth > MAX_DEPTH:
        raise NotJson(_TOO_DEEP)
    found = False
    for item in items:
        found |= _holds_bytes(item, depth + 1)
    return found


def _is_bytes(value: Any, kind: type) -> bool:
    if kind is str:
        if value.startswith(_BYTES_MARK):
            raise ReadsAsBytes("text that starts with U+0000 would be read as bytes")
        return False
    if kind is float:
        if not isfinite(value):
            raise NotJson(f"JSON has no {value}")
        return False
    if kind is int or kind is bool or value is None:
        return False
    if kind is bytes:
        return True
    raise NotJson(f"JSON has no {kind.__name__}")


def _rewrite(value: Any) -> Any:
    if isinstance(value, bytes):
        return _BYTES_MARK + b64encode(value).decode("ascii")
    if isinstance(value, list | tuple):
        return [_rewrite(item) for item in value]
    if isinstance(value, dict):
        return {key: _rewrite(item) for key, item in value.items()}
    return value
