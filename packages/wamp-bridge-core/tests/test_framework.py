"""What an adapter may give to handlers, and what it learns of how they ended."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from wamp_bridge.core import (
    ApplicationError,
    BridgeError,
    ConfigurationError,
    Dispatcher,
    DuplicateName,
    Forbidden,
    Handler,
    InvalidArgument,
    InvalidValue,
    InvocationDetails,
    Outcome,
    Registry,
    Request,
    Response,
    Settings,
    WampBridgeBase,
    current_request,
    error_of_status,
)
from wamp_bridge.core.testing import SignedBridge


class Visit:
    """A framework's request."""


VISIT = Visit()


class Framework(WampBridgeBase):
    """An adapter of a framework that has a request, and errors of its own."""

    request_class = Visit

    def wamp_error(self, error: Exception) -> BridgeError | None:
        if isinstance(error, PermissionError):
            return error_of_status(403, *error.args)
        return None


@pytest.fixture
def wamp() -> Framework:
    return Framework({"WAMP_BRIDGE_VERIFY": "no"})


def sync(wamp: Framework, request: Request) -> Response:
    return wamp.handle(request)


def on_loop(wamp: Framework, request: Request) -> Response:
    return asyncio.run(wamp.handle_async(request))


@pytest.fixture(params=[sync, on_loop])
def bridge(request: pytest.FixtureRequest, wamp: Framework) -> SignedBridge:
    def send(asked: Request) -> Response:
        answer: Response = request.param(wamp, dataclasses.replace(asked, native=VISIT))
        return answer

    return SignedBridge(send)


def test_a_parameter_gets_the_request_that_its_annotation_asks_for(
    wamp: Framework, bridge: SignedBridge
) -> None:
    @wamp.rpc("com.f")
    def first(visit: Visit, a: int, b: int = 2) -> Any:
        return [visit is VISIT, a, b]

    @wamp.rpc("com.g")
    async def some(a: int, details: InvocationDetails, /, *, visit: Visit | None) -> Any:
        return [visit is VISIT, a, details.procedure]

    @wamp.rpc("com.h")
    def none(a: int, visit: int = 3) -> Any:
        return [a, visit]

    assert bridge.invoke("com.f", [1]) == [True, 1, 2]
    assert bridge.invoke("com.f", [], {"b": 3, "a": 4}) == [True, 4, 3]
    assert bridge.invoke("com.g", [1]) == [True, 1, "com.g"]
    assert bridge.invoke("com.h", [1], {"visit": 2}) == [1, 2]


def test_no_caller_can_put_anything_in_its_place(wamp: Framework, bridge: SignedBridge) -> None:
    @wamp.rpc("com.f")
    def first(a: int, visit: Visit, **more: Any) -> Any:
        return [a, visit is VISIT, more]

    for args, kwargs in (([1], {"visit": 2}), ([1, 2], {}), ([], {})):
        with pytest.raises(InvalidArgument):
            bridge.invoke("com.f", args, kwargs)
    assert bridge.invoke("com.f", [1], {"other": 2}) == [1, True, {"other": 2}]


def test_a_callback_gets_it_beside_the_outcome(wamp: Framework, bridge: SignedBridge) -> None:
    seen: list[object] = []

    @wamp.callback()
    def done(outcome: Outcome, visit: Visit) -> None:
        seen.extend([outcome.call, visit])

    assert bridge.succeed("done", [1], call="c").status == 204
    assert seen == ["c", VISIT]


def test_what_a_handler_calls_can_ask_for_it(wamp: Framework, bridge: SignedBridge) -> None:
    wamp.rpc("com.f")(lambda: current_request() is VISIT)

    @wamp.rpc("com.g")
    async def awaited() -> bool:
        await asyncio.sleep(0)
        return current_request() is VISIT

    assert bridge.invoke("com.f")
    assert bridge.invoke("com.g")
    assert current_request() is None


def test_where_there_is_none_a_handler_that_wants_it_is_not_called(
    wamp: Framework, caplog: pytest.LogCaptureFixture
) -> None:
    @wamp.rpc("com.f")
    def first(visit: Visit) -> None:
        raise AssertionError(visit)

    with pytest.raises(ApplicationError, match="not set up"):
        SignedBridge(wamp.handle).invoke("com.f")
    assert "first" in caplog.text


def test_only_one_parameter_can_want_it(wamp: Framework) -> None:
    def greedy(one: Visit, two: Visit) -> None: ...

    with pytest.raises(ConfigurationError, match=r"greedy .* annotated Visit"):
        wamp.rpc("com.f")(greedy)


def test_the_framework_s_errors_are_told_as_those_of_wamp(
    wamp: Framework, bridge: SignedBridge, caplog: pytest.LogCaptureFixture
) -> None:
    @wamp.rpc("com.f")
    def refuse(*why: object) -> None:
        raise PermissionError(*why)

    with pytest.raises(Forbidden, match="not you"):
        bridge.invoke("com.f", ["not you"])
    assert not caplog.records
    wamp.rpc("com.g")(lambda: refuse(object()))  # tells what JSON lacks
    with pytest.raises(ApplicationError, match="runtime_error"):
        bridge.invoke("com.g")
    assert "failed" in caplog.text


def test_a_handler_can_be_added_that_was_declared_elsewhere() -> None:
    registry = Registry()
    handler = Handler("procedure", "com.f", len)
    registry.add(handler)
    assert registry.table().procedures == {"com.f": handler}
    with pytest.raises(DuplicateName):
        registry.add(handler)


def test_an_app_may_have_handlers_of_its_own() -> None:
    registry = Registry()
    wamp = WampBridgeBase({"WAMP_BRIDGE_VERIFY": "no"})
    wamp.add_mount({"WAMP_BRIDGE_VERIFY": "no"}, registry=registry)
    registry.rpc("com.f")(len)
    registry.callback("done")(print)
    assert SignedBridge(wamp.handle).invoke("com.f", ["abc"]) == 3
    assert wamp.checked_callback("done") == "done"
    assert wamp.registry.is_empty


def test_a_response_says_what_the_handler_raised() -> None:
    registry = Registry()
    responses: list[Response] = []
    dispatcher = Dispatcher(registry, Settings(verify=False))

    def send(request: Request) -> Response:
        responses.append(dispatcher.dispatch(request))
        return responses[-1]

    bridge = SignedBridge(send)
    raised = {"application": ApplicationError("com.error.no"), "bug": LookupError("no")}

    @registry.rpc("com.f")
    def fails(what: str) -> Any:
        if what == "unsuited":
            return object()
        if what == "nothing":
            return None
        raise raised[what]

    bridge.invoke("com.f", ["nothing"])
    assert responses[-1].error is None
    for what, error in raised.items():
        with pytest.raises(ApplicationError):
            bridge.invoke("com.f", [what])
        assert responses[-1].error is error
    with pytest.raises(ApplicationError):
        bridge.invoke("com.f", ["unsuited"])
    assert isinstance(responses[-1].error, InvalidValue)
    with pytest.raises(InvalidArgument):  # no handler ran
        bridge.invoke("com.f")
    assert responses[-1].error is None
