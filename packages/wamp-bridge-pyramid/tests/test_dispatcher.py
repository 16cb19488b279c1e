"""What the bridge posts to a Pyramid app arrives at its handlers, their answers at the bridge."""

from __future__ import annotations

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from pyramid.events import NewRequest
from pyramid.httpexceptions import HTTPBadRequest, HTTPForbidden
from pyramid.request import Request
from pyramid.threadlocal import get_current_request

from wamp_bridge.core import (
    Forbidden,
    InvalidArgument,
    InvocationDetails,
    Outcome,
    Progress,
)

if TYPE_CHECKING:
    from support.pyramid_shop import Shop


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


@pytest.mark.parametrize(
    ("kind", "error"),
    [(HTTPBadRequest, InvalidArgument), (HTTPForbidden, Forbidden)],
)
def test_errors_of_http_are_those_of_wamp(
    shop: Shop, kind: type[Exception], error: type[Exception]
) -> None:
    def refuse(*why: str) -> None:
        raise kind(*why)

    shop.config.add_wamp_rpc(refuse)
    with pytest.raises(error, match="because"):
        shop.bridge.invoke("com.shop.refuse", ["because"])
    with pytest.raises(error):
        shop.bridge.invoke("com.shop.refuse")


def test_an_answer_without_a_body_says_nothing_of_one(shop: Shop) -> None:
    shop.config.add_wamp_sub(lambda: None, "com.news")
    answer = shop.bridge.publish("com.news")
    assert (answer.status, answer.body) == (204, b"")
    assert not {"content-type", "content-length"} & set(answer.headers)


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
