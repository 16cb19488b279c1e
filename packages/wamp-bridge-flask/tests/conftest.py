"""Flask apps, and a bridge that reaches them through Flask's test client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from wamp_bridge.adapters.flask import WampBridge
from wamp_bridge.core import Mount, Request, Response, WampBridgeBase, generate_secret
from wamp_bridge.core.testing import SignedBridge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "APP", "TOKEN", "SECRET", "CALLBACK_URL", "PREFIX", "TIMEOUT", "ANNOUNCE"):
        monkeypatch.delenv(f"WAMP_BRIDGE_{name}", raising=False)


@pytest.fixture(autouse=True)
def _nobody_looks_out_afterwards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    mounts: list[Mount] = []

    def add_mount(self: WampBridge, *sources: Mapping[str, Any]) -> Mount:
        mounts.append(WampBridgeBase.add_mount(self, *sources))
        return mounts[-1]

    monkeypatch.setattr(WampBridge, "add_mount", add_mount)
    yield
    for mount in mounts:
        mount.close()


@pytest.fixture
def secret() -> str:
    return generate_secret()


@pytest.fixture
def wamp() -> WampBridge:
    return WampBridge()


@pytest.fixture
def make_app(secret: str) -> Callable[..., Flask]:
    """Return a factory of apps with the dispatcher of a `WampBridge` at /wamp."""

    def make(wamp: WampBridge, **settings: object) -> Flask:
        app = Flask("shop")
        app.config.update(
            WAMP_BRIDGE_URL="http://bridge.test/",
            WAMP_BRIDGE_TOKEN="token",
            WAMP_BRIDGE_SECRET=secret,
            WAMP_BRIDGE_CALLBACK_URL="http://shop.test/wamp/",
            WAMP_BRIDGE_PREFIX="com.shop",
        )
        app.config.update({f"WAMP_BRIDGE_{key.upper()}": value for key, value in settings.items()})
        app.register_blueprint(wamp.dispatcher, url_prefix="/wamp")
        return app

    return make


@pytest.fixture
def app(make_app: Callable[..., Flask], wamp: WampBridge) -> Flask:
    return make_app(wamp)


@pytest.fixture
def bridge_of(secret: str) -> Callable[..., SignedBridge]:
    """Return what makes a bridge that reaches an app and knows its secret."""

    def make(app: Flask, secret: str = secret, place: str = "/wamp/") -> SignedBridge:
        def send(request: Request) -> Response:
            answer = app.test_client().open(
                place + request.path,
                method=request.method,
                headers=dict(request.headers),
                data=request.body,
            )
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Response(answer.status_code, headers, answer.data)

        return SignedBridge(send, [secret])

    return make


@pytest.fixture
def bridge(app: Flask, bridge_of: Callable[..., SignedBridge]) -> SignedBridge:
    return bridge_of(app)
