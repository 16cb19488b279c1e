"""The verification of HTTP Message Signatures: golden vectors, and the published library's word."""

from __future__ import annotations

import base64
import hmac
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from http_message_signatures import HTTPMessageSignaturesException
from hypothesis import given, settings
from hypothesis import strategies as st

from support.oracles import COMPONENTS, COMPONENTS_OF_BODY, signed_by_library, verified_by_library
from support.vectors import vectors
from wamp_bridge.core import RequestSigner, decode_secret
from wamp_bridge_server.http import structured
from wamp_bridge_server.http.authorities import Authorities
from wamp_bridge_server.http.signatures import BadSignature, Parts, Signed, claimed, verify

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VECTORS = vectors("requests")
AUTHORITIES = Authorities(VECTORS["public_urls"])
APPS = {
    name: [hmac.new(decode_secret(secret), digestmod="sha256") for secret in secrets]
    for name, secrets in VECTORS["apps"].items()
}
KEY = decode_secret(VECTORS["apps"]["shop"][0])

Headers = list[tuple[str, str]]

KEYS = st.binary(min_size=32, max_size=32)
NONCES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=22, max_size=256)
TARGETS = st.from_regex(
    r"/([A-Za-z0-9._~/-]|%[0-9A-Fa-f]{2}){0,30}(\?([A-Za-z0-9&=+.]|%[0-9A-F]{2}){0,30})?",
    fullmatch=True,
)


def check(
    method: str, target: str, headers: Headers, body: bytes, now: float, **apps: Any
) -> Signed | None:
    """Verify a request as the bridge does."""

    def lines(name: str) -> Sequence[str]:
        return [value for given, value in headers if given == name]

    signed = claimed(lines("signature-input"), lines("signature"), now)
    if signed is None:
        return None
    of_body = {name: lines(name) for name in ("content-digest", "content-type")}
    parts = Parts(method, target, AUTHORITIES.of(lines("host")), of_body, body)
    verify(signed, parts, (apps or APPS).get(signed.app, ()))
    return signed


def check_vector(vector: Mapping[str, Any]) -> Signed | None:
    headers = [(name, value) for name, value in vector["headers"]]
    body = vector["body"].encode()
    return check(vector["method"], vector["target"], headers, body, vector["now"])


def name_of(vector: dict[str, Any]) -> str:
    return str(vector["name"])


@pytest.mark.parametrize("vector", VECTORS["accepted"], ids=name_of)
def test_what_is_of_the_profile_is_accepted(vector: dict[str, Any]) -> None:
    signed = check_vector(vector)
    assert signed is not None
    assert signed.app == "shop"
    assert 22 <= len(signed.nonce) <= 256
    assert signed.expires_at > vector["now"]


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=name_of)
def test_all_else_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(BadSignature):
        check_vector(vector)


@pytest.mark.parametrize("vector", VECTORS["ignored"], ids=name_of)
def test_what_bears_not_our_tag_is_not_ours_to_judge(vector: dict[str, Any]) -> None:
    assert check_vector(vector) is None


@pytest.mark.parametrize("vector", VECTORS["signed"], ids=name_of)
def test_what_core_signs_is_accepted(vector: dict[str, Any]) -> None:
    headers = [("host", vector["authority"]), *vector["headers"].items()]
    if vector["content_type"]:
        headers.append(("content-type", vector["content_type"]))
    body = vector["body"].encode()
    signed = check(vector["method"], vector["target"], headers, body, vector["created"])
    assert signed is not None
    assert signed.nonce == vector["nonce"]


@given(KEYS, st.sampled_from(["GET", "POST"]), TARGETS, st.binary(max_size=64), NONCES, st.data())
def test_we_accept_what_the_published_library_signs(
    key: bytes, method: str, target: str, body: bytes, nonce: str, data: st.DataObject
) -> None:
    names = COMPONENTS_OF_BODY if body else COMPONENTS
    headers = signed_by_library(
        method,
        f"https://bridge.example.com{target}",
        body,
        key,
        app="shop",
        nonce=nonce,
        created=1700000000,
        components=tuple(data.draw(st.permutations(names))),
        label=data.draw(st.sampled_from(["pyhms", "a", "*b.c-d_1"])),
        include_alg=data.draw(st.booleans()),
    )
    lines = [("host", "bridge.example.com")]
    lines += [(name.lower(), value) for name, value in headers.items()]
    signed = check(method, target, lines, body, 1700000010, shop=[hmac.new(key, None, "sha256")])
    assert signed is not None
    assert (signed.app, signed.nonce, signed.created) == ("shop", nonce, 1700000000)


