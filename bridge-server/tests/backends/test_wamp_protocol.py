"""The WAMP session, message by message."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from support.listening import Stuck
from support.scripted_router import (
    CALL,
    CANCEL,
    ERROR,
    GOODBYE,
    HURRIED,
    INTERRUPT,
    INVOCATION,
    PUBLISH,
    RESULT,
    UNREGISTER,
    UNREGISTERED,
    obliging,
)
from support.waiting import eventually
from wamp_bridge_server.backends.base import PublishOptions, Unavailable, Undeliverable, WampError
from wamp_bridge_server.backends.wamp import WampBackend

if TYPE_CHECKING:
    from support.listening import Listening
    from support.scripted_router import ScriptedRouter
    from wamp_bridge_server.backends.base import Session


async def test_hello_announces_what_the_session_can_do(
    scripted: ScriptedRouter, session: Session
) -> None:
    assert session.joined
    _, realm, details = scripted.received[0]
    assert realm == "realm1"
    assert details["authmethods"] == ["anonymous"]
    features = {role: set(about["features"]) for role, about in details["roles"].items()}
    assert features["caller"] >= {"call_canceling", "caller_identification"}
    assert features["callee"] >= {
        "call_canceling",
        "caller_identification",
        "pattern_based_registration",
        "shared_registration",
    }
    assert features["publisher"] >= {"publisher_exclusion", "subscriber_blackwhite_listing"}
    assert features["subscriber"] >= {"pattern_based_subscription", "publisher_identification"}


async def test_requests_are_numbered_without_gaps(
    scripted: ScriptedRouter, session: Session
) -> None:
    options = PublishOptions(acknowledge=False)
    await session.publish("com.a", [], {}, options)
    with pytest.raises(Undeliverable):
        await session.publish("com.a", ["x" * 2**24], {}, options)
    await session.publish("com.a", [], {}, options)
    await eventually(lambda: len(scripted.of_kind(PUBLISH)) == 2)
    assert [message[1] for message in scripted.of_kind(PUBLISH)] == [1, 2]


async def test_a_message_longer_than_the_router_takes_is_refused(
    scripted: ScriptedRouter, listening: Listening
) -> None:
    scripted.handshake = b"\x7f\x73\x00\x00"  # 2 ** (9 + 7) bytes
    backend = WampBackend(scripted.url, patience=HURRIED)
    await backend.start(listening)
    session = backend.session("shop")
    with pytest.raises(Undeliverable, match="more than the router takes"):
        await session.publish("com.a", ["x" * 2**16], {}, PublishOptions(acknowledge=False))
    await session.publish("com.a", ["x" * 60_000], {}, PublishOptions(acknowledge=False))
    assert session.joined
    await backend.close()


@pytest.mark.parametrize(
    ("extra", "feature", "expected"),
    [
        ({"x_cb_node": "n"}, False, 5),  # Crossbar reads seconds, and announces nothing
        ({}, True, 5000),
        ({}, False, None),
    ],
)
async def test_the_router_gets_a_later_deadline_in_its_own_unit(
    scripted: ScriptedRouter,
    listening: Listening,
    extra: dict[str, Any],
    feature: bool,
    expected: int | None,
) -> None:
    scripted.extra = extra
    scripted.roles = {"dealer": {"features": {"call_timeout": feature, "call_canceling": True}}}
    backend = WampBackend(scripted.url, patience=HURRIED)
    backend._listener = listening
    call = asyncio.create_task(backend.session("shop").call("com.f", [], {}, timeout=2.2))
    await eventually(lambda: scripted.of_kind(CALL))
    assert scripted.of_kind(CALL)[0][2].get("timeout") == expected
    call.cancel()
    await asyncio.wait([call])
    await backend.close()


async def test_a_call_given_up_is_cancelled_and_its_late_answer_ignored(
    scripted: ScriptedRouter, session: Session
) -> None:
    with pytest.raises(WampError, match="timeout"):
        await session.call("com.f", [], {}, timeout=0.05)
    await eventually(lambda: scripted.of_kind(CANCEL))
    request = scripted.of_kind(CALL)[0][1]
    assert scripted.of_kind(CANCEL) == [[CANCEL, request, {"mode": "killnowait"}]]
    scripted.send([RESULT, request, {}, ["late"]])
    scripted.send([ERROR, CALL, request, {}, "wamp.error.canceled"])
    scripted.answer = lambda message: (
        [RESULT, message[1], {}, [1], {"a": 2}] if message[0] == CALL else None
    )
    result = await session.call("com.f", [], {}, timeout=5)
    assert (result.args, result.kwargs) == ([1], {"a": 2})


async def test_a_router_that_cannot_cancel_is_not_asked_to(
    scripted: ScriptedRouter, listening: Listening
) -> None:
    scripted.roles = {"dealer": {"features": {}}}
    backend = WampBackend(scripted.url, patience=HURRIED)
    backend._listener = listening
    session = backend.session("shop")
    with pytest.raises(WampError, match="timeout"):
        await session.call("com.f", [], {}, timeout=0.05)
    with pytest.raises(WampError, match="option_not_allowed"):
        await session.register("com", "prefix", "single")
    with pytest.raises(WampError, match="option_not_allowed"):
        await session.register("com.f", "exact", "roundrobin")
    with pytest.raises(WampError, match="option_not_allowed"):
        await session.subscribe("com", "prefix")
    for options in (
        PublishOptions(retain=True),
        PublishOptions(exclude_me=True),
        PublishOptions(eligible=[]),
        PublishOptions(eligible_authrole=["admin"]),
        PublishOptions(exclude_authid=["mallory"]),
    ):
        with pytest.raises(WampError, match="option_not_allowed"):
            await session.publish("com.a", [], {}, options)
    await backend.close()
    assert [message[0] for message in scripted.received] == [1, CALL, GOODBYE]


async def test_an_interrupt_cancels_and_is_answered(
    scripted: ScriptedRouter, listening: Listening, session: Session
) -> None:
    stuck = listening.handlers["com.f"] = Stuck()
    scripted.answer = obliging
    await session.register("com.f", "exact", "single")
    scripted.send([INVOCATION, 5, 77, {"caller": 9, "timeout": 3000}])
    await stuck.entered.wait()
    assert listening.invocations[0][1].details.deadline_seconds == 3
    scripted.send([INTERRUPT, 5, {"mode": "kill"}])
    await eventually(lambda: scripted.of_kind(ERROR))
    assert scripted.of_kind(ERROR)[0][1:5] == [INVOCATION, 5, {}, "wamp.error.canceled"]
    # One that is interrupted before it has begun is answered as well.
    scripted.send([INVOCATION, 6, 77, {}])
    scripted.send([INTERRUPT, 6, {}])
    await eventually(lambda: len(scripted.of_kind(ERROR)) == 2)
    assert scripted.of_kind(ERROR)[1][1:5] == [INVOCATION, 6, {}, "wamp.error.canceled"]


async def test_a_registration_taken_back_by_the_router_is_noticed(
    scripted: ScriptedRouter, listening: Listening, session: Session
) -> None:
    scripted.answer = obliging
    await session.register("com.f", "exact", "single")
    scripted.send([UNREGISTERED, 0, {"registration": 77, "reason": "wamp.error.unregistered"}])
    await eventually(lambda: listening.joins == ["shop", "shop"])
    assert "took back" in listening.leaves[0][1]
    await session.register("com.f", "exact", "single")


async def test_pings_are_answered(scripted: ScriptedRouter, session: Session) -> None:
    scripted.send_frame(1, b"are you there?")
    await eventually(lambda: scripted.pongs == [b"are you there?"])
    assert session.joined


async def test_a_goodbye_is_returned_and_the_session_made_again(
    scripted: ScriptedRouter, listening: Listening, session: Session
) -> None:
    pending = asyncio.create_task(session.call("com.f", [], {}, timeout=30))
    await eventually(lambda: scripted.of_kind(CALL))
    scripted.send([GOODBYE, {}, "wamp.close.system_shutdown"])
    with pytest.raises(Unavailable, match="system_shutdown"):
        await pending
    await eventually(lambda: len(listening.joins) == 2)
    assert scripted.of_kind(GOODBYE)[0][2] == "wamp.close.goodbye_and_out"


async def test_what_is_pending_fails_when_the_connection_goes(
    scripted: ScriptedRouter, listening: Listening, session: Session
) -> None:
    stuck = listening.handlers["com.f"] = Stuck()
    scripted.answer = obliging
    await session.register("com.f", "exact", "single")
    scripted.send([INVOCATION, 5, 77, {}])
    await stuck.entered.wait()
    scripted.answer = lambda _: None
    waiting = [
        asyncio.create_task(coroutine)
        for coroutine in (
            session.call("com.g", [], {}, timeout=30),
            session.publish("com.a", [], {}, PublishOptions()),
            session.subscribe("com.a", "exact"),
            session.register("com.h", "exact", "single"),
            session.unregister(77),
        )
    ]
    await eventually(lambda: scripted.of_kind(UNREGISTER))
    scripted.drop()
    for outcome in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(outcome, Unavailable)
    await eventually(lambda: listening.cancelled == ["com.f"])
    await eventually(lambda: len(listening.joins) == 2)
    scripted.answer = obliging
    await session.register("com.f", "exact", "single")
