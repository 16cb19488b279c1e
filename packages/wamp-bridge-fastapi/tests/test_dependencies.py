"""FastAPI's dependencies in handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import pytest
from fastapi import (
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    FastAPI,
    File,
    Form,
    Header,
    HTTPException,
    Path,
    Query,
    Request,
)
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer

from wamp_bridge.core import (
    ApplicationError,
    BridgeError,
    ConfigurationError,
    EventDetails,
    Forbidden,
    InvalidArgument,
    InvocationDetails,
    Once,
)
from wamp_bridge.core.testing import SignedBridge, signed_request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from decimal import Decimal

    from wamp_bridge.adapters.fastapi import WampBridge

log: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    log.clear()


async def connection() -> AsyncIterator[str]:
    log.append("connect")
    try:
        yield "connection"
    except ApplicationError:
        log.append("roll back")
        raise
    finally:
        log.append("disconnect")


def session(connection: Annotated[str, Depends(connection)]) -> Iterator[str]:
    yield f"session on a {connection}"
    log.append("commit")


Session = Annotated[str, Depends(session)]


async def delivery(request: Request, webhook_id: Annotated[str, Header()]) -> list[str]:
    return [request.url.path, webhook_id]


async def failing() -> AsyncIterator[None]:
    yield
    raise ValueError("can't commit")


def recorded(tasks: BackgroundTasks) -> None:
    tasks.add_task(log.append, "of a dependency")


def refuse(webhook_attempt: Annotated[int, Header(alias="wamp-bridge-attempt")]) -> None:
    raise HTTPException(400 + webhook_attempt, "not you")


def test_handlers_get_what_they_depend_on(wamp: WampBridge, bridge: SignedBridge) -> None:
    @wamp.rpc()
    async def on_loop(
        session: Session,
        first: int,
        details: InvocationDetails,
        second: int = 2,
        *,
        delivered: list[str] = Depends(delivery),  # noqa: B008 - FastAPI's way
    ) -> list[Any]:
        log.append("run")
        same = delivered[1] == details.delivery_id
        return [session, first, second, delivered[0], same]

    @wamp.rpc()
    def in_thread(first: int, session: Session, *more: int, request: Request) -> list[Any]:
        return [session, first, *more, request.app.title]

    path = "/wamp/rpc/com.shop.on_loop/"
    given = ["session on a connection", 1, 2, path, True]
    assert bridge.invoke("com.shop.on_loop", [1]) == given
    assert log == ["connect", "run", "commit", "disconnect"]
    given[2] = 3
    assert bridge.invoke("com.shop.on_loop", [1, 3]) == given
    assert bridge.invoke("com.shop.on_loop", [1], {"second": 3}) == given
    assert bridge.invoke("com.shop.in_thread", [1]) == [given[0], 1, "shop"]


def test_nobody_else_can_give_them(wamp: WampBridge, bridge: SignedBridge) -> None:
    @wamp.rpc()
    async def which(session: Session, number: int = 0) -> list[Any]:
        return [session, number]

    with pytest.raises(InvalidArgument, match="session"):
        bridge.invoke("com.shop.which", [], {"session": "mine"})
    with pytest.raises(InvalidArgument):
        bridge.invoke("com.shop.which", ["mine", 1])

    @wamp.rpc()
    async def takes_all(session: Session, **more: int) -> list[Any]:
        return [session, more]

    with pytest.raises(InvalidArgument, match="session"):
        bridge.invoke("com.shop.takes_all", [], {"session": "mine"})
    assert log == []
    assert bridge.invoke("com.shop.takes_all", [], {"more": 1})[1] == {"more": 1}


def test_they_learn_of_errors_before_the_caller_does(
    wamp: WampBridge, bridge: SignedBridge, app: FastAPI
) -> None:
    @app.exception_handler(BridgeError)
    async def page(_request: Request, _error: BridgeError) -> JSONResponse:
        return JSONResponse("an error")

    @wamp.rpc()
    async def sell(session: Session) -> None:
        raise ApplicationError("com.shop.error.sold_out", session)

    with pytest.raises(ApplicationError) as caught:
        bridge.invoke("com.shop.sell")
    assert caught.value.uri == "com.shop.error.sold_out"
    assert log == ["connect", "roll back", "disconnect"]


def test_what_fails_after_the_handler_fails_the_call(
    wamp: WampBridge, bridge: SignedBridge, caplog: pytest.LogCaptureFixture
) -> None:
    @wamp.rpc()
    async def sell(_session: Annotated[None, Depends(failing)]) -> str:
        return "sold"

    with pytest.raises(ApplicationError) as caught:
        bridge.invoke("com.shop.sell")
    assert caught.value.uri == "wamp.error.runtime_error"
    assert "can't commit" in caplog.text


def test_background_tasks_are_done_before_the_bridge_has_its_answer(
    wamp: WampBridge, bridge: SignedBridge
) -> None:
    @wamp.rpc()
    async def sell(
        product: str, tasks: BackgroundTasks, _recorded: Annotated[None, Depends(recorded)]
    ) -> str:
        tasks.add_task(log.append, "of the handler")
        return product

    @wamp.rpc()
    def fail(tasks: BackgroundTasks) -> None:
        tasks.add_task([].pop)

    assert bridge.invoke("com.shop.sell", ["tea"]) == "tea"
    assert log == ["of a dependency", "of the handler"]
    with pytest.raises(ApplicationError):
        bridge.invoke("com.shop.fail")
    with pytest.raises(InvalidArgument):
        bridge.invoke("com.shop.sell", ["tea"], {"tasks": []})


def test_a_dependency_may_refuse(wamp: WampBridge, bridge: SignedBridge) -> None:
    @wamp.rpc()
    def sell(_allowed: Annotated[None, Depends(refuse)]) -> None:
        log.append("sold")

    @wamp.rpc()
    def buy(_token: Annotated[Any, Depends(HTTPBearer())]) -> None:
        log.append("bought")

    with pytest.raises(Forbidden, match="not you"):
        bridge.invoke("com.shop.sell")
    with pytest.raises(Forbidden):
        bridge.invoke("com.shop.buy")
    assert log == []


def test_overrides_of_the_app_hold(wamp: WampBridge, bridge: SignedBridge, app: FastAPI) -> None:
    @wamp.rpc()
    def which(session: Session) -> str:
        return session

    assert bridge.invoke("com.shop.which") == "session on a connection"
    app.dependency_overrides[connection] = lambda: "fake"
    assert bridge.invoke("com.shop.which") == "session on a fake"
    del app.dependency_overrides[connection]
    assert bridge.invoke("com.shop.which") == "session on a connection"


def test_a_handler_that_runs_once_has_dependencies(wamp: WampBridge, bridge: SignedBridge) -> None:
    @wamp.sub()
    @Once()
    async def sold(product: str, session: Session, details: EventDetails) -> None:
        log.append(f"{product} {details.publication} {session}")

    for _ in range(2):
        assert bridge.publish("com.shop.sold", ["tea"], delivery_id="d").status == 204
    assert log.count("tea 1 session on a connection") == 1


def test_what_may_be_a_dependency_and_is_not_seen_is_told(wamp: WampBridge) -> None:
    def local() -> None: ...

    def by_local(allowed: Annotated[None, Depends(local)]) -> None: ...

    def by_import(amount: Decimal) -> None: ...

    for function in (by_local, by_import):
        with pytest.raises(ConfigurationError, match="TYPE_CHECKING"):
            wamp.rpc()(function)


async def test_without_a_request_of_fastapi_it_is_told_what_lacks(
    wamp: WampBridge, secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    @wamp.rpc()
    def which(_session: Session) -> None: ...

    body = (
        b'{"type":"invocation","endpoint":{"uri":"com.shop.which","match":"exact"},'
        b'"procedure":"com.shop.which"}'
    )
    answer = await wamp.handle_async(signed_request(body, secrets=[secret]))
    assert answer.status == 500
    assert isinstance(answer.error, ConfigurationError)
    assert "request" in caplog.text


def test_what_marks_a_part_of_an_http_request_is_refused(wamp: WampBridge) -> None:
    for mark in (Query(), Header(), Path(), Cookie(), Body(), Form(), File()):
        name = type(mark).__name__

        def by_default(first: int, page: Any = mark) -> None: ...

        async def annotated(first: int, page: int = 1) -> None: ...

        annotated.__annotations__["page"] = Annotated[int, mark]
        for function in (by_default, annotated):
            for declare in (wamp.rpc(), wamp.sub()):
                with pytest.raises(ConfigurationError, match=rf"'page' is marked {name}\(\)"):
                    declare(function)
    assert wamp.registry.is_empty
