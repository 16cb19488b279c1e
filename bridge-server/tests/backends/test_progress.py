"""Progressive results and the modes of cancelling, on every kind of backend."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from support.listening import Listening, Stuck
from support.peers import CallResult, joined
from support.scripted_router import CALL, CANCEL, HURRIED, RESULT, YIELD
from support.waiting import eventually
from wamp_bridge_server.backends.base import (
    Backend,
    CallOptions,
    CancelMode,
    Result,
    Session,
    WampError,
)
from wamp_bridge_server.backends.wamp import WampBackend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.router import CrossbarRouter
    from support.scripted_router import ScriptedRouter
    from wamp_bridge_server.backends.base import Invocation

STEPS = 1000


async def counting(invocation: Invocation) -> Result:
    """Give as many progressive results as asked for, and how many those were."""
    (wanted,) = invocation.args
    if invocation.progress is not None:
        for number in range(wanted):
            await invocation.progress(Result([number], {"of": wanted}))
    return Result([wanted])


async def call(
    session: Session, procedure: str, *args: Any, options: CallOptions | None = None
) -> Result:
    return await session.call(procedure, args, {}, timeout=10, options=options)


async def test_progressive_results_come_in_order_and_before_the_result(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    listening.handlers[namespace] = counting
    await backend.session("shop").register(namespace, "exact", "single")
    steps: list[Result] = []
    options = CallOptions(steps.append)
    result = await call(backend.session("other"), namespace, STEPS, options=options)
    assert list(result.args) == [STEPS]
    assert [step.args[0] for step in steps] == list(range(STEPS))
    assert steps[0].kwargs == {"of": STEPS}


async def test_a_caller_that_wants_no_progress_gets_none(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    listening.handlers[namespace] = counting
    await backend.session("shop").register(namespace, "exact", "single")
    assert list((await call(backend.session("other"), namespace, 3)).args) == [3]
    assert listening.invocations[0][1].progress is None


async def test_the_first_step_is_there_before_the_last_is_made(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    seen = asyncio.Event()

    async def waiting(invocation: Invocation) -> Result:
        assert invocation.progress is not None
        await invocation.progress(Result(["first"]))
        await seen.wait()
        return Result(["last"])

    listening.handlers[namespace] = waiting
    await backend.session("shop").register(namespace, "exact", "single")
    options = CallOptions(lambda _: seen.set())
    result = await call(backend.session("other"), namespace, options=options)
    assert list(result.args) == ["last"]


async def test_a_step_that_cannot_be_carried_ends_the_call(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    async def bad(invocation: Invocation) -> Result:
        assert invocation.progress is not None
        await invocation.progress(Result([2**64]))
        return Result()

    listening.handlers[namespace] = bad
    await backend.session("shop").register(namespace, "exact", "single")
    steps: list[Result] = []
    with pytest.raises(WampError, match="beyond 64 bits") as caught:
        await call(backend.session("other"), namespace, options=CallOptions(steps.append))
    assert caught.value.uri == "wamp.error.runtime_error"
    assert steps == []


class Cleaning(Stuck):
    """A handler that takes its time to end when it is cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.may_end = asyncio.Event()
        self.cancelled = False

    async def __call__(self, invocation: Invocation) -> Result:
        try:
            return await super().__call__(invocation)
        except asyncio.CancelledError:
            self.cancelled = True
            await self.may_end.wait()
            raise


@pytest.mark.parametrize("mode", ["skip", "kill", "killnowait"])
async def test_the_modes_of_cancelling(
    backend: Backend, listening: Listening, namespace: str, mode: CancelMode
) -> None:
    serving = listening.handlers[namespace] = Cleaning()
    await backend.session("shop").register(namespace, "exact", "single")
    other = backend.session("other")
    calling = asyncio.create_task(call(other, namespace, options=CallOptions(cancel=mode)))
    await serving.entered.wait()
    calling.cancel()
    if mode == "kill":
        await eventually(lambda: serving.cancelled)
        assert not calling.done()
        serving.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await calling
    if mode == "killnowait":
        await eventually(lambda: serving.cancelled)
        serving.may_end.set()
    if mode == "skip":
        listening.handlers.clear()
        await call(other, namespace)  # so that an interrupt would be there by now
        assert not serving.cancelled
        serving.release.set()