OF_HEADERS = st.sampled_from(
    [
        *("(", ")", '"', ";", "=", ",", " ", ":", "\\", "?1", "1", "-", ".", "\t", "@", "é", "\0"),
        *('"@method"', '"@authority"', '"@path"', '"@query"', '"date"', 'tag="wamp-bridge"'),
        *('nonce="nnnnnnnnnnnnnnnnnnnnnnnn"', "created=1700000000", 'keyid="shop"', "bridge="),
        *('alg="hmac-sha256"', ":AAAA:", "sig1", 'tag="x"', "expires=1"),
    ]
)


@settings(max_examples=1000)
@given(st.lists(OF_HEADERS, max_size=30), st.lists(OF_HEADERS, max_size=10))
def test_no_header_whatever_is_anything_but_refused_or_ignored(
    given_input: list[str], given_signature: list[str]
) -> None:
    headers = [
        ("host", "bridge.example.com"),
        ("signature-input", "".join(given_input)),
        ("signature", "".join(given_signature)),
    ]
    with suppress(BadSignature):
        assert check("GET", "/", headers, b"", 1700000000) is None


@settings(max_examples=500)
@given(st.data())
def test_whatever_is_changed_in_a_signed_request_is_noticed_by_both(data: st.DataObject) -> None:
    vector = data.draw(st.sampled_from(VECTORS["accepted"][:2]))
    which = data.draw(st.sampled_from(["method", "target", "body", "header"]))
    changed = {**vector, "headers": [list(pair) for pair in vector["headers"]]}
    letter = data.draw(st.characters(min_codepoint=33, max_codepoint=126))
    if which == "method":
        changed["method"] = data.draw(st.sampled_from(["GET", "POST", "DELETE", "PUT"]))
    elif which == "header":
        pair = data.draw(st.sampled_from(changed["headers"]))
        at = data.draw(st.integers(0, len(pair[1]) - 1))
        pair[1] = pair[1][:at] + letter + pair[1][at + 1 :]
    else:
        at = data.draw(st.integers(0, len(vector[which])))
        changed[which] = vector[which][:at] + letter + vector[which][at:]
    if (
        changed == vector
        or changed["headers"][0][1].lower() == "bridge.example.com" != (changed["headers"][0][1])
    ):
        return
    try:
        ours = check_vector(changed) is not None
    except BadSignature:
        ours = False
    # The library may be more lenient than the profile, never stricter than what is signed.
    assert not ours or _library_accepts(changed)


def _library_accepts(vector: Mapping[str, Any]) -> bool:
    headers = dict(vector["headers"])
    url = f"https://{headers.pop('host')}{vector['target']}"
    try:
        body = vector["body"].encode()
        verified_by_library(vector["method"], url, headers, body, KEY, app="shop")
    except (HTTPMessageSignaturesException, ValueError):
        return False
    return True


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a=1, b=?0;x",
        'a=("b";c "d" e 1.5 :AA==:);f=:AAAA:, *g="\\"\\\\"',
        "a=-999999999999999",
        "a=@1700000000",
        "a=()",
        "",
    ],
)
def test_dictionaries_of_the_standard_are_read(text: str) -> None:
    assert ", ".join(structured.dictionary([text])) == ", ".join(
        member.partition("=")[0] for member in text.split(", ") if member
    )


@pytest.mark.parametrize(
    "text",
    [
        *("A=1", "1=1", "a=", "a=(", 'a="', "a=1,", ",a=1", "a=1 b=2", "a==1", "a=1.", "a=.5"),
        *("a=1.1234", "a=1234567890123456", "a=:A", "a=?2", 'a="\\n"', "a=é", "a=(1)(2)", "a;"),
        *("a=(1,2)", 'a="\x7f"', "a=1;B", "a=1, a=2", "a =1", "a= 1", "a=(1\t2)", "a=--1"),
    ],
)
def test_what_is_no_dictionary_is_refused(text: str) -> None:
    with pytest.raises(structured.NotStructured):
        structured.dictionary([text])


def test_no_header_takes_long() -> None:
    """A parser that goes back over what it took would need hours for these."""
    for piece in ('"a" ', "a;b=1;", "a=1, ", ":AA", "(((", '\\"', "1.1", ";;;", "a=(1 ", "?1"):
        for start in ("a=(", "a=", "a=1;", 'a="'):
            text = start + piece * 100_000
            started = time.perf_counter()
            with pytest.raises(structured.NotStructured):
                structured.dictionary([text + "\0"])
            assert time.perf_counter() - started < 30, (start, piece)


def test_core_signs_for_us_whatever_there_is_to_sign() -> None:
    signer = RequestSigner("shop", ["whsec_" + base64.b64encode(KEY).decode()])
    headers = signer.sign("POST", "OTHER.example:8181", "/x?y", content_type="t", body=b"\xff\0")
    lines = [("host", "other.example:8181"), ("content-type", "t"), *headers.items()]
    assert urlsplit("http://" + lines[0][1]).port == 8181
    assert check("POST", "/x?y", lines, b"\xff\0", time.time()) is not None
