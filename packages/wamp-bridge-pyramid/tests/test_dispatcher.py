"""What the bridge posts to a Pyramid app arrives at its handlers, their answers at the bridge."""

from __future__ import annotations

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from pyramid.events import NewRequest
from pyramid.request import Request
from pyramid.threadlocal import get_current_request

from wamp_bridge.core import (
    ApplicationError,
    CallResult,
    EventDetails,
    InvalidArgument,
    InvocationDetails,
    NoSuchProcedure,
    Outcome,
    Progress,
    escape_segment,
)
from wamp_bridge.core.testing import signed_request

if TYPE_CHECKING:
    from support.pyramid_shop import Shop


def test_the_manifest_tells_every_handler(shop: Shop) -> None:
    shop.config.add_wamp_rpc(ignore, "price")
    shop.config.add_wamp_sub(ignore, "com.supplier.changed", ordered=True)
    shop.config.add_wamp_callback(ignore, "delivered")
    assert shop.bridge.manifest() == {
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


def test_a_procedure_gets_its_arguments_and_gives_its_result(shop: Shop) -> None:
    shop.config.add_wamp_rpc(echo)
    kwargs = {"self": 1, "path": 2, "request": 3, "größe": [None, True, 2**63]}
    result = shop.bridge.invoke("com.shop.echo", ["a", {"b": b"\0c"}], kwargs, full=True)
    assert result == CallResult(["a", {"b": b"\0c"}], kwargs)


def test_an_event_and_its_details_arrive(shop: Shop) -> None:
    heard: list[object] = []

    def news(text: str, details: EventDetails) -> None:
        heard.extend([text, details.topic, details.publication, details.delivery_id])

    shop.config.add_wamp_sub(news, "com.news", match="prefix")
    answer = shop.bridge.publish(
        "com.news.sport",
        ["goal"],
        endpoint="com.news",
        match="prefix",
        publication=7,
        delivery_id="d",
    )
    assert (answer.status, answer.body) == (204, b"")
    assert "content-type" not in answer.headers
    assert "content-length" not in answer.headers
    assert heard == ["goal", "com.news.sport", 7, "d"]


def test_outcomes_arrive_at_their_callback(shop: Shop) -> None:
    outcomes: list[Outcome] = []
    shop.config.add_wamp_callback(outcomes.append, "done")
    assert shop.bridge.succeed("done", [3], call="c1").status == 204
    assert shop.bridge.fail("done", ApplicationError("com.error.late"), call="c2").status == 204
    assert [(outcome.call, outcome.succeeded) for outcome in outcomes] == [
        ("c1", True),
        ("c2", False),
    ]
    assert outcomes[0].value() == 3


def test_handlers_run_within_the_request(shop: Shop) -> None:
    finished = []

    def opened(event: NewRequest) -> None:
        event.request.connection = "open"
        event.request.add_finished_callback(lambda request: finished.append(request.path))

    def where() -> list[object]:
        request = get_current_request()
        return [request.connection, request.path, request.wamp is shop.wamp]

    shop.config.add_subscriber(opened, NewRequest)
    shop.config.add_wamp_rpc(where)
    path = "/wamp/rpc/com.shop.where/"
    assert shop.bridge.invoke("com.shop.where") == ["open", path, True]
    assert finished == [path]


def test_a_handler_that_wants_the_request_gets_it(shop: Shop) -> None:
    outcomes: list[object] = []

    def price(fruit: str, request: Request, details: InvocationDetails, *, cut: int = 0) -> Any:
        return [fruit, request.path, details.procedure, cut]

    async def sell(request: Request, fruit: str) -> Any:
        await asyncio.sleep(0)
        return [request.method, fruit]

    def done(outcome: Outcome | Progress, request: Request) -> None:
        outcomes.extend([outcome.call, request.path])

    shop.config.add_wamp_rpc(price)
    shop.config.add_wamp_rpc(sell)
    shop.config.add_wamp_callback(done)
    path, uri = "/wamp/rpc/com.shop.price/", "com.shop.price"
    assert shop.bridge.invoke(uri, ["fig"], {"cut": 3}) == ["fig", path, uri, 3]
    assert shop.bridge.invoke("com.shop.sell", ["fig"]) == ["POST", "fig"]
    assert shop.bridge.succeed("done", [1], call="c").status == 204
    assert outcomes == ["c", "/wamp/callback/done/"]
    with pytest.raises(InvalidArgument, match="request"):
        shop.bridge.invoke("com.shop.price", ["fig"], {"request": "mine"})
    with pytest.raises(InvalidArgument):
        shop.bridge.invoke("com.shop.sell", ["fig", "plum"])


def test_asynchronous_handlers_are_awaited_within_the_request(shop: Shop) -> None:
    async def where(details: InvocationDetails) -> list[str]:
        await asyncio.sleep(0)
        return [get_current_request().path, details.procedure]

    shop.config.add_wamp_rpc(where)
    assert shop.bridge.invoke("com.shop.where") == ["/wamp/rpc/com.shop.where/", "com.shop.where"]


async def test_asynchronous_handlers_work_below_a_running_loop(shop: Shop) -> None:
    async def where() -> list[object]:
        await asyncio.sleep(0)
        return [get_current_request().path, get_current_request().registry is shop.config.registry]

    shop.config.add_wamp_rpc(where)
    assert shop.bridge.invoke("com.shop.where") == ["/wamp/rpc/com.shop.where/", True]


def test_handlers_of_several_threads_have_requests_of_their_own(shop: Shop) -> None:
    def mine(number: int, request: Request) -> int:
        assert not hasattr(request, "number")
        request.number = number
        assert request is get_current_request()
        kept: int = get_current_request().number
        return kept

    shop.config.add_wamp_rpc(mine)
    bridge = shop.bridge
    bridge.manifest()
    with ThreadPoolExecutor(8) as threads:
        answers = threads.map(lambda number: bridge.invoke("com.shop.mine", [number]), range(100))
        assert list(answers) == list(range(100))


def test_errors_reach_the_caller(shop: Shop) -> None:
    def sell(product: str) -> None:
        raise ApplicationError("com.shop.error.sold_out", product, left=0)

    shop.config.add_wamp_rpc(sell)
    with pytest.raises(ApplicationError) as caught:
        shop.bridge.invoke("com.shop.sell", ["tea"])
    error = caught.value
    assert (error.uri, error.args, error.kwargs) == (
        "com.shop.error.sold_out",
        ("tea",),
        {"left": 0},
    )
    with pytest.raises(InvalidArgument):
        shop.bridge.invoke("com.shop.sell")
    with pytest.raises(NoSuchProcedure):
        shop.bridge.invoke("com.shop.give")


def test_an_unexpected_error_is_for_the_log_alone(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    def divide() -> float:
        return 1 / 0

    shop.config.add_wamp_rpc(divide)
    with pytest.raises(ApplicationError) as caught:
        shop.bridge.invoke("com.shop.divide")
    assert caught.value.uri == "wamp.error.runtime_error"
    assert "ZeroDivisionError" not in str(caught.value)
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    "name", ["com.a//b", "http://x.y/z", "com.größe.☃", "com.a%20b", "~.x", "com.a/"]
)
def test_names_survive_the_way_through_a_url(shop: Shop, name: str) -> None:
    shop.config.add_wamp_rpc(ignore, name)
    assert shop.bridge.manifest()["procedures"][name]["url"] == f"rpc/{escape_segment(name)}/"
    assert shop.bridge.invoke(name) == "ignored"


def test_what_the_bridge_did_not_sign_is_refused(shop: Shop) -> None:
    body = b'{"type": "manifest", "source": "http://shop.test/wamp/"}'
    headers = dict(signed_request(body, secrets=[shop.secret]).headers)
    plain = shop.app.post("/wamp/", body, headers={"content-type": "application/json"}, status=401)
    assert plain.headers["www-authenticate"] == "StandardWebhooks"
    shop.app.post("/wamp/", body + b" ", headers=headers, status=401)
    shop.app.post("/wamp/", body, headers=headers, status=200)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["", "rpc/com.shop.price/"])
