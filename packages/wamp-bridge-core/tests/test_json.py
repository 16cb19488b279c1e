from __future__ import annotations

import json
import math
from collections import OrderedDict
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.vectors import vectors
from wamp_bridge.core import InvalidJSON, InvalidValue, dumps, loads

VECTORS = vectors("values")

TEXTS = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda t: not t.startswith("\0"))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.binary()
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=40
)


@pytest.mark.parametrize("vector", VECTORS["values"], ids=lambda vector: vector["text"])
def test_texts_mean_their_values(vector: dict[str, Any]) -> None:
    value = loads(vector["text"].encode())
    assert value == vector["value"]
    assert type(value) is type(vector["value"])
    assert loads(dumps(value)) == value


@pytest.mark.parametrize("vector", VECTORS["binary"], ids=lambda vector: vector["text"])
def test_bytes_are_nul_and_base64(vector: dict[str, Any]) -> None:
    binary = bytes.fromhex(vector["hex"])
    assert loads(vector["text"].encode()) == binary
    assert json.loads(dumps(binary)) == json.loads(vector["text"])


@pytest.mark.parametrize("text", VECTORS["no_json"])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(InvalidJSON):
        loads(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("text", VECTORS["no_value"])
def test_a_text_that_should_be_bytes_and_is_not_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        loads(text.encode())
    assert caught.value.status == 422


@pytest.mark.parametrize("data", [b"\xff", b'"\xc3"', b'"\xed\xa0\x80"', "1".encode("utf-16")])
def test_what_is_no_utf8_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidJSON) as caught:
        loads(data)
    assert caught.value.status == 400


@given(VALUES)
def test_what_is_written_is_read_back(value: Any) -> None:
    assert loads(dumps(value)) == value


def test_numbers_of_any_length_are_exact_or_refused() -> None:
    assert loads(dumps(10**4000)) == 10**4000
    with pytest.raises(InvalidValue):
        dumps(10**5000)
    with pytest.raises(InvalidJSON):
        loads(b"1" * 5000)


@pytest.mark.parametrize("shape", ["[", '{"a":'])
def test_so_many_levels_and_no_more(shape: str) -> None:
    close = "]" if shape == "[" else "}"
    deepest: int = VECTORS["deepest"]
    within = shape * deepest + "1" + close * deepest
    assert dumps(loads(within.encode())) == within.encode()
    beyond = shape * (deepest + 1) + "1" + close * (deepest + 1)
    with pytest.raises(InvalidJSON):
        loads(beyond.encode())
    with pytest.raises(InvalidValue):
        dumps(json.loads(beyond))


def test_what_the_bridge_puts_around_a_value_is_not_counted() -> None:
    value = json.loads("[" * 64 + "]" * 64)
    text = dumps({"result": value, "args": [value]}, around=2)
    assert loads(text, around=2) == {"result": value, "args": [value]}
    with pytest.raises(InvalidValue):
        dumps({"args": [[value]]}, around=2)
    with pytest.raises(InvalidJSON):
        loads(text, around=1)


@pytest.mark.parametrize("levels", [400, 100_000])
def test_endless_levels_are_refused_without_ado(levels: int) -> None:
    with pytest.raises(InvalidJSON):
        loads(b"[" * levels + b"]" * levels)
    with pytest.raises(InvalidJSON):
        loads(b"[" * levels)


def test_many_containers_side_by_side_are_no_levels() -> None:
    value: list[Any] = [[{}] for _ in range(1000)]
    assert loads(dumps(value)) == value


def test_a_value_within_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidValue):
        dumps(endless)


class Colour(IntEnum):
    RED = 1


class Point(NamedTuple):
    x: int
    y: int


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((1, (2,)), b"[1,[2]]"),
        (Point(1, 2), b"[1,2]"),
        (OrderedDict(b=1, a=2), b'{"b":1,"a":2}'),
        (Colour.RED, b"1"),
        (bytearray(b"\x01"), b'"\\u0000AQ=="'),
        (memoryview(b"\x01"), b'"\\u0000AQ=="'),
        ("caf\u00e9", '"caf\u00e9"'.encode()),
        ("\0AQ==", b'"\\u0000AQ=="'),
    ],
)
def test_what_python_has_beside_json_is_written_as_json(value: Any, text: bytes) -> None:
    assert dumps(value) == text


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "nan is no JSON value"),
        ({"a": [1, math.inf]}, r"inf is no JSON value \(at value\['a'\]\[1\]\)"),
        ({1: 2}, "the key 1 is no text"),
        ({"a": {None: 2}}, r"the key None is no text \(at value\['a'\]\)"),
        ({b"a": 1}, "the key b'a' is no text"),
        ([datetime.now(UTC)], r"datetime is no JSON value \(at value\[0\]\)"),
        (Decimal(1), "Decimal is no JSON value"),
        ({1, 2}, "set is no JSON value"),
        (object(), "object is no JSON value"),
        ("\ud800", "half a character"),
        ({"\ud800": 1}, "half a character"),
        ("\0no base64", "stands for bytes"),
    ],
)
def test_what_json_lacks_is_refused_and_said_where(value: Any, reason: str) -> None:
    with pytest.raises(InvalidValue, match=reason):
        dumps(value)
