from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

from support.sample_app import DISPATCHER, SECRET, local
from wamp_bridge.core import (
    Endpoint,
    InvocationEnvelope,
    Request,
    Response,
)
from wamp_bridge.core.testing import SignedBridge, read_answer, signed_request

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    import pytest


def invocation(**members: Any) -> bytes:
    body = {
        "type": "invocation",
        "endpoint": {"uri": "com.shop.echo", "match": "exact"},
        "procedure": "com.shop.echo",
        "args": [],
        "kwargs": {},
        "details": {},
    }
    return json.dumps(body | members).encode()


def test_a_synchronous_driver_runs_handlers_in_its_thread() -> None:
    token = local.set("mine")
    bridge = SignedBridge(DISPATCHER.dispatch, [SECRET])
    try:
        assert bridge.invoke("com.shop.thread") == [threading.get_ident(), "mine"]
        assert bridge.invoke("com.shop.loop") == [threading.get_ident(), "mine"]
    finally:
        local.reset(token)


async def test_an_asynchronous_driver_keeps_its_loop_free() -> None:
    local.set("mine")

    async def ask(procedure: str) -> Any:
        envelope = InvocationEnvelope(Endpoint(procedure), procedure)
        request = signed_request(envelope, secrets=[SECRET])
        return read_answer(await DISPATCHER.dispatch_async(request)).value

    assert await ask("com.shop.loop") == [threading.get_ident(), "mine"]
    ident, variable = await ask("com.shop.thread")
    assert ident != threading.get_ident()
    assert variable == "mine"


async def test_a_synchronous_driver_on_a_running_loop_takes_another_thread() -> None:
    local.set("mine")
    bridge = SignedBridge(DISPATCHER.dispatch, [SECRET])
    ident, variable = bridge.invoke("com.shop.loop")
    assert ident != threading.get_ident()
    assert variable == "mine"


def test_the_log_has_nothing_of_the_driver_in_an_asynchronous_handler_s_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    SignedBridge(DISPATCHER.dispatch, [SECRET]).publish("com.shop.fails")
    assert "Traceback" in caplog.text
    assert "During handling of the above exception" not in caplog.text


def test_an_adapter_may_bring_its_own_way_to_wait() -> None:
    waited: list[Any] = []

    def run_async(function: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        waited.append(1)
        return asyncio.run(function())

    def send_so(request: Request) -> Response:
        return DISPATCHER.dispatch(request, run_async=run_async)

    assert SignedBridge(send_so, [SECRET]).invoke("com.shop.async_double", [2]) == 4
    assert waited


async def test_an_adapter_may_bring_its_own_threads() -> None:
    ran: list[Any] = []

    async def run_sync(function: Callable[[], Any]) -> Any:
        ran.append(1)
        return function()

    request = signed_request(invocation(args=[1]), secrets=[SECRET])
    response = await DISPATCHER.dispatch_async(request, run_sync=run_sync)
    assert json.loads(response.body) == [[1], {}]
    assert ran


def test_many_threads_are_served_together() -> None:
    bridge = SignedBridge(DISPATCHER.dispatch, [SECRET])
    wrong: list[int] = []

    def work(number: int) -> None:
        for i in range(25):
            expected = [[number, i], {}]
            if bridge.invoke("com.shop.echo", [number, i]) != expected:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for worker in threads:
        worker.start()
    for worker in threads:
        worker.join()
    assert not wrong
