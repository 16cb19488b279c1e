from __future__ import annotations

import json
from typing import Any

import pytest

from support.sample_app import DISPATCHER, SECRET, SETTINGS, registry, seen
from support.vectors import vectors
from wamp_bridge.core import (
    Dispatcher,
    Request,
    Response,
    Settings,
    generate_secret,
)
from wamp_bridge.core.testing import SignedBridge, signed_request


@pytest.fixture(autouse=True)
def fresh() -> None:
    seen.clear()


def invocation(**members: Any) -> bytes:
    body = {
        "type": "invocation",
        "endpoint": {"uri": "com.shop.echo", "match": "exact"},
        "procedure": "com.shop.echo",
        "args": [],
        "kwargs": {},
        "details": {},
    }
    return json.dumps(body | members).encode()


def send(body: bytes, *, method: str = "POST", **options: Any) -> Response:
    request = signed_request(body, secrets=[SECRET], **options)
    return DISPATCHER.dispatch(Request(method, request.path, request.headers, request.body))


def error_in(response: Response) -> Any:
    return json.loads(response.body)["error"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "post"])
def test_another_method_is_refused(method: str) -> None:
    response = send(invocation(), method=method)
    assert response.status == 405
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", ""],
)
def test_another_content_type_is_refused(content_type: str) -> None:
    response = send(invocation(), headers={"Content-Type": content_type})
    assert response.status == 415
    assert not seen


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON", 'application/json; charset="UTF-8"'],
)
def test_json_is_taken_however_it_is_written(content_type: str) -> None:
    assert send(invocation(), headers={"content-type": content_type}).status == 200


def test_a_body_without_content_type_is_json() -> None:
    request = signed_request(invocation(), secrets=[SECRET])
    headers = {name: text for name, text in request.headers.items() if name != "content-type"}
    assert DISPATCHER.dispatch(Request("POST", "", headers, request.body)).status == 200


def test_a_big_body_is_refused() -> None:
    dispatcher = Dispatcher(registry, SETTINGS, max_body=1000)
    small = signed_request(invocation(args=["x" * 500]), secrets=[SECRET])
    big = signed_request(invocation(args=["x" * 1000]), secrets=[SECRET])
    assert dispatcher.dispatch(small).status == 200
    assert dispatcher.dispatch(big).status == 413


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff", b"[" * 400 + b"]" * 400, invocation(args=[float("nan")])],
)
def test_bad_json_is_refused(body: bytes) -> None:
    response = send(body)
    assert response.status == 400
    assert error_in(response) == "wamp.error.invalid_argument"


@pytest.mark.parametrize("body", vectors("envelopes")["refused"], ids=repr)
def test_what_is_no_envelope_is_refused(body: Any) -> None:
    assert send(json.dumps(body).encode()).status == 400


@pytest.mark.parametrize("vector", vectors("signatures")["refused"], ids=lambda v: str(v["name"]))
def test_a_bad_signature_is_one_refusal(vector: dict[str, Any]) -> None:
    settings = Settings(secrets=tuple(vector["secrets"]))
    dispatcher = Dispatcher(registry, settings, clock=lambda: float(vector["now"]))
    request = Request("POST", "", vector["headers"], vector["body"].encode())
    response = dispatcher.dispatch(request)
    assert response.status == 401
    assert response.headers["www-authenticate"]
    assert json.loads(response.body)["args"] == ["the request is not signed by this app's bridge"]


def test_a_signature_is_checked_before_anything_is_said_of_the_body() -> None:
    request = signed_request(b"{", secrets=[generate_secret()], headers={"content-type": "x"})
    assert DISPATCHER.dispatch(request).status == 401


@pytest.mark.parametrize("index", [0, 1])
def test_each_of_the_secrets_that_rotate_is_taken(index: int) -> None:
    secrets = (generate_secret(), SECRET)
    dispatcher = Dispatcher(registry, Settings(secrets=secrets))
    assert SignedBridge(dispatcher.dispatch, [secrets[index]]).invoke("com.shop.echo") == [[], {}]


def test_without_a_secret_everything_is_refused_and_the_log_names_the_setting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    dispatcher = Dispatcher(registry, Settings())
    assert SignedBridge(dispatcher.dispatch, [SECRET]).deliver(invocation()).status == 401
    assert "WAMP_BRIDGE_SECRET" in caplog.text


def test_verification_can_be_switched_off() -> None:
    dispatcher = Dispatcher(registry, Settings(verify=False))
    bridge = SignedBridge(dispatcher.dispatch)
    bridge.invoke("com.shop.details")
    assert seen[0].delivery_id.startswith("msg_")


def test_the_log_says_which_handler_a_refused_request_was_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    body = invocation(endpoint={"uri": "com.shop.returns", "match": "exact"})
    assert send(body, path="rpc/com.shop.returns/").status == 400
    (record,) = caplog.records
    assert record.getMessage() == (
        "refused a request of the bridge for /rpc/com.shop.returns/ with 400: "
        "missing a required argument: 'what'"
    )


def test_what_a_stranger_sends_makes_one_line_of_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    body = b'{"type":"invocation","endpoint":{"uri":"a\\u0085b\\u001b[31m","match":"exact"}}'
    assert send(body, path="rpc/\n\x1b[31m").status == 400
    for record in caplog.records:
        assert record.getMessage().isprintable()
