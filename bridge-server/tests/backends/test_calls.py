"""Calls, on every kind of backend."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import pytest

from support.listening import Listening, Stuck, raising, returning
from support.waiting import eventually
from wamp_bridge_server.backends.base import (
    Backend,
    PublishOptions,
    Result,
    Session,
    Unavailable,
    Undeliverable,
    WampError,
)

if TYPE_CHECKING:
    from wamp_bridge_server.backends.base import Invocation


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


async def called(session: Session, procedure: str, *args: Any, **kwargs: Any) -> Result:
    return await session.call(procedure, args, kwargs, timeout=10)


async def error_of(session: Session, procedure: str, *args: Any) -> WampError:
    with pytest.raises(WampError) as caught:
        await session.call(procedure, args, {}, timeout=10)
    return caught.value


async def test_a_session_joins_and_says_so(backend: Backend, listening: Listening) -> None:
    session = backend.session("shop")
    await eventually(lambda: listening.joins == ["shop"])
    assert session.joined
    assert backend.session("shop") is session
    assert {
        "dealer.shared_registration",
        "dealer.pattern_based_registration",
        "dealer.call_canceling",
        "broker.pattern_based_subscription",
        "broker.publisher_exclusion",
        "broker.subscriber_blackwhite_listing",
    } <= session.features


async def test_a_listener_that_fails_does_not_keep_a_session_from_joining(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    def fail(app: str) -> None:
        raise RuntimeError(app)

    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    listening.on_join = fail
    session = backend.session("shop")
    await eventually(lambda: listening.joins == ["shop"])
    await session.register(namespace, "exact", "single")
    assert (await called(session, namespace, 1)).args == [[1]]


async def test_a_call_made_at_once_waits_for_the_session_to_join(
    backend: Backend, namespace: str
) -> None:
    error = await error_of(backend.session("shop"), f"{namespace}.nobody")
    assert error.uri == "wamp.error.no_such_procedure"


async def test_arguments_and_results_arrive(backend: Backend, namespace: str) -> None:
    await backend.session("shop").register(namespace, "exact", "single")
    result = await called(backend.session("other"), namespace, 1, "two", x=[3], y={"four": 5})
    assert list(result.args) == [[1, "two"]]
    assert result.kwargs == {"x": [3], "y": {"four": 5}}


async def test_keyword_arguments_may_have_any_name(backend: Backend, namespace: str) -> None:
    names = ["self", "options", "procedure", "details", "topic", "args", "kwargs", "", "a b", "é"]
    await backend.session("shop").register(namespace, "exact", "single")
    kwargs = {name: number for number, name in enumerate(names)}
    result = await backend.session("other").call(namespace, [], kwargs, timeout=10)
    assert result.kwargs == kwargs


async def test_a_session_may_call_itself(backend: Backend, namespace: str) -> None:
    shop = backend.session("shop")
    await shop.register(namespace, "exact", "single")
    assert (await called(shop, namespace, 7)).args == [[7]]


async def test_a_callee_may_call_while_it_serves(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    shop = backend.session("shop")

    async def outer(invocation: Invocation) -> Result:
        return await shop.call(f"{namespace}.inner", invocation.args, {}, timeout=10)

    listening.handlers[f"{namespace}.outer"] = outer
    await shop.register(f"{namespace}.outer", "exact", "single")
    await shop.register(f"{namespace}.inner", "exact", "single")
    assert (await called(shop, f"{namespace}.outer", 3)).args == [[3]]


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        2**53 + 1,
        2**63,
        2**64 - 1,
        -(2**63),
        1.5,
        1e308,
        -0.1,
        "",
        "naïve \U0001f600 text",
        "\0 and more",
        b"",
        b"\0\xff\xfe",
        [],
        {},
        [[], {}, [{"": None}]],
        nested(63),  # the echo adds one
    ],
    ids=lambda value: repr(value)[:24],
)
async def test_values_arrive_exactly(backend: Backend, namespace: str, value: Any) -> None:
    await backend.session("shop").register(namespace, "exact", "single")
    result = await called(backend.session("other"), namespace, value, key=value)
    assert result.args == [[value]]
    assert result.kwargs == {"key": value}
    assert type(result.args[0][0]) is type(value)


async def test_values_are_copies_and_tuples_lists(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    kept = [1]
    listening.handlers[namespace] = returning(kept, (1, 2))
    shop = backend.session("shop")
    await shop.register(namespace, "exact", "single")
    given = [2]
    result = await called(shop, namespace, given, (3,))
    assert result.args == [[1], [1, 2]]
    assert result.args[0] is not kept
    taken = listening.invocations[0][1].args
    assert taken == [[2], [3]]
    assert taken[0] is not given


@pytest.mark.parametrize(
    "value",
    [
        2**64,
        -(2**63) - 1,
        math.nan,
        math.inf,
        -math.inf,
        "\ud800",
        {"\ud800": 1},
        {1: 2},
        {None: 2},
        {1, 2},
        object,
        1j,
        nested(65),
        [nested(400)],
        nested(5000),
    ],
    ids=lambda value: repr(value)[:24] if not isinstance(value, list) else "deep",
)
async def test_what_wamp_cannot_carry_is_refused_before_it_is_sent(
    backend: Backend, listening: Listening, namespace: str, value: Any
) -> None:
    shop = backend.session("shop")
    await shop.register(namespace, "exact", "single")
    with pytest.raises(Undeliverable):
        await called(shop, namespace, value)
    with pytest.raises(Undeliverable):
        await called(shop, namespace, key=value)
    with pytest.raises(Undeliverable):
        await shop.publish(namespace, [value], {}, PublishOptions())
    assert (await called(shop, namespace, 1)).args == [[1]]
    assert listening.leaves == []


@pytest.mark.parametrize("uri", ["", ".", "com..x", "com.", ".com", "a b", "a\tb", "a#b", "\ud800"])
async def test_bad_uris_are_refused_before_they_are_sent(
    backend: Backend, listening: Listening, namespace: str, uri: str
) -> None:
    shop = backend.session("shop")
    await shop.register(namespace, "exact", "single")
    with pytest.raises(Undeliverable):
        await called(shop, uri)
    with pytest.raises(Undeliverable):
        await shop.publish(uri, [], {}, PublishOptions())
    for match in ("exact", "prefix"):
        with pytest.raises(Undeliverable):
            await shop.register(uri, match, "single")
        with pytest.raises(Undeliverable):
            await shop.subscribe(uri, match)
    assert (await called(shop, namespace, 1)).args == [[1]]
    assert listening.leaves == []


async def test_a_callees_error_arrives_whole(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    listening.handlers[namespace] = raising(WampError("com.error.sold_out", [1], {"left": 0}))
    await backend.session("shop").register(namespace, "exact", "single")
    error = await error_of(backend.session("other"), namespace)
    assert (error.uri, error.wamp_args, error.wamp_kwargs) == (
        "com.error.sold_out",
        [1],
        {"left": 0},
    )


@pytest.mark.parametrize(
    "problem",
    [
        WampError("not a uri"),
        WampError("com..error"),
        WampError("com.error", [math.nan]),
        WampError("com.error", [], {"deep": nested(100)}),
    ],
    ids=["space", "empty component", "nan", "deep"],
)
async def test_an_error_that_cannot_be_delivered_is_a_runtime_error(
    backend: Backend, listening: Listening, namespace: str, problem: WampError
) -> None:
    listening.handlers[namespace] = raising(problem)
    await backend.session("shop").register(namespace, "exact", "single")
    assert (await error_of(backend.session("other"), namespace)).uri == "wamp.error.runtime_error"
    assert listening.leaves == []


@pytest.mark.parametrize("value", [math.nan, {1: 2}, 2**64, nested(100), object(), "\ud800"])
async def test_a_result_that_cannot_be_delivered_is_a_runtime_error(
    backend: Backend, listening: Listening, namespace: str, value: Any
) -> None:
    listening.handlers[namespace] = returning(value)
    shop = backend.session("shop")
    await shop.register(namespace, "exact", "single")
    assert (await error_of(backend.session("other"), namespace)).uri == "wamp.error.runtime_error"
    listening.handlers[namespace] = returning("still here")
    assert (await called(shop, namespace)).args == ["still here"]
    assert listening.leaves == []


async def test_a_fault_of_the_listener_is_a_runtime_error_that_tells_nothing(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    listening.handlers[namespace] = raising(KeyError("s3cret"))
    await backend.session("shop").register(namespace, "exact", "single")
    error = await error_of(backend.session("other"), namespace)
    assert error.uri == "wamp.error.runtime_error"
    assert "s3cret" not in repr(error)


async def test_a_call_ends_at_its_deadline_and_the_callee_is_cancelled(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    stuck = listening.handlers[namespace] = Stuck()
    await backend.session("shop").register(namespace, "exact", "single")
    other = backend.session("other")
    began = asyncio.get_running_loop().time()
    with pytest.raises(WampError) as caught:
        await other.call(namespace, [], {}, timeout=0.3)
    took = asyncio.get_running_loop().time() - began
    assert caught.value.uri == "wamp.error.timeout"
    assert 0.25 < took < 5
    assert stuck.entered.is_set()
    await eventually(lambda: listening.cancelled == [namespace])
    stuck.release.set()
    listening.handlers.clear()
    assert (await called(other, namespace, 1)).args == [[1]]


async def test_a_cancelled_call_is_cancelled_at_the_callee(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    stuck = listening.handlers[namespace] = Stuck()
    await backend.session("shop").register(namespace, "exact", "single")
    call = asyncio.create_task(called(backend.session("other"), namespace))
    await stuck.entered.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await eventually(lambda: listening.cancelled == [namespace])


async def test_an_invocation_says_who_calls_and_how_long_it_waits(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    await backend.session("shop").register(namespace, "exact", "single")
    await backend.session("other").call(namespace, [], {}, timeout=5)
    app, invocation = listening.invocations[0]
    assert app == "shop"
    assert (invocation.uri, invocation.match, invocation.procedure) == (
        namespace,
        "exact",
        namespace,
    )
    details = invocation.details
    assert details.app == "other"
    assert details.session
    assert details.authid
    assert details.authrole
    assert details.deadline_seconds is not None
    assert 5 <= details.deadline_seconds <= 8


async def test_many_calls_at_once(backend: Backend, namespace: str) -> None:
    await backend.session("shop").register(namespace, "exact", "single")
    other = backend.session("other")
    results = await asyncio.gather(*(called(other, namespace, number) for number in range(500)))
    assert [result.args for result in results] == [[[number]] for number in range(500)]


async def test_closing_ends_what_is_under_way(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    stuck = listening.handlers[namespace] = Stuck()
    shop, other = backend.session("shop"), backend.session("other")
    await shop.register(namespace, "exact", "single")
    call = asyncio.create_task(called(other, namespace))
    await stuck.entered.wait()
    await backend.close()
    with pytest.raises((Unavailable, WampError)):
        await call
    assert not backend.joined
    assert not shop.joined
    for session in (shop, other, backend.session("new")):
        with pytest.raises(Unavailable):
            await called(session, namespace)
        with pytest.raises(Unavailable):
            await session.subscribe(namespace, "exact")
