"""Apps of the bridge and other people's clients at a real Crossbar."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from support.listening import Listening, Stuck, raising, returning
from support.peers import ApplicationError, CallResult, joined
from support.waiting import eventually
from wamp_bridge_server.backends.base import (
    PublishOptions,
    Undeliverable,
    WampError,
)
from wamp_bridge_server.backends.wamp.member import Member

if TYPE_CHECKING:
    from support.router import CrossbarRouter
    from wamp_bridge_server.backends.base import Session
    from wamp_bridge_server.backends.wamp import WampBackend
    from wamp_bridge_server.backends.wamp.session import WampSession

NAMES = {"self": 1, "options": 2, "procedure": 3, "details": 4, "topic": 5}


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def inside(session: Session) -> WampSession:
    assert isinstance(session, Member)
    assert session._current is not None
    return session._current.session


def assert_idle(session: Session) -> None:
    """No table of a session holds anything that is over."""
    assert not inside(session).requests.futures
    assert not inside(session).invocations.tasks


@pytest.mark.parametrize("serializer", ["cbor", "msgpack", "json"])
async def test_peers_of_every_kind_call_and_are_called(
    wamp: WampBackend,
    router: CrossbarRouter,
    listening: Listening,
    namespace: str,
    serializer: str,
) -> None:
    shop = wamp.session("shop")
    await shop.register(f"{namespace}.ours", "exact", "single")
    value = [2**53, -(2**63), 2**64 - 1, b"\0\xff", "é", 1.5, None, True, {"a": []}]
    async with joined(router.url, serializer=serializer) as peer:
        await peer.register(f"{namespace}.theirs", lambda *args, **kwargs: [list(args), kwargs])
        listening.handlers[f"{namespace}.ours"] = returning(value)
        assert await peer.call(f"{namespace}.ours", value, **NAMES) == value
        invocation = listening.invocations[0][1]
        assert (invocation.args, invocation.kwargs) == ([value], NAMES)
        assert invocation.details.session == peer.id
        assert invocation.details.authrole == "anonymous"
        assert invocation.details.app is None
        result = await shop.call(f"{namespace}.theirs", [value], NAMES, timeout=10)
        assert result.args == [[[value], NAMES]]
    assert_idle(shop)


async def test_results_of_several_values(
    wamp: WampBackend, router: CrossbarRouter, listening: Listening, namespace: str
) -> None:
    shop = wamp.session("shop")
    await shop.register(f"{namespace}.ours", "exact", "single")
    async with joined(router.url) as peer:
        await peer.register(f"{namespace}.theirs", lambda: CallResult(1, 2, a=3))
        await peer.register(f"{namespace}.nothing", CallResult)
        result = await shop.call(f"{namespace}.theirs", [], {}, timeout=10)
        assert (result.args, result.kwargs) == ([1, 2], {"a": 3})
        result = await shop.call(f"{namespace}.nothing", [], {}, timeout=10)
        assert (list(result.args), dict(result.kwargs)) == ([], {})
        listening.handlers[f"{namespace}.ours"] = returning(1, 2, a=3)
        theirs = await peer.call(f"{namespace}.ours")
        assert (list(theirs.results), theirs.kwresults) == ([1, 2], {"a": 3})


async def test_events_in_both_directions(
    wamp: WampBackend, router: CrossbarRouter, listening: Listening, namespace: str
) -> None:
    shop = wamp.session("shop")
    await shop.subscribe(namespace, "prefix")
    async with joined(router.url) as peer:
        got = await peer.subscribe(namespace, match="prefix")
        await peer.publish(f"{namespace}.a", 1, kwargs=NAMES, options={"exclude_me": True})
        await shop.publish(f"{namespace}.b", [2], NAMES, PublishOptions(exclude_me=True))
        event = await got.get()
        assert (event.args, event.kwargs, event.topic) == ([2], NAMES, f"{namespace}.b")
        assert event.details.publisher == inside(shop).id
        await eventually(lambda: listening.events)
        ours = listening.events[0][1]
        assert (ours.args, ours.kwargs, ours.topic) == ([1], NAMES, f"{namespace}.a")
        assert ours.details.session == peer.id


async def test_errors_in_both_directions(
    wamp: WampBackend, router: CrossbarRouter, listening: Listening, namespace: str
) -> None:
    def fail() -> None:
        raise ApplicationError("com.error.broken", 1, why="rust")

    shop = wamp.session("shop")
    await shop.register(f"{namespace}.ours", "exact", "single")
    listening.handlers[f"{namespace}.ours"] = raising(WampError("com.error.cold", [2], {"t": -3}))
    async with joined(router.url) as peer:
        await peer.register(f"{namespace}.theirs", fail)
        with pytest.raises(WampError) as ours:
            await shop.call(f"{namespace}.theirs", [], {}, timeout=10)
        with pytest.raises(ApplicationError) as theirs:
            await peer.call(f"{namespace}.ours")
    assert (ours.value.uri, ours.value.wamp_args) == ("com.error.broken", [1])
    assert ours.value.wamp_kwargs == {"why": "rust"}
    assert (theirs.value.error, theirs.value.args) == ("com.error.cold", (2,))
    assert theirs.value.kwargs == {"t": -3}


async def test_a_procedure_of_a_peer_is_taken(
    wamp: WampBackend, router: CrossbarRouter, namespace: str
) -> None:
    shop = wamp.session("shop")
    async with joined(router.url) as peer:
        registration = await peer.register(namespace, lambda: 1)
        with pytest.raises(WampError, match="procedure_already_exists"):
            await shop.register(namespace, "exact", "single")
        await registration.unregister()
        await shop.register(namespace, "exact", "single")


@pytest.mark.parametrize("mode", ["skip", "kill", "killnowait"])
async def test_a_peer_cancels_its_call(
    wamp: WampBackend, router: CrossbarRouter, listening: Listening, namespace: str, mode: str
) -> None:
    stuck = listening.handlers[namespace] = Stuck()
    shop = wamp.session("shop")
    await shop.register(namespace, "exact", "single")
    async with joined(router.url) as peer:
        request, reply = peer.request_call(namespace)
        await stuck.entered.wait()
        peer.cancel(request, mode)
        if mode == "skip":
            stuck.release.set()
        else:
            with pytest.raises(ApplicationError, match="canceled"):
                await reply
            await eventually(lambda: listening.cancelled == [namespace])
        await eventually(lambda: not inside(shop).invocations.tasks)
        listening.handlers[namespace] = returning("next")
        assert await peer.call(namespace) == "next"
    assert_idle(shop)


async def test_a_peers_deadline_is_known_and_kept(
    wamp: WampBackend, router: CrossbarRouter, listening: Listening, namespace: str
) -> None:
    listening.handlers[namespace] = Stuck()
    await wamp.session("shop").register(namespace, "exact", "single")
    async with joined(router.url) as peer:
        _, reply = peer.request_call(namespace, timeout=2)  # Crossbar's are seconds
        with pytest.raises(ApplicationError, match="canceled"):
            await reply
    assert listening.invocations[0][1].details.deadline_seconds == 2
    await eventually(lambda: listening.cancelled == [namespace])


async def test_a_callee_that_vanishes_ends_the_call(
    wamp: WampBackend, router: CrossbarRouter, namespace: str
) -> None:
    shop = wamp.session("shop")
    entered = asyncio.Event()

    async def wait() -> None:
        entered.set()
        await asyncio.Event().wait()

    async with joined(router.url) as peer:
        await peer.register(namespace, wait)
        call = asyncio.create_task(shop.call(namespace, [], {}, timeout=30))
        await entered.wait()
    with pytest.raises(WampError, match="canceled"):
        await call
    assert_idle(shop)


async def test_a_caller_that_vanishes_cancels_what_it_called(
    wamp: WampBackend, router: CrossbarRouter, listening: Listening, namespace: str
) -> None:
    stuck = listening.handlers[namespace] = Stuck()
    shop = wamp.session("shop")
    await shop.register(namespace, "exact", "single")
    async with joined(router.url) as peer:
        _, reply = peer.request_call(namespace)
        await stuck.entered.wait()
    with pytest.raises(ApplicationError):
        await reply
    await eventually(lambda: listening.cancelled == [namespace])
    assert_idle(shop)


async def test_a_call_given_up_is_interrupted_at_the_peer_and_its_result_ignored(
    wamp: WampBackend, router: CrossbarRouter, namespace: str
) -> None:
    shop = wamp.session("shop")
    late = asyncio.Event()

    async def stubborn() -> str:
        while not late.is_set():
            try:
                await late.wait()
            except asyncio.CancelledError:
                continue  # a callee that can't be interrupted
        return "late"

    async with joined(router.url) as peer:
        await peer.register(namespace, stubborn)
        with pytest.raises(WampError, match="timeout"):
            await shop.call(namespace, [], {}, timeout=0.2)
        call = asyncio.create_task(shop.call(namespace, [], {}, timeout=30))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])
        await eventually(lambda: len(peer.interrupted) == 2)
        late.set()
        result = await shop.call(namespace, [], {}, timeout=10)
        assert result.args == ["late"]
    assert_idle(shop)


async def test_no_table_grows_with_calls(
    wamp: WampBackend, router: CrossbarRouter, listening: Listening, namespace: str
) -> None:
    shop, other = wamp.session("shop"), wamp.session("other")
    await shop.register(namespace, "exact", "single")
    await shop.register(f"{namespace}.stuck", "exact", "single")
    listening.handlers[f"{namespace}.stuck"] = Stuck()
    async with joined(router.url):
        for _ in range(3):
            calls = [
                asyncio.create_task(other.call(procedure, [], {}, timeout=timeout))
                for _ in range(50)
                for procedure, timeout in (
                    (namespace, 10),
                    (f"{namespace}.stuck", 0.1),
                    (f"{namespace}.stuck", 30),
                    (f"{namespace}.nobody", 10),
                )
            ]
            await asyncio.gather(*calls[0::4], *calls[1::4], *calls[3::4], return_exceptions=True)
            for call in calls[2::4]:
                call.cancel()
            await asyncio.wait(calls)
    await eventually(lambda: not inside(shop).invocations.tasks)
    assert_idle(shop)
    assert_idle(other)
    assert len(asyncio.all_tasks()) < 8


async def test_what_is_too_long_for_the_router_costs_nothing(
    wamp: WampBackend, listening: Listening, namespace: str
) -> None:
    long = "x" * 2**24
    shop, other = wamp.session("shop"), wamp.session("other")
    await shop.register(namespace, "exact", "single")
    with pytest.raises(Undeliverable, match="more than the router takes"):
        await other.call(namespace, [long], {}, timeout=10)
    with pytest.raises(Undeliverable, match="more than the router takes"):
        await other.publish(namespace, [long], {}, PublishOptions())
    listening.handlers[namespace] = returning(long)
    with pytest.raises(WampError, match=r"runtime_error.*can't be delivered"):
        await other.call(namespace, [], {}, timeout=10)
    listening.handlers[namespace] = raising(WampError("com.error", [long]))
    with pytest.raises(WampError, match=r"runtime_error.*can't be delivered"):
        await other.call(namespace, [], {}, timeout=10)
    listening.handlers.clear()
    nearly = long[: 2**24 - 4096]
    result = await other.call(namespace, [nearly], {}, timeout=20)
    assert result.args == [[nearly]]
    assert listening.leaves == []


async def test_what_a_peer_nests_too_deep_is_answered(
    wamp: WampBackend, router: CrossbarRouter, listening: Listening, namespace: str
) -> None:
    shop = wamp.session("shop")
    await shop.register(f"{namespace}.ours", "exact", "single")
    await shop.subscribe(namespace, "exact")
    async with joined(router.url, serializer="json") as peer:
        await peer.register(f"{namespace}.theirs", lambda: nested(450))
        with pytest.raises(ApplicationError, match="invalid_argument"):
            await peer.call(f"{namespace}.ours", nested(450))
        with pytest.raises(WampError, match="runtime_error"):
            await shop.call(f"{namespace}.theirs", [], {}, timeout=10)
        await peer.publish(namespace, nested(450))
        await peer.publish(namespace, 1)
        await eventually(lambda: listening.events)
        assert [event.args for _, event in listening.events] == [[1]]
    assert listening.leaves == []


async def test_a_procedure_taken_by_force_is_noticed(
    wamp: WampBackend, router: CrossbarRouter, listening: Listening, namespace: str
) -> None:
    shop = wamp.session("shop")
    await shop.register(namespace, "exact", "single")
    async with joined(router.url) as peer:
        await peer.register(namespace, lambda: "theirs", force_reregister=True)
        await eventually(lambda: listening.joins == ["shop", "shop"])
        with pytest.raises(WampError, match="procedure_already_exists"):
            await shop.register(namespace, "exact", "single")


async def test_a_session_that_is_killed_is_made_again(
    wamp: WampBackend, router: CrossbarRouter, listening: Listening, namespace: str
) -> None:
    shop = wamp.session("shop")
    await shop.register(namespace, "exact", "single")
    async with joined(router.url) as peer:
        await peer.call("wamp.session.kill", inside(shop).id, reason="com.reason.tired")
        await eventually(lambda: len(listening.joins) == 2)
    assert "com.reason.tired" in listening.leaves[0][1]
    await shop.register(namespace, "exact", "single")


async def test_retained_events_are_kept_by_the_router(
    wamp: WampBackend, router: CrossbarRouter, namespace: str
) -> None:
    options = PublishOptions(retain=True)
    await wamp.session("shop").publish(namespace, ["kept"], {}, options)
    async with joined(router.url) as peer:
        got = await peer.subscribe(namespace, get_retained=True)
        assert (await got.get()).args == ["kept"]