async def test_one_who_waits_for_the_killed_can_be_cancelled_again(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    serving = listening.handlers[namespace] = Cleaning()
    await backend.session("shop").register(namespace, "exact", "single")
    options = CallOptions(cancel="kill")
    calling = asyncio.create_task(call(backend.session("other"), namespace, options=options))
    await serving.entered.wait()
    calling.cancel()
    await eventually(lambda: serving.cancelled)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    serving.may_end.set()


async def test_a_deadline_that_skips_leaves_the_callee_alone(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    stuck = Stuck()
    steps: list[Result] = []

    async def late(invocation: Invocation) -> Result:
        result = await stuck(invocation)
        assert invocation.progress is not None
        await invocation.progress(Result(["nobody waits"]))
        return result

    listening.handlers[namespace] = late
    await backend.session("shop").register(namespace, "exact", "single")
    options = CallOptions(steps.append, cancel="skip")
    other = backend.session("other")
    with pytest.raises(WampError, match="timeout"):
        await other.call(namespace, [], {}, timeout=0.1, options=options)
    stuck.release.set()
    listening.handlers.clear()
    await call(other, namespace)
    assert listening.cancelled == []
    assert steps == []


async def test_progress_to_and_from_a_peer(
    wamp: WampBackend, router: CrossbarRouter, listening: Listening, namespace: str
) -> None:
    async def count(wanted: int) -> AsyncIterator[Any]:
        for number in range(wanted):
            yield number
        yield CallResult("done")

    listening.handlers[f"{namespace}.ours"] = counting
    shop = wamp.session("shop")
    await shop.register(f"{namespace}.ours", "exact", "single")
    async with joined(router.url) as peer:
        await peer.register(f"{namespace}.theirs", count)
        theirs: list[Result] = []
        result = await call(shop, f"{namespace}.theirs", 50, options=CallOptions(theirs.append))
        assert list(result.args) == ["done"]
        assert [step.args[0] for step in theirs] == list(range(50))
        ours: list[Any] = []
        _, reply = peer.request_call(
            f"{namespace}.ours", [50], on_progress=lambda step, of: ours.append((step, of))
        )
        assert await reply == 50
        assert ours == [(number, 50) for number in range(50)]


async def test_progress_that_nobody_asked_for_is_not_the_result(
    scripted: ScriptedRouter, session: Session
) -> None:
    calling = asyncio.create_task(call(session, "com.f"))
    await eventually(lambda: scripted.of_kind(CALL))
    sent = scripted.of_kind(CALL)[0]
    assert "receive_progress" not in sent[2]
    scripted.send([RESULT, sent[1], {"progress": True}, ["a step"]])
    scripted.send([RESULT, sent[1], {}, ["the result"]])
    assert list((await calling).args) == ["the result"]


async def test_skip_is_told_to_the_router_and_its_silence_is_not_waited_for(
    scripted: ScriptedRouter, session: Session
) -> None:
    calling = asyncio.create_task(call(session, "com.f", options=CallOptions(cancel="skip")))
    await eventually(lambda: scripted.of_kind(CALL))
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    await eventually(lambda: scripted.of_kind(CANCEL))
    assert scripted.of_kind(CANCEL)[0][2]["mode"] == "skip"


async def test_a_router_that_takes_no_more_holds_up_the_callee(
    scripted: ScriptedRouter, listening: Listening
) -> None:
    given: list[int] = []

    async def flood(invocation: Invocation) -> Result:
        assert invocation.progress is not None
        for number in range(300):
            await invocation.progress(Result(["x" * 100_000]))
            given.append(number)
        return Result()

    listening.handlers["com.f"] = flood
    backend = WampBackend(scripted.url, patience=HURRIED)
    backend._listener = listening
    shop = backend.session("shop")
    scripted.answer = lambda message: [65, message[1], 9] if message[0] == 64 else None
    await shop.register("com.f", "exact", "single")
    scripted.pause(paused=True)
    scripted.send([68, 1, 9, {"receive_progress": True}, []])
    inside: Any = shop
    await eventually(lambda: inside._current.session.buffered > 100_000)
    assert 0 < len(given) < 300
    scripted.pause(paused=False)
    await eventually(lambda: len(scripted.of_kind(YIELD)) == 301)
    await backend.close()
