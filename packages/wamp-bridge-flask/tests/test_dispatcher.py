"""What the bridge posts to a Flask app arrives at the handlers, and their answers at the bridge."""

from __future__ import annotations

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from flask import Blueprint, Flask, Request, current_app, g, request
from werkzeug.test import create_environ, run_wsgi_app

from wamp_bridge.core import (
    ApplicationError,
    CallResult,
    EventDetails,
    InvalidArgument,
    InvocationDetails,
    NoSuchProcedure,
    Outcome,
    escape_segment,
)
from wamp_bridge.core.testing import SignedBridge, signed_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from wamp_bridge.adapters.flask import WampBridge


def test_the_manifest_tells_every_handler(wamp: WampBridge, bridge: SignedBridge) -> None:
    wamp.rpc()(lambda_named("price"))
    wamp.sub("com.supplier.changed", ordered=True)(lambda_named("changed"))
    wamp.callback()(lambda_named("delivered"))
    assert bridge.manifest() == {
        "protocol": 1,
        "procedures": {"com.shop.price": {"url": "rpc/com.shop.price/", "match": "exact"}},
        "topics": {
            "com.supplier.changed": {
                "url": "pub/com.supplier.changed/",
                "match": "exact",
                "ordered": True,
            }
        },
        "callbacks": ["delivered"],
    }


def test_a_procedure_gets_its_arguments_and_gives_its_result(
    wamp: WampBridge, bridge: SignedBridge
) -> None:
    @wamp.rpc()
    def join(*args: Any, **kwargs: Any) -> CallResult:
        return CallResult(args, kwargs)

    kwargs = {"self": 1, "path": 2, "request": 3, "größe": [None, True, 2**63]}
    result = bridge.invoke("com.shop.join", ["a", {"b": b"\0c"}], kwargs, full=True)
    assert result == CallResult(["a", {"b": b"\0c"}], kwargs)


def test_an_event_and_its_details_arrive(wamp: WampBridge, bridge: SignedBridge) -> None:
    heard: list[object] = []

    @wamp.sub("com.news", match="prefix")
    def news(text: str, details: EventDetails) -> None:
        heard.extend([text, details.topic, details.publication, details.delivery_id])

    answer = bridge.publish(
        "com.news.sport",
        ["goal"],
        endpoint="com.news",
        match="prefix",
        publication=7,
        delivery_id="d",
    )
    assert answer.status == 204
    assert heard == ["goal", "com.news.sport", 7, "d"]


def test_outcomes_arrive_at_their_callback(wamp: WampBridge, bridge: SignedBridge) -> None:
    outcomes: list[Outcome] = []
    wamp.callback("done")(outcomes.append)
    assert bridge.succeed("done", [3], call="c1").status == 204
    assert bridge.fail("done", ApplicationError("com.error.late"), call="c2").status == 204
    assert [(outcome.call, outcome.succeeded) for outcome in outcomes] == [
        ("c1", True),
        ("c2", False),
    ]
    assert outcomes[0].value() == 3


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


def test_errors_reach_the_caller(wamp: WampBridge, bridge: SignedBridge) -> None:
    @wamp.rpc()
    def sell(product: str) -> None:
        raise ApplicationError("com.shop.error.sold_out", product, left=0)

    with pytest.raises(ApplicationError) as caught:
        bridge.invoke("com.shop.sell", ["tea"])
    error = caught.value
    assert (error.uri, error.args, error.kwargs) == (
        "com.shop.error.sold_out",
        ("tea",),
        {"left": 0},
    )
    with pytest.raises(InvalidArgument):
        bridge.invoke("com.shop.sell")
    with pytest.raises(NoSuchProcedure):
        bridge.invoke("com.shop.give")


def test_an_unexpected_error_is_for_the_log_alone(
    wamp: WampBridge, bridge: SignedBridge, caplog: pytest.LogCaptureFixture
) -> None:
    @wamp.rpc()
    def divide() -> float:
        return 1 / 0

    with pytest.raises(ApplicationError) as caught:
        bridge.invoke("com.shop.divide")
    assert caught.value.uri == "wamp.error.runtime_error"
    assert "ZeroDivisionError" not in str(caught.value)
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("name", ["com.a//b", "http://x.y/z", "com.größe.☃", "com.a%20b", "~.x"])
def test_names_survive_the_way_through_a_url(
    wamp: WampBridge, bridge: SignedBridge, name: str
) -> None:
    wamp.rpc(name)(lambda_named("answer"))
    assert bridge.manifest()["procedures"][name]["url"] == f"rpc/{escape_segment(name)}/"
    assert bridge.invoke(name) == "answer"


def test_what_the_bridge_did_not_sign_is_refused(app: Flask, secret: str) -> None:
    body = b'{"type": "manifest", "source": "http://shop.test/wamp/"}'
    assert app.test_client().post("/wamp/", data=body).status_code == 401
    good = signed_request(body, secrets=[secret])
    headers = dict(good.headers)
    assert app.test_client().post("/wamp/", data=body + b" ", headers=headers).status_code == 401
    assert app.test_client().post("/wamp/", data=body, headers=headers).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["", "rpc/com.shop.price/"])
def test_only_post_is_served(app: Flask, method: str, path: str) -> None:
    answer = app.test_client().open(f"/wamp/{path}", method=method)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


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


def lambda_named(name: str) -> Callable[[], str]:
    def function() -> str:
        return name

    function.__name__ = name
    return function


def len_named(name: str) -> Callable[[str], int]:
    def function(text: str) -> int:
        return len(text)

    function.__name__ = name
    return function