def test_only_post_is_served(shop: Shop, method: str, path: str) -> None:
    answer = shop.app.request(f"/wamp/{path}", method=method, status=405)
    assert answer.headers["allow"] == "POST"


class Endless(io.RawIOBase):
    """A body without an end, which counts what is read of it."""

    octets = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.octets += len(buffer)
        return len(buffer)


@pytest.mark.parametrize(
    "environ",
    [
        {"CONTENT_LENGTH": str(2**40)},
        {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True},
    ],
)
def test_a_body_over_the_limit_is_not_read_to_its_end(shop: Shop, environ: Any) -> None:
    body = Endless()
    asked = Request.blank("/wamp/", environ={**environ, "wsgi.input": body}, method="POST")
    answer = asked.get_response(shop.app.app)
    assert answer.status_code == 413
    assert body.octets <= 2 * shop.wamp.core_dispatcher.max_body


def test_a_body_that_the_app_has_looked_at_is_still_there(shop: Shop) -> None:
    def look(event: NewRequest) -> None:
        assert event.request.json_body["type"] == "invocation"

    shop.config.add_subscriber(look, NewRequest)
    shop.config.add_wamp_rpc(len, "size")
    assert shop.bridge.invoke("com.shop.size", ["abc"]) == 3


def test_a_body_that_is_cut_off_is_the_app_s_error(shop: Shop) -> None:
    environ = {"CONTENT_LENGTH": "100", "wsgi.input": io.BytesIO(b"{}")}
    asked = Request.blank("/wamp/", environ=environ, method="POST")
    with pytest.raises(OSError, match="disconnected"):
        asked.get_response(shop.app.app)


def ignore(*_args: object) -> str:
    return "ignored"


def echo(*args: Any, **kwargs: Any) -> CallResult:
    return CallResult(args, kwargs)
