from __future__ import annotations

import base64
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.oracles import verified_by_library
from support.vectors import vectors
from wamp_bridge.core import ConfigurationError, RequestSigner, decode_secret, generate_secret

VECTORS = vectors("requests")

KEYS = st.binary(min_size=32, max_size=32)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True)
METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE"])
HOSTS = st.sampled_from(["bridge.example.com", "127.0.0.1:8181", "[::1]:8181", "Bridge.Example"])
TARGETS = st.from_regex(
    r"/([A-Za-z0-9._~/-]|%[0-9A-Fa-f]{2}){0,30}(\?([A-Za-z0-9&=+.]|%[0-9A-F]{2}){0,30})?",
    fullmatch=True,
)
NONCES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=22, max_size=256)


@pytest.mark.parametrize("vector", VECTORS["signed"], ids=lambda vector: str(vector["name"]))
def test_signatures_are_those_of_the_vectors(vector: dict[str, Any]) -> None:
    headers = RequestSigner(vector["app"], [vector["secret"]]).sign(
        vector["method"],
        vector["authority"],
        vector["target"],
        content_type=vector["content_type"],
        body=vector["body"].encode(),
        created=vector["created"],
        nonce=vector["nonce"],
    )
    assert headers == vector["headers"]


@given(KEYS, NAMES, METHODS, HOSTS, TARGETS, st.binary(), NONCES)
def test_the_published_library_accepts_what_we_sign(
    key: bytes, app: str, method: str, host: str, target: str, body: bytes, nonce: str
) -> None:
    signer = RequestSigner(app, ["whsec_" + base64.b64encode(key).decode()])
    kind = "application/json" if body else None
    headers = signer.sign(method, host, target, content_type=kind, body=body, nonce=nonce)
    headers |= {"content-type": kind} if kind else {}
    parameters = verified_by_library(method, f"http://{host}{target}", headers, body, key, app=app)
    assert parameters["keyid"] == app
    assert parameters["nonce"] == nonce
    assert abs(parameters["created"] - time.time()) < 60


def test_each_signature_has_a_nonce_of_its_own_of_128_bits() -> None:
    signer = RequestSigner("shop", [generate_secret()])
    inputs = [signer.sign("GET", "h", "/")["signature-input"] for _ in range(50)]
    nonces = {re.findall(r'nonce="([^"]*)"', written)[0] for written in inputs}
    assert len(nonces) == 50
    assert all(len(base64.urlsafe_b64decode(f"{nonce}==")) == 16 for nonce in nonces)


def test_the_first_of_several_secrets_signs() -> None:
    newest, older = generate_secret(), generate_secret()
    both, first = RequestSigner("shop", [newest, older]), RequestSigner("shop", [newest])
    nonce = "n" * 22
    signed = [signer.sign("GET", "h", "/", created=1, nonce=nonce) for signer in (both, first)]
    assert signed[0] == signed[1]


def test_a_body_needs_its_type() -> None:
    signer = RequestSigner("shop", [generate_secret()])
    with pytest.raises(ValueError, match="content type"):
        signer.sign("POST", "h", "/", body=b"{}")


@pytest.mark.parametrize("secrets", [[], (), "whsec_" + "A" * 43 + "=", ["hunter2"]])
def test_a_signer_needs_secrets(secrets: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RequestSigner("shop", secrets)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["", 'a"b', "a\\b", "a b", "é", "a\n"])
def test_a_name_that_fits_into_no_header_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError):
        RequestSigner(name, [generate_secret()])


def test_keys_are_in_no_repr() -> None:
    secret = generate_secret()
    assert repr(RequestSigner("shop", [secret])) == "RequestSigner('shop')"
    assert len(decode_secret(secret)) == 32
