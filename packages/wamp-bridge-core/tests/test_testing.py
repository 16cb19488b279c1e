"""What `wamp_bridge.core.testing` offers does what a bridge does."""

from __future__ import annotations

import json

import pytest

from wamp_bridge.core import (
    ApplicationError,
    BridgeError,
    CallResult,
    CallTimeout,
    Forbidden,
    InvalidArgument,
    ManifestEnvelope,
    NoSuchProcedure,
    Registry,
    Response,
    Unavailable,
    WampBridgeBase,
    WebhookSigner,
    generate_secret,
    testing,
)
from wamp_bridge.core.testing import SignedBridge, read_answer, signed_request

SECRET = generate_secret()


def answer(status: int, body: object, kind: str = "application/json") -> Response:
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, {"content-type": kind}, octets)


def test_exports_are_what_there_is() -> None:
    assert testing.__all__ == sorted(testing.__all__)
    assert all(getattr(testing, name).__doc__ for name in testing.__all__)


def test_a_request_is_signed_as_the_bridge_signs_it() -> None:
    secrets = [generate_secret(), SECRET]
    request = signed_request(
        ManifestEnvelope("u"), secrets=secrets, delivery_id="m", timestamp=1e9, attempt=3
    )
    for secret in secrets:
        assert WebhookSigner([secret]).verify(request.headers, request.body, 1e9) == "m"
    assert request.headers["wamp-bridge-attempt"] == "3"
    assert request.method == "POST"


def test_a_request_without_secrets_is_not_signed() -> None:
    request = signed_request(ManifestEnvelope("u"), secrets=[])
    assert "webhook-signature" not in request.headers
    assert request.headers["webhook-id"]


@pytest.mark.parametrize(
    ("response", "result"),
    [
        (answer(200, 12), CallResult([12])),
        (answer(200, [1, 2]), CallResult([[1, 2]])),
        (answer(200, b"null"), CallResult([None])),
        (answer(204, b""), CallResult()),
        (
            answer(
                200,
                {"args": [1, 2], "kwargs": {"a": 3}},
                "application/vnd.wamp-bridge.result+json; charset=utf-8",
            ),
            CallResult([1, 2], {"a": 3}),
        ),
    ],
)
def test_results_are_read_as_the_protocol_has_them(response: Response, result: CallResult) -> None:
    assert read_answer(response) == result


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (answer(500, {"error": "com.x", "args": [1], "kwargs": {"a": 2}}), ApplicationError),
        (answer(404, {"error": "wamp.error.no_such_procedure"}), NoSuchProcedure),
        (answer(400, b"<html>"), InvalidArgument),
        (answer(422, {}), InvalidArgument),
        (answer(403, b""), Forbidden),
        (answer(429, b""), Unavailable),
        (answer(503, b""), Unavailable),
        (answer(504, b""), CallTimeout),
        (answer(500, b"<html>"), ApplicationError),
        (answer(404, b""), ApplicationError),
        (answer(200, b"<html>"), ApplicationError),
    ],
)
def test_errors_are_read_as_the_protocol_has_them(
    response: Response, kind: type[BridgeError]
) -> None:
    with pytest.raises(kind) as caught:
        read_answer(response)
    assert type(caught.value) is kind


def test_an_app_is_tested_in_a_few_lines() -> None:
    app = WampBridgeBase({"WAMP_BRIDGE_SECRET": SECRET})

    @app.rpc("com.shop.price")
    def price(product: str, *, count: int = 1) -> int:
        if product != "book":
            raise ApplicationError("com.shop.unknown", product)
        return 12 * count

    bridge = SignedBridge(app.handle, [SECRET])
    assert bridge.invoke("com.shop.price", ["book"], {"count": 2}) == 24
    with pytest.raises(ApplicationError, match=r"com\.shop\.unknown"):
        bridge.invoke("com.shop.price", ["boat"])
    assert list(bridge.manifest()["procedures"]) == ["com.shop.price"]
    assert isinstance(app.registry, Registry)
