"""What the bridge posts to a Django project arrives at the handlers, and their answers there."""

from __future__ import annotations

import asyncio
import sys
import threading
import types
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import BadRequest, DisallowedHost, PermissionDenied
from django.http import Http404, HttpRequest
from django.test import AsyncClient, Client
from django.urls import reverse

from wamp_bridge.core import (
    ApplicationError,
    Forbidden,
    InvalidArgument,
    InvocationDetails,
    Request,
    Response,
)
from wamp_bridge.core.testing import SignedBridge

if TYPE_CHECKING:
    from collections.abc import Callable

    from wamp_bridge.adapters.django import WampBridge

pytestmark = pytest.mark.usefixtures("wamp")


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


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (PermissionDenied("hunter2"), Forbidden),
        (BadRequest("hunter2"), InvalidArgument),
        (DisallowedHost("hunter2"), InvalidArgument),
        (Http404("hunter2"), ApplicationError),
    ],
    ids=lambda each: type(each).__name__,
)
def test_errors_of_http_are_those_of_wamp_and_tell_as_little_as_django(
    wamp: WampBridge, bridge: SignedBridge, raised: Exception, error: type[Exception]
) -> None:
    @wamp.rpc()
    async def on_loop() -> None:
        raise raised

    @wamp.rpc()
    def in_thread() -> None:
        raise raised

    for name in ("on_loop", "in_thread"):
        with pytest.raises(error) as caught:
            bridge.invoke(f"com.shop.{name}")
        assert "hunter2" not in str(caught.value)


def test_a_handler_may_want_the_request(wamp: WampBridge, bridge: SignedBridge) -> None:
    @wamp.rpc()
    def where(question: str, request: HttpRequest) -> list[str]:
        return [question, request.path]

    assert bridge.invoke("com.shop.where", ["?"]) == ["?", "/wamp/rpc/com.shop.where/"]
    with pytest.raises(InvalidArgument):
        bridge.invoke("com.shop.where", ["?"], {"request": "mine"})


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
