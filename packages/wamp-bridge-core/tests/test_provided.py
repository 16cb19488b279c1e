"""What an adapter may give to handlers, and what it learns of how they ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from wamp_bridge.core import (
    ApplicationError,
    ConfigurationError,
    Dispatcher,
    DuplicateName,
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
)
from wamp_bridge.core.testing import SignedBridge

if TYPE_CHECKING:
    from collections.abc import Callable


class Visit:
    """What a framework might have for each request."""


class Session:
    """And another."""


VISIT, SESSION = Visit(), Session()
PROVIDED: dict[type, Callable[[], Any]] = {Visit: lambda: VISIT, Session: lambda: SESSION}


@pytest.fixture
def registry() -> Registry:
    return Registry(PROVIDED)


@pytest.fixture
def bridge(registry: Registry) -> SignedBridge:
    return SignedBridge(Dispatcher(registry, Settings(verify=False)).dispatch)


def test_a_parameter_gets_what_its_annotation_asks_for(
    registry: Registry, bridge: SignedBridge
) -> None:
    @registry.rpc("com.f")
    def first(visit: Visit, a: int, b: int = 2) -> Any:
        return [visit is VISIT, a, b]

    @registry.rpc("com.g")
    def some(a: int, details: InvocationDetails, /, *, s: Session, visit: Visit | None) -> Any:
        return [visit is VISIT, s is SESSION, a, details.procedure]

    @registry.rpc("com.h")
    def none(a: int, visit: int = 3) -> Any:
        return [a, visit]

    assert bridge.invoke("com.f", [1]) == [True, 1, 2]
    assert bridge.invoke("com.f", [], {"b": 3, "a": 4}) == [True, 4, 3]
    assert bridge.invoke("com.g", [1]) == [True, True, 1, "com.g"]
    assert bridge.invoke("com.h", [1], {"visit": 2}) == [1, 2]


def test_no_caller_can_put_anything_in_its_place(registry: Registry, bridge: SignedBridge) -> None:
    @registry.rpc("com.f")
    def first(a: int, visit: Visit, **more: Any) -> Any:
        return [a, visit is VISIT, more]

    for args, kwargs in (([1], {"visit": 2}), ([1, 2], {}), ([], {})):
        with pytest.raises(InvalidArgument):
            bridge.invoke("com.f", args, kwargs)
    assert bridge.invoke("com.f", [1], {"other": 2}) == [1, True, {"other": 2}]


def test_a_callback_gets_it_beside_the_outcome(registry: Registry, bridge: SignedBridge) -> None:
    seen: list[object] = []

    @registry.callback()
    def done(outcome: Outcome, visit: Visit) -> None:
        seen.extend([outcome.call, visit])

    assert bridge.succeed("done", [1], call="c").status == 204
    assert seen == ["c", VISIT]


def test_it_is_brought_anew_for_each_delivery() -> None:
    visits: list[Visit] = []

    def visit() -> Visit:
        visits.append(Visit())
        return visits[-1]

    registry = Registry({Visit: visit})
    bridge = SignedBridge(Dispatcher(registry, Settings(verify=False)).dispatch)

    @registry.rpc("com.f")
    async def first(visit: Visit) -> bool:
        return visit is visits[-1]

    assert [bridge.invoke("com.f") for _ in range(3)] == [True] * 3
    assert len(visits) == 3


def test_only_one_parameter_can_want_it(registry: Registry) -> None:
    def greedy(one: Visit, two: Visit) -> None: ...

    with pytest.raises(ConfigurationError, match=r"greedy .* annotated Visit"):
        registry.rpc("com.f")(greedy)


def test_a_handler_can_be_added_that_was_declared_elsewhere(registry: Registry) -> None:
    handler = Handler("procedure", "com.f", len)
    registry.add(handler)
    assert registry.table().procedures == {"com.f": handler}
    with pytest.raises(DuplicateName):
        registry.add(handler)


def test_an_app_may_have_handlers_of_its_own(registry: Registry) -> None:
    wamp = WampBridgeBase({"WAMP_BRIDGE_VERIFY": "no"})
    wamp.add_mount({"WAMP_BRIDGE_VERIFY": "no"}, registry=registry)
    registry.rpc("com.f")(len)
    registry.callback("done")(print)
    assert SignedBridge(wamp.handle).invoke("com.f", ["abc"]) == 3
    wamp.check_callback("done")
    assert wamp.registry.is_empty


def test_a_response_says_what_the_handler_raised(registry: Registry) -> None:
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
