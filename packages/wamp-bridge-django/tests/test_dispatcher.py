"""What the bridge posts to a Django project arrives at the handlers, and their answers there."""

from __future__ import annotations

import asyncio
import sys
import threading
import types
from typing import TYPE_CHECKING, Any

import pytest
from django.test import AsyncClient, Client
from django.urls import reverse

from wamp_bridge.core import (
    ApplicationError,
    CallResult,
    EventDetails,
    InvalidArgument,
    InvocationDetails,
    NoSuchProcedure,
    Outcome,
    Request,
    Response,
    escape_segment,
)
from wamp_bridge.core.testing import SignedBridge, signed_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from wamp_bridge.adapters.django import WampBridge

pytestmark = pytest.mark.usefixtures("wamp")


def test_the_manifest_tells_every_handler(wamp: WampBridge, bridge: SignedBridge) -> None:
    wamp.rpc()(named("price"))
    wamp.sub("com.supplier.changed", ordered=True)(named("changed"))
    wamp.callback()(named("delivered"))
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
    assert join(1, a=2) == CallResult((1,), {"a": 2})  # it is still the function that was written


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


def test_asynchronous_handlers_are_awaited(wamp: WampBridge, bridge: SignedBridge) -> None:
    @wamp.rpc()
    async def where(details: InvocationDetails) -> str:
        await asyncio.sleep(0)
        return details.procedure

    assert bridge.invoke("com.shop.where") == "com.shop.where"


async def test_under_asgi_asynchronous_handlers_run_on_the_server_s_loop_and_others_beside_it(
    wamp: WampBridge, secret: str
) -> None:
    @wamp.rpc()
    async def on_loop() -> list[int]:
        return [threading.get_ident(), id(asyncio.get_running_loop())]

    @wamp.rpc()
    def beside() -> int:
        return threading.get_ident()

    async def ask(procedure: str) -> Any:
        kept: list[Request] = []

        def keep(request: Request) -> Response:
            kept.append(request)
            return Response(204)

        SignedBridge(keep, [secret]).invoke(procedure)
        (asked,) = kept
        answer = await AsyncClient().post(
            f"/wamp/{asked.path}",
            asked.body,
            content_type="application/json",
            headers={name: asked.headers[name] for name in asked.headers if "webhook" in name},
        )
        return answer.json()

    assert await ask("com.shop.on_loop") == [
        threading.get_ident(),
        id(asyncio.get_running_loop()),
    ]
    assert await ask("com.shop.beside") != threading.get_ident()


def test_under_wsgi_a_handler_runs_in_the_thread_of_its_request(
    wamp: WampBridge, secret: str
) -> None:
    wamp.rpc("com.shop.thread")(threading.get_ident)
    bridge = via_client(secret)
    assert bridge.invoke("com.shop.thread") == threading.get_ident()


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
    wamp.rpc(name)(named("answer"))
    assert bridge.manifest()["procedures"][name]["url"] == f"rpc/{escape_segment(name)}/"
    assert bridge.invoke(name) == "answer"


def test_what_the_bridge_did_not_sign_is_refused(secret: str) -> None:
    asking = Client(enforce_csrf_checks=True)
    body = b'{"type": "manifest", "source": "http://shop.test/wamp/"}'

    def status(body: bytes, **headers: Any) -> int:
        answer = asking.post("/wamp/", body, content_type="application/json", headers=headers)
        return answer.status_code

    assert status(body) == 401
    good = signed_request(body, secrets=[secret])
    assert status(body + b" ", **good.headers) == 401
    assert status(body, **good.headers) == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["", "rpc/com.shop.price/"])
def test_only_post_is_served(method: str, path: str) -> None:
    answer = Client(enforce_csrf_checks=True).generic(method, f"/wamp/{path}")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_body_over_the_limit_is_not_read(wamp: WampBridge) -> None:
    limit = wamp.core_dispatcher.max_body
    answer = Client().post("/wamp/", b"x" * (limit + 1), content_type="application/json")
    assert answer.status_code == 413


def test_a_limit_of_the_project_for_its_uploads_is_not_that_of_the_dispatcher(
    configure: Callable[..., None], wamp: WampBridge, bridge: SignedBridge
) -> None:
    configure(DATA_UPLOAD_MAX_MEMORY_SIZE=100)
    wamp.rpc("com.shop.size")(len)
    assert bridge.invoke("com.shop.size", ["x" * 1000]) == 1000


def look_at_body(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def middleware(request: Any) -> Any:
        assert b'"type"' in request.body
        return get_response(request)

    return middleware


def test_a_body_that_a_middleware_has_looked_at_is_still_there(
    configure: Callable[..., None],
    wamp: WampBridge,
    bridge: SignedBridge,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looking = types.ModuleType("looking")
    vars(looking)["look_at_body"] = look_at_body
    monkeypatch.setitem(sys.modules, "looking", looking)
    configure(MIDDLEWARE=["looking.look_at_body"])
    wamp.rpc("com.shop.size")(len)
    assert bridge.invoke("com.shop.size", ["abc"]) == 3


def test_the_dispatcher_can_be_mounted_in_several_places(
    wamp: WampBridge, mount: Callable[..., None], secret: str
) -> None:
    wamp.rpc("com.shop.size")(len)
    mount(wamp, "wamp/", "api/v1/", "")
    for place in ("/wamp/", "/api/v1/", "/"):
        assert via_client(secret, place).invoke("com.shop.size", ["abc"]) == 3


def test_where_it_is_mounted_can_be_asked_of_django() -> None:
    assert reverse("wamp_bridge", kwargs={"path": ""}) == "/wamp/"
    assert reverse("wamp_bridge", kwargs={"path": "rpc/a/"}) == "/wamp/rpc/a/"


def via_client(secret: str, place: str = "/wamp/") -> SignedBridge:
    def send(request: Request) -> Response:
        answer: Any = Client().post(
            place + request.path,
            request.body,
            content_type="application/json",
            headers=dict(request.headers),
        )
        return Response(answer.status_code, dict(answer.headers), answer.content)

    return SignedBridge(send, [secret])


def named(name: str) -> Callable[[], str]:
    def function() -> str:
        return name

    function.__name__ = name
    return function
