from __future__ import annotations

import base64
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from support.vectors import vectors
from wamp_bridge.core import ConfigurationError, VerificationError, WebhookSigner, generate_secret

VECTORS = vectors("signatures")


def name_of(vector: dict[str, Any]) -> str:
    return str(vector["name"])


KEYS = st.binary(min_size=32, max_size=32)
IDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)
BODIES = st.text(st.characters(exclude_categories=["Cs"]))


def secret_of(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


@pytest.mark.parametrize("vector", VECTORS["signed"], ids=name_of)
def test_signatures_are_those_of_the_vectors(vector: dict[str, Any]) -> None:
    signer = WebhookSigner(vector["secrets"])
    headers = signer.sign(vector["id"], vector["timestamp"], vector["body"].encode())
    assert headers == {
        "webhook-id": vector["id"],
        "webhook-timestamp": str(vector["timestamp"]),
        "webhook-signature": vector["signature"],
    }
    assert signer.verify(headers, vector["body"].encode(), vector["timestamp"]) == vector["id"]


@pytest.mark.parametrize("vector", VECTORS["accepted"], ids=name_of)
def test_good_signatures_are_accepted(vector: dict[str, Any]) -> None:
    signer = WebhookSigner(vector["secrets"])
    signer.verify(vector["headers"], vector["body"].encode(), vector["now"])


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=name_of)
def test_all_else_is_one_and_the_same_refusal(vector: dict[str, Any]) -> None:
    signer = WebhookSigner(vector["secrets"])
    with pytest.raises(VerificationError) as caught:
        signer.verify(vector["headers"], vector["body"].encode(), vector["now"])
    assert caught.value.status == 401
    assert str(caught.value) == "the request is not signed by this app's bridge"


@pytest.mark.parametrize("secret", VECTORS["bad_secrets"])
def test_what_is_no_secret_is_refused_and_never_shown(secret: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        WebhookSigner([secret])
    assert len(secret) < 8 or secret not in str(caught.value)


@pytest.mark.parametrize("secrets", [[], (), pytest.param(generate_secret(), id="text")])
def test_a_signer_needs_a_list_of_secrets(secrets: Any) -> None:
    with pytest.raises(ConfigurationError):
        WebhookSigner(secrets)


def test_secrets_are_in_no_repr() -> None:
    secret = generate_secret()
    assert secret[6:] not in repr(WebhookSigner([secret]))


def test_generated_secrets_are_new_and_good() -> None:
    assert generate_secret() != generate_secret()
    WebhookSigner([generate_secret()])


@given(KEYS, IDS, BODIES)
def test_the_published_library_accepts_what_we_sign(key: bytes, message: str, body: str) -> None:
    headers = WebhookSigner([secret_of(key)]).sign(message, int(time.time()), body.encode())
    Webhook(secret_of(key)).verify(body, headers, json_parse=False)


@given(KEYS, IDS, BODIES, st.integers(0, 2**33))
def test_we_accept_what_the_published_library_signs(
    key: bytes, message: str, body: str, timestamp: int
) -> None:
    headers = {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": Webhook(secret_of(key)).sign(
            message, datetime.fromtimestamp(timestamp, UTC), body
        ),
    }
    signer = WebhookSigner([secret_of(key)])
    assert signer.verify(headers, body.encode(), float(timestamp)) == message


@given(
    st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]),
        st.text() | st.sampled_from(["v1,", "v1,AAAA", "v1", "1700000000", "m"]),
    ),
    st.binary(),
)
def test_no_header_whatever_gives_anything_but_the_refusal(
    headers: dict[str, str], body: bytes
) -> None:
    signer = WebhookSigner([secret_of(bytes(32))])
    with pytest.raises(VerificationError):
        signer.verify(headers, body, 1700000000)


@given(KEYS, KEYS, BODIES)
def test_each_of_two_secrets_verifies_while_they_rotate(old: bytes, new: bytes, body: str) -> None:
    now = int(time.time())
    both = WebhookSigner([secret_of(new), secret_of(old)])
    from_both = both.sign("m", now, body.encode())
    for key in (old, new):
        alone = WebhookSigner([secret_of(key)])
        alone.verify(from_both, body.encode(), now)
        both.verify(alone.sign("m", now, body.encode()), body.encode(), now)
        Webhook(secret_of(key)).verify(body, from_both, json_parse=False)


def test_a_secret_that_was_taken_away_verifies_nothing() -> None:
    now = int(time.time())
    retired, present = generate_secret(), generate_secret()
    headers = WebhookSigner([retired]).sign("m", now, b"{}")
    with pytest.raises(VerificationError):
        WebhookSigner([present]).verify(headers, b"{}", now)
    with pytest.raises(WebhookVerificationError):
        Webhook(present).verify(b"{}", headers)


def test_more_signatures_than_anyone_rotates_are_refused() -> None:
    now = int(time.time())
    signer = WebhookSigner([generate_secret()])
    headers = signer.sign("m", now, b"{}")
    headers["webhook-signature"] = "v1,AAAA " * 32 + headers["webhook-signature"]
    with pytest.raises(VerificationError):
        signer.verify(headers, b"{}", now)
