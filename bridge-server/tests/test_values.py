"""WAMP values as JSON and back."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wamp_bridge_server.values import (
    MAX_DEPTH,
    BadBinary,
    BadText,
    NotJson,
    admit,
    encode_json,
    load_json,
    to_json,
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text().filter(lambda text: not text.startswith("\0"))
    | st.binary()
)
wamp_values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30
)


@given(wamp_values)
def test_what_wamp_carries_comes_back_from_json_as_it_was(value: Any) -> None:
    assert load_json(encode_json(to_json(value))) == value


@given(wamp_values)
def test_json_of_the_bridge_is_json_of_the_standard_library(value: Any) -> None:
    text = encode_json(to_json(value))
    assert json.loads(text) == to_json(value)


def test_bytes_travel_as_wamp_has_them() -> None:
    assert encode_json(to_json({"raw": b"hi"})) == b'{"raw":"\\u0000aGk="}'
    assert load_json(b'["\\u0000aGk="]') == [b"hi"]


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, [-math.inf], {1: 2}, {b"k": 1}, {"a": {None: 1}}, {1, 2}, "\0text", 1j],
)
def test_what_json_lacks_is_refused(value: Any) -> None:
    with pytest.raises(NotJson):
        to_json([value])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nul",
        b"[NaN]",
        b"[Infinity]",
        b"[1e999]",
        b"[-1e400]",
        b'["\\ud800"]',
        b'["\xed\xa0\x80"]',
        b'["\xff"]',
        b"\xef\xbb\xbf[]",
        b"[1] 2",
        b"{'a': 1}",
    ],
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(BadText):
        load_json(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'"\\ud800"', "half a character"),
        (b'["\\uDBFFx", 1, 2, 3, 4, 5]', "half a character"),
        (b'["\\udc00\\ud800", 1, 2, 3]', "half a character"),
        (b'"\\ud83d\\ude00 \\ud83d"', "half a character"),
        (b'"\\\\ud800', "truncated"),
        (b'"\\ud83d\\ude00\\u00e9', "truncated"),
        (b'["\xe2\x82', "no UTF-8 \\(byte 2\\)"),
        (b'["\xed\xa0\x80"]', "no UTF-8"),
        (b"[1", "truncated"),
    ],
)
def test_it_is_said_what_is_wrong_with_it(text: bytes, said: str) -> None:
    with pytest.raises(BadText, match=said):
        load_json(text)


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def test_depth_is_counted_from_the_outermost_level() -> None:
    load_json(nested(MAX_DEPTH))
    for levels in (MAX_DEPTH + 1, 400, 100_000):
        with pytest.raises(BadText, match="64 levels"):
            load_json(nested(levels))


def test_many_brackets_beside_one_another_are_no_depth() -> None:
    assert load_json(b"[" + b",".join([b"[]"] * 1000) + b"]") == [[]] * 1000


def test_a_member_counts_the_levels_around_it() -> None:
    text = b'{"args":' + nested(MAX_DEPTH - 1) + b"}"
    admit(json.loads(text)["args"], text, outside=1)
    text = b'{"args":' + nested(MAX_DEPTH) + b"}"
    with pytest.raises(BadText):
        admit(json.loads(text)["args"], text, outside=1)


def test_an_argument_too_deep_for_json_is_refused() -> None:
    value = json.loads(nested(MAX_DEPTH))
    assert to_json([value]) == [value]
    assert to_json({"a": value}) == {"a": value}
    for arguments in ([[value]], {"a": [value]}):
        with pytest.raises(NotJson, match="64 levels"):
            to_json(arguments)


@pytest.mark.parametrize(
    "text", [b'["\\u0000a"]', b'["\\u0000aGk"]', b'[{"k": "\\u0000\xc3\xa9"}]']
)
def test_a_marked_string_that_is_no_base64_is_refused(text: bytes) -> None:
    with pytest.raises(BadBinary):
        load_json(text)


@pytest.mark.parametrize("number", [-(2**63), 2**64 - 1, 2**64, -(2**63) - 1, 10**40])
def test_integers_are_exact(number: int) -> None:
    assert load_json(encode_json(to_json([number]))) == [number]
