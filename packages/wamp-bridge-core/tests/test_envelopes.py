from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.vectors import vectors
from wamp_bridge.core import (
    BadRequest,
    BridgeError,
    Endpoint,
    EnvelopeError,
    EventEnvelope,
    InvalidJSON,
    InvocationEnvelope,
    ManifestEnvelope,
    parse_envelope,
)

VECTORS = vectors("envelopes")


@pytest.mark.parametrize("vector", VECTORS["envelopes"], ids=lambda vector: vector["name"])
def test_envelopes_are_read_and_written(vector: dict[str, Any]) -> None:
    envelope = parse_envelope(json.dumps(vector["body"]).encode())
    assert json.loads(envelope.to_json()) == vector["body"]
    assert parse_envelope(envelope.to_json()) == envelope


@pytest.mark.parametrize("body", VECTORS["with_unknown_members"], ids=repr)
def test_members_of_a_later_protocol_are_passed_over(body: dict[str, Any]) -> None:
    parse_envelope(json.dumps(body).encode())


@pytest.mark.parametrize("body", VECTORS["refused"], ids=repr)
def test_what_is_no_envelope_is_refused(body: Any) -> None:
    with pytest.raises(EnvelopeError) as caught:
        parse_envelope(json.dumps(body).encode())
    assert caught.value.status == 400


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 400])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidJSON) as caught:
        parse_envelope(body)
    assert isinstance(caught.value, BadRequest)


@given(st.binary() | st.text().map(str.encode))
def test_no_body_whatever_gives_anything_but_a_refusal(body: bytes) -> None:
    with pytest.raises(BridgeError):
        parse_envelope(body)


def test_bytes_travel_in_envelopes() -> None:
    sent = InvocationEnvelope(Endpoint("f"), "f", [b"\x00\xff"], {"b": b""})
    came = parse_envelope(sent.to_json())
    assert isinstance(came, InvocationEnvelope)
    assert (came.args, came.kwargs) == ([b"\x00\xff"], {"b": b""})


def test_what_is_left_out_is_empty() -> None:
    came = parse_envelope(b'{"type":"event","endpoint":{"uri":"t"},"topic":"t","publication":1}')
    assert came == EventEnvelope(Endpoint("t", "exact"), "t", 1, [], {}, {})


def test_a_manifest_is_asked_for_with_its_source() -> None:
    assert parse_envelope(b'{"type":"manifest","source":"u"}') == ManifestEnvelope("u")
