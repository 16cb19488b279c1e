"""FastAPI apps, and a bridge that reaches them through Starlette's test client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from wamp_bridge.adapters.fastapi import WampBridge
from wamp_bridge.core import Request, Response, generate_secret
from wamp_bridge.core.testing import SignedBridge

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "APP", "TOKEN", "SECRET", "CALLBACK_URL", "PREFIX", "TIMEOUT", "ANNOUNCE"):
        monkeypatch.delenv(f"WAMP_BRIDGE_{name}", raising=False)


@pytest.fixture
def secret() -> str:
    return generate_secret()


@pytest.fixture
def make_wamp(secret: str) -> Callable[..., WampBridge]:
    def make(**settings: Any) -> WampBridge:
        given: dict[str, Any] = {
            "url": "http://bridge.test/",
            "token": "token",
            "secret": secret,
            "callback_url": "http://shop.test/wamp/",
            "prefix": "com.shop",
            "announce": False,
        }
        return WampBridge(**(given | settings))

    return make


@pytest.fixture
def wamp(make_wamp: Callable[..., WampBridge]) -> WampBridge:
    return make_wamp()


@pytest.fixture
def app(wamp: WampBridge) -> FastAPI:
    app = FastAPI(title="shop")
    app.include_router(wamp.dispatcher, prefix="/wamp")
    return app


@pytest.fixture
def bridge_of(secret: str) -> Callable[..., SignedBridge]:
    """Return what makes a bridge that reaches an app and knows its secret."""

    def make(app: ASGIApp, secret: str = secret, place: str = "/wamp/") -> SignedBridge:
        def send(request: Request) -> Response:
            answer = TestClient(app).request(
                request.method,
                place + request.path,
                headers=dict(request.headers),
                content=request.body,
            )
            return Response(answer.status_code, dict(answer.headers), answer.content)

        return SignedBridge(send, [secret])

    return make


@pytest.fixture
def bridge(app: FastAPI, bridge_of: Callable[..., SignedBridge]) -> SignedBridge:
    return bridge_of(app)
