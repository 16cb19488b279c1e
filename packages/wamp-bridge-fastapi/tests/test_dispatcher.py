"""What the bridge posts to a FastAPI app arrives at the handlers, and their answers there."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import APIRouter, FastAPI, HTTPException, Request

from wamp_bridge.core import (
    ApplicationError,
    CallTimeout,
    Forbidden,
    InvalidArgument,
    InvocationDetails,
    Unavailable,
)
from wamp_bridge.core.testing import SignedBridge, signed_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Message

    from wamp_bridge.adapters.fastapi import WampBridge


async def test_async_handlers_run_on_the_loop_and_others_in_the_thread_pool(
    app: FastAPI, wamp: WampBridge, secret: str
) -> None:
    where: dict[str, object] = {}

    @wamp.sub()
    async def on_loop() -> None:
        await asyncio.sleep(0)
        where["loop"] = threading.current_thread(), asyncio.get_running_loop()

    @wamp.sub()
    def in_pool() -> None:
        where["pool"] = threading.current_thread().name

    @wamp.sub()
    def gives_awaitable() -> Any:
        return on_loop()

    for topic in ("on_loop", "in_pool"):
        assert await post(app, event(topic), secret) == 204
    assert where["loop"] == (threading.current_thread(), asyncio.get_running_loop())
    assert where["pool"] == "AnyIO worker thread"
    where.clear()
    assert await post(app, event("gives_awaitable"), secret) == 204
    assert "loop" in where


async def test_a_hundred_asynchronous_handlers_run_at_once(
    app: FastAPI, wamp: WampBridge, secret: str
) -> None:
    running = 0
    all_there = asyncio.Event()

    @wamp.sub()
    async def meet() -> None:
        nonlocal running
        running += 1
        if running == 100:
            all_there.set()
        await all_there.wait()

    answers = await asyncio.wait_for(
        asyncio.gather(*(post(app, event("meet"), secret) for _ in range(100))), 30
    )
    assert answers == [204] * 100


async def test_a_handler_is_cancelled_when_the_bridge_goes_away(
    app: FastAPI, wamp: WampBridge, secret: str
) -> None:
    gone = asyncio.Event()
    ended: list[str] = []

    @wamp.sub()
    async def wait() -> None:
        gone.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    await asyncio.wait_for(post(app, event("wait"), secret, gone=gone), 10)
    assert ended == ["cancelled"]


async def test_a_request_that_breaks_off_is_no_error(app: FastAPI, secret: str) -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    sent: list[Message] = []
    await app(scope_of(event("t"), secret), receive, collecting(sent))


def test_a_handler_may_want_the_request(wamp: WampBridge, bridge: SignedBridge) -> None:
    @wamp.rpc()
    def where(question: str, request: Request, details: InvocationDetails) -> list[str]:
        return [question, request.app.title, request.url.path, details.procedure]

    assert bridge.invoke("com.shop.where", ["?"]) == [
        "?",
        "shop",
        "/wamp/rpc/com.shop.where/",
        "com.shop.where",
    ]
    with pytest.raises(InvalidArgument):
        bridge.invoke("com.shop.where", ["?"], {"request": "mine"})


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, InvalidArgument),
        (403, Forbidden),
        (422, InvalidArgument),
        (429, Unavailable),
        (503, Unavailable),
        (504, CallTimeout),
    ],
)
def test_errors_of_http_are_those_of_wamp(
    wamp: WampBridge, bridge: SignedBridge, status: int, error: type[Exception]
) -> None:
    @wamp.rpc()
    async def on_loop() -> None:
        raise HTTPException(status, "because")

    @wamp.rpc()
    def in_thread() -> None:
        raise HTTPException(status, "because")

    for name in ("on_loop", "in_thread"):
        with pytest.raises(error, match="because"):
            bridge.invoke(f"com.shop.{name}")


@pytest.mark.parametrize("status", [404, 410, 418, 500])
def test_an_unexpected_error_is_for_the_log_alone(
    wamp: WampBridge, bridge: SignedBridge, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    @wamp.rpc()
    def divide() -> float:
        raise HTTPException(status, "hunter2") if status != 500 else ValueError("hunter2")

    with pytest.raises(ApplicationError) as caught:
        bridge.invoke("com.shop.divide")
    assert (caught.value.uri, caught.value.status) == ("wamp.error.runtime_error", 500)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" in caplog.text


async def test_a_body_over_the_limit_is_not_read(app: FastAPI, wamp: WampBridge) -> None:
    octets = 0

    async def endless() -> Message:
        nonlocal octets
        octets += 2**16
        return {"type": "http.request", "body": b"x" * 2**16, "more_body": True}

    sent: list[Message] = []
    await app(scope_of(b"", None), endless, collecting(sent))
    assert sent[0]["status"] == 413
    limit = wamp.core_dispatcher.max_body
    assert limit < octets <= limit + 2 * 2**16


def test_a_body_that_a_middleware_has_read_is_still_there(
    app: FastAPI, wamp: WampBridge, bridge: SignedBridge
) -> None:
    @app.middleware("http")
    async def look(request: Request, call_next: Callable[..., Any]) -> Any:
        assert (await request.json())["type"] == "invocation"
        return await call_next(request)

    wamp.rpc()(len_named("size"))
    assert bridge.invoke("com.shop.size", ["abc"]) == 3


def test_the_dispatcher_can_be_included_in_several_places_of_an_app(
    wamp: WampBridge, bridge_of: Callable[..., SignedBridge]
) -> None:
    wamp.rpc()(len_named("size"))
    app = FastAPI()
    parent = APIRouter(prefix="/api")
    parent.include_router(wamp.dispatcher, prefix="/v1")
    app.include_router(parent)
    below = FastAPI()
    below.include_router(wamp.dispatcher)
    app.mount("/below", below)
    app.include_router(wamp.dispatcher)
    for place in ("/api/v1/", "/below/", "/"):
        assert bridge_of(app, place=place).invoke("com.shop.size", ["abc"]) == 3


def len_named(name: str) -> Callable[[str], int]:
    def function(text: str) -> int:
        return len(text)

    function.__name__ = name
    return function


def event(topic: str) -> bytes:
    return (
        b'{"type":"event","endpoint":{"uri":"com.shop.%b","match":"exact"},'
        b'"topic":"com.shop.%b","publication":1}'
    ) % (topic.encode(), topic.encode())


def scope_of(body: bytes, secret: str | None) -> dict[str, Any]:
    signed = signed_request(body, secrets=[secret] if secret else [])
    headers = [(name.encode(), value.encode()) for name, value in signed.headers.items()]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/wamp/",
        "raw_path": b"/wamp/",
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "server": ("shop.test", 80),
        "client": ("127.0.0.1", 1),
    }


def collecting(sent: list[Message]) -> Callable[[Message], Any]:
    async def send(message: Message) -> None:
        sent.append(message)

    return send


async def post(app: FastAPI, body: bytes, secret: str, gone: asyncio.Event | None = None) -> int:
    """Send an app a request, as a server would whose client leaves when it has gone."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await (gone or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    sent: list[Message] = []
    await app(scope_of(body, secret), receive, collecting(sent))
    status: int = sent[0]["status"]
    return status
