"""What an app's answer to an invocation means in WAMP: each row of the protocol's section 3."""

from __future__ import annotations

from typing import Any

import pytest

from wamp_bridge_server.backends.base import Result, WampError
from wamp_bridge_server.callbacks.answers import RESULT_TYPE, failure_of, result_of
from wamp_bridge_server.callbacks.sender import Answer, Failure, SendError


def answer(status: int = 200, body: bytes = b"", content_type: str = "application/json") -> Answer:
    return Answer(status, content_type, body)


@pytest.mark.parametrize(
    ("body", "args"),
    [
        (b"5", [5]),
        (b"null", [None]),
        (b"[1, 2]", [[1, 2]]),
        (b'{"args": [1]}', [{"args": [1]}]),
        (b'"\\u0000aGk="', [b"hi"]),
        (b"", []),
        (b"  \n", []),
    ],
)
def test_any_json_with_2xx_is_the_single_result(body: bytes, args: list[Any]) -> None:
    assert list(result_of(answer(200, body)).args) == args
    assert list(result_of(answer(204, body)).args) == args


def test_the_own_media_type_is_a_full_result() -> None:
    full = answer(200, b'{"args": [1, 2], "kwargs": {"a": 3}}', f"{RESULT_TYPE}; charset=utf-8")
    assert result_of(full) == Result([1, 2], {"a": 3})
    assert result_of(answer(200, b"{}", RESULT_TYPE)) == Result([], {})


@pytest.mark.parametrize("body", [b"[]", b'{"args": {}}', b'{"kwargs": []}', b"3"])
def test_a_full_result_of_another_form_is_an_error(body: bytes) -> None:
    with pytest.raises(WampError) as raised:
        result_of(answer(200, body, RESULT_TYPE))
    assert raised.value.uri == "wamp.error.runtime_error"


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_an_error_in_the_body_is_that_wamp_error(status: int) -> None:
    body = b'{"error": "com.shop.error.sold_out", "args": ["pen"], "kwargs": {"left": 0}}'
    with pytest.raises(WampError) as raised:
        result_of(answer(status, body))
    assert raised.value.uri == "com.shop.error.sold_out"
    assert raised.value.wamp_args == ["pen"]
    assert raised.value.wamp_kwargs == {"left": 0}


@pytest.mark.parametrize(
    ("status", "uri"),
    [
        (400, "wamp.error.invalid_argument"),
        (422, "wamp.error.invalid_argument"),
        (401, "wamp.error.not_authorized"),
        (403, "wamp.error.not_authorized"),
        (429, "wamp.error.unavailable"),
        (503, "wamp.error.unavailable"),
        (504, "wamp.error.timeout"),
        (404, "wamp.error.runtime_error"),
        (500, "wamp.error.runtime_error"),
        (599, "wamp.error.runtime_error"),
        (301, "wamp.error.runtime_error"),
        (304, "wamp.error.runtime_error"),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<h1>oops</h1>", b"{}", b'{"error": 5}', b'{"error": ""}'])
def test_a_status_alone_says_which_error(status: int, body: bytes, uri: str) -> None:
    with pytest.raises(WampError) as raised:
        result_of(answer(status, body))
    assert raised.value.uri == uri


@pytest.mark.parametrize("uri", ["com..x", "not a uri", ".", "a#b", "\ud800"])
def test_an_error_uri_that_would_end_the_session_is_not_passed_on(uri: str) -> None:
    import json  # noqa: PLC0415 - one test's

    with pytest.raises(WampError) as raised:
        result_of(answer(500, json.dumps({"error": uri}).encode()))
    assert raised.value.uri == "wamp.error.runtime_error"


@pytest.mark.parametrize("body", [b"<p>", b"[1e999]", b'"\\u0000x"', b"[" * 65 + b"]" * 65])
def test_what_is_no_json_is_an_error(body: bytes) -> None:
    with pytest.raises(WampError) as raised:
        result_of(answer(200, body))
    assert raised.value.uri == "wamp.error.runtime_error"


def test_an_answer_cut_short_is_an_error() -> None:
    with pytest.raises(WampError, match=r"runtime_error"):
        result_of(Answer(200, "application/json", b"1", truncated=True))


@pytest.mark.parametrize(
    ("failure", "uri"),
    [
        (Failure.REFUSED, "wamp.error.unavailable"),
        (Failure.UNRESOLVED, "wamp.error.unavailable"),
        (Failure.TLS, "wamp.error.unavailable"),
        (Failure.CUT, "wamp.error.unavailable"),
        (Failure.LATE, "wamp.error.timeout"),
        (Failure.GARBLED, "wamp.error.runtime_error"),
    ],
)
def test_no_answer(failure: Failure, uri: str) -> None:
    assert failure_of(SendError(failure)).uri == uri
