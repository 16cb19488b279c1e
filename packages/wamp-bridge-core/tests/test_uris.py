from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.vectors import vectors
from wamp_bridge.core import InvalidURI, check_uri, escape_segment, unescape_segment
from wamp_bridge.core._uris import resolve_name

URIS = vectors("uris")
SEGMENTS = vectors("segments")


@pytest.mark.parametrize("vector", URIS["valid"], ids=repr)
def test_good_uris_are_taken(vector: dict[str, str]) -> None:
    check_uri(vector["uri"], vector["match"])


@pytest.mark.parametrize("vector", URIS["invalid"], ids=repr)
def test_bad_uris_are_refused(vector: dict[str, str]) -> None:
    with pytest.raises(InvalidURI) as caught:
        check_uri(vector["uri"], vector["match"])
    assert caught.value.status == 422


@pytest.mark.parametrize("uri", [None, 1, b"com.x", "com.\ud800"])
def test_what_is_no_text_is_no_uri(uri: Any) -> None:
    with pytest.raises(InvalidURI):
        check_uri(uri)


@pytest.mark.parametrize("vector", SEGMENTS["segments"], ids=repr)
def test_names_are_segments(vector: dict[str, str]) -> None:
    assert escape_segment(vector["name"]) == vector["segment"]
    assert unescape_segment(vector["segment"]) == vector["name"]


@pytest.mark.parametrize("segment", SEGMENTS["no_segments"])
def test_no_name_is_written_so(segment: str) -> None:
    with pytest.raises(InvalidURI):
        unescape_segment(segment)


@pytest.mark.parametrize("name", ["", "\ud800"])
def test_what_is_no_name_is_no_segment(name: str) -> None:
    with pytest.raises(InvalidURI):
        escape_segment(name)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_name_is_one_segment_and_comes_back(name: str) -> None:
    segment = escape_segment(name)
    assert segment.isascii()
    assert segment.strip(".")
    assert urlsplit(f"http://h/rpc/{segment}/").path.split("/") == ["", "rpc", segment, ""]
    assert unescape_segment(segment) == name


@pytest.mark.parametrize(
    ("name", "prefix", "uri"),
    [
        ("price", "com.shop.", "com.shop.price"),
        ("price", "", "price"),
        ("com.other.price", "com.shop.", "com.other.price"),
        (".price", "com.shop.", "price"),
        ("..created", "com.shop.", ".created"),
    ],
)
def test_the_prefix_goes_before_names_without_a_dot(name: str, prefix: str, uri: str) -> None:
    assert resolve_name(name, prefix) == uri
