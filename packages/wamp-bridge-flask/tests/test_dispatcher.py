"""What the bridge posts to a Flask app arrives at the handlers, and their answers at the bridge."""

from __future__ import annotations

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from flask import Blueprint, Flask, Request, Response, abort, current_app, g, request
from werkzeug.test import create_environ, run_wsgi_app

from wamp_bridge.core import (
    ApplicationError,
    Forbidden,
    InvalidArgument,
    InvocationDetails,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from wamp_bridge.adapters.flask import WampBridge
    from wamp_bridge.core.testing import SignedBridge


def test_handlers_run_in_the_context_of_the_app_and_of_the_request(
    app: Flask, wamp: WampBridge, bridge: SignedBridge
) -> None:
    closed = []

    @app.before_request
    def connect() -> None:
        g.connection = "open"

    @app.teardown_appcontext
    def close(_error: BaseException | None) -> None:
        closed.append(g.pop("connection"))

    @wamp.rpc()
    def where() -> list[str]:
        return [current_app.name, g.connection, request.path]

    assert bridge.invoke("com.shop.where") == ["shop", "open", "/wamp/rpc/com.shop.where/"]
    assert closed == ["open"]


def test_asynchronous_handlers_are_awaited_in_the_same_context(
    wamp: WampBridge, bridge: SignedBridge
) -> None:
    @wamp.rpc()
    async def where(details: InvocationDetails) -> list[str]:
        await asyncio.sleep(0)
        g.seen = True
        return [current_app.name, request.path, details.procedure]

    expected = ["shop", "/wamp/rpc/com.shop.where/", "com.shop.where"]
    assert bridge.invoke("com.shop.where") == expected


async def test_asynchronous_handlers_work_below_a_running_loop(
    wamp: WampBridge, bridge: SignedBridge
) -> None:
    @wamp.rpc()
    async def name() -> str:
        await asyncio.sleep(0)
        return current_app.name

    assert bridge.invoke("com.shop.name") == "shop"


@pytest.mark.parametrize(
    ("status", "error"), [(400, InvalidArgument), (403, Forbidden), (503, Unavailable)]
)
def test_errors_of_http_are_those_of_wamp(
    wamp: WampBridge, bridge: SignedBridge, status: int, error: type[Exception]
) -> None:
    @wamp.rpc()
    def refuse() -> None:
        abort(status, "because")

    with pytest.raises(error, match="because"):
        bridge.invoke("com.shop.refuse")


@pytest.mark.parametrize("what", [404, Response("hunter2", 403)], ids=["404", "a response"])
def test_other_errors_of_http_are_for_the_log_alone(
    wamp: WampBridge, bridge: SignedBridge, caplog: pytest.LogCaptureFixture, what: Any
) -> None:
    @wamp.rpc()
    def refuse() -> None:
        abort(what)

    with pytest.raises(ApplicationError, match=r"wamp\.error\.runtime_error"):
        bridge.invoke("com.shop.refuse")
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_handlers_of_several_threads_have_contexts_of_their_own(
    wamp: WampBridge, bridge: SignedBridge
) -> None:
    @wamp.rpc()
    def mine(number: int) -> int:
        assert "number" not in g
        g.number = number
        kept: int = g.number
        return kept

    with ThreadPoolExecutor(8) as threads:
        answers = threads.map(lambda number: bridge.invoke("com.shop.mine", [number]), range(100))
        assert list(answers) == list(range(100))


def test_a_body_over_the_limit_is_not_read(app: Flask, wamp: WampBridge) -> None:
    class Endless(io.RawIOBase):
        octets = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            self.octets += len(buffer)
            return len(buffer)

    with app.app_context():
        limit = wamp.core_dispatcher.max_body
    for environ, most in (
        ({"CONTENT_LENGTH": str(limit + 1)}, 0),
        ({"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}, 2 * limit),
    ):
        body = Endless()
        asked = create_environ("/wamp/", method="POST") | environ | {"wsgi.input": body}
        _, status, _ = run_wsgi_app(app, asked)
        assert status[:3] in ("411", "413")
        assert body.octets <= most


def test_a_limit_of_the_app_for_its_uploads_is_not_that_of_the_dispatcher(
    app: Flask, wamp: WampBridge, bridge: SignedBridge
) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 1000
    wamp.rpc()(len_named("size"))
    assert bridge.invoke("com.shop.size", ["x" * 100]) == 100
    if isinstance(Request.max_content_length, property) and Request.max_content_length.fset:
        assert bridge.invoke("com.shop.size", ["x" * 1000]) == 1000
    else:  # before Flask 3.1 the app's is the only limit there is
        with pytest.raises(ApplicationError):
            bridge.invoke("com.shop.size", ["x" * 1000])


def test_a_body_that_the_app_has_looked_at_is_still_there(
    app: Flask, wamp: WampBridge, bridge: SignedBridge
) -> None:
    @app.before_request
    def look() -> None:
        assert request.get_json()["type"] == "invocation"

    wamp.rpc()(len_named("size"))
    assert bridge.invoke("com.shop.size", ["abc"]) == 3


def test_the_dispatcher_can_be_mounted_in_several_places_of_an_app(
    app: Flask, wamp: WampBridge, bridge_of: Callable[..., SignedBridge]
) -> None:
    wamp.rpc()(len_named("size"))
    parent = Blueprint("api", __name__, url_prefix="/api")
    parent.register_blueprint(wamp.dispatcher, url_prefix="/v1")
    app.register_blueprint(parent)
    app.register_blueprint(wamp.dispatcher, name="again")
    for place in ("/wamp/", "/api/v1/", "/"):
        assert bridge_of(app, place=place).invoke("com.shop.size", ["abc"]) == 3


def len_named(name: str) -> Callable[[str], int]:
    def function(text: str) -> int:
        return len(text)

    function.__name__ = name
    return function
