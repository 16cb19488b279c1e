"""Registrations: conflicts, policies, patterns; on every kind of backend."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from support.waiting import eventually
from wamp_bridge_server.backends.base import Undeliverable, WampError

if TYPE_CHECKING:
    from support.listening import Listening
    from wamp_bridge_server.backends.base import Backend, Invoke, Match, Session

EXISTS = "wamp.error.procedure_already_exists"
OTHER_POLICY = "wamp.error.procedure_exists_with_different_invocation_policy"


async def refusal(
    session: Session, uri: str, match: Match = "exact", invoke: Invoke = "single"
) -> str:
    with pytest.raises(WampError) as caught:
        await session.register(uri, match, invoke)
    return caught.value.uri


async def servers(backend: Backend, listening: Listening, uri: str, calls: int) -> list[str]:
    """Who served, call after call."""
    before = len(listening.invocations)
    for _ in range(calls):
        await backend.session("caller").call(uri, [], {}, timeout=10)
    return [app for app, _ in listening.invocations[before:]]


async def test_a_procedure_is_one_sessions_alone(backend: Backend, namespace: str) -> None:
    shop, other = backend.session("shop"), backend.session("other")
    await shop.register(namespace, "exact", "single")
    assert await refusal(other, namespace) == EXISTS
    assert await refusal(other, namespace, invoke="roundrobin") == EXISTS
    assert await refusal(shop, namespace) == EXISTS


async def test_a_session_registers_a_procedure_once_though_others_may_share_it(
    backend: Backend, namespace: str
) -> None:
    shop, other = backend.session("shop"), backend.session("other")
    first = await shop.register(namespace, "exact", "roundrobin")
    assert await refusal(shop, namespace, invoke="roundrobin") == EXISTS
    assert await other.register(namespace, "exact", "roundrobin") == first


async def test_those_who_share_a_procedure_agree_on_how(backend: Backend, namespace: str) -> None:
    await backend.session("shop").register(namespace, "exact", "first")
    assert await refusal(backend.session("other"), namespace, invoke="last") == OTHER_POLICY


@pytest.mark.parametrize(
    ("invoke", "expected"),
    [
        ("roundrobin", ["a", "b", "c", "a", "b", "c"]),
        ("first", ["a"] * 6),
        ("last", ["c"] * 6),
    ],
)
async def test_policies(
    backend: Backend, listening: Listening, namespace: str, invoke: Invoke, expected: list[str]
) -> None:
    for app in "abc":
        await backend.session(app).register(namespace, "exact", invoke)
    assert await servers(backend, listening, namespace, 6) == expected


async def test_random_takes_everyone_in_the_long_run(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    for app in "abc":
        await backend.session(app).register(namespace, "exact", "random")
    assert set(await servers(backend, listening, namespace, 60)) == {"a", "b", "c"}


async def test_a_procedure_that_was_taken_back_is_free(backend: Backend, namespace: str) -> None:
    shop, other = backend.session("shop"), backend.session("other")
    registration = await shop.register(namespace, "exact", "single")
    await shop.unregister(registration)
    with pytest.raises(WampError, match="no_such_procedure"):
        await other.call(namespace, [], {}, timeout=10)
    await other.register(namespace, "exact", "single")
    await other.call(namespace, [], {}, timeout=10)


async def test_only_what_is_held_can_be_taken_back(backend: Backend, namespace: str) -> None:
    shop, other = backend.session("shop"), backend.session("other")
    registration = await shop.register(namespace, "exact", "single")
    for session, number in [(other, registration), (shop, registration + 1)]:
        with pytest.raises(WampError, match="no_such_registration"):
            await session.unregister(number)
    await other.call(namespace, [], {}, timeout=10)


async def test_patterns_say_what_was_called(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    shop = backend.session("shop")
    await shop.register(f"{namespace}.a", "prefix", "single")
    await shop.register(f"{namespace}..c", "wildcard", "single")
    caller = backend.session("caller")
    for procedure in ("a.b", "abc", "b.c"):
        await caller.call(f"{namespace}.{procedure}", [], {}, timeout=10)
    assert [
        (invocation.uri, invocation.match, invocation.procedure)
        for _, invocation in listening.invocations
    ] == [
        (f"{namespace}.a", "prefix", f"{namespace}.a.b"),
        (f"{namespace}.a", "prefix", f"{namespace}.abc"),
        (f"{namespace}..c", "wildcard", f"{namespace}.b.c"),
    ]
    for procedure in ("x.y", "b.c.d", "b"):
        with pytest.raises(WampError, match="no_such_procedure"):
            await caller.call(f"{namespace}.{procedure}", [], {}, timeout=10)


async def test_the_best_match_serves(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    patterns: list[tuple[str, Match]] = [
        ("a.b.c", "exact"),
        ("a", "prefix"),
        ("a.b", "prefix"),
        ("a..c", "wildcard"),
        ("..c", "wildcard"),
        (".b.", "wildcard"),
        ("x..c", "wildcard"),
        ("x.y.", "wildcard"),
    ]
    shop = backend.session("shop")
    for pattern, match in patterns:
        await shop.register(f"{namespace}.{pattern}", match, "single")
    expected = {
        "a.b.c": "a.b.c",
        "a.b.d": "a.b",
        "a.x.c": "a",
        "z.b.c": ".b.",
        "z.x.c": "..c",
        "x.z.c": "x..c",
        "x.y.c": "x.y.",
    }
    for procedure in expected:
        await backend.session("caller").call(f"{namespace}.{procedure}", [], {}, timeout=10)
    assert {
        invocation.procedure.removeprefix(f"{namespace}."): invocation.uri.removeprefix(
            f"{namespace}."
        )
        for _, invocation in listening.invocations
    } == expected


async def test_one_uri_by_each_match_is_three_registrations(
    backend: Backend, namespace: str
) -> None:
    shop = backend.session("shop")
    matches: list[Match] = ["exact", "prefix", "wildcard"]
    numbers = [await shop.register(namespace, match, "single") for match in matches]
    assert len(set(numbers)) == 3


async def test_the_routers_own_procedures_are_reserved(backend: Backend) -> None:
    shop = backend.session("shop")
    assert await refusal(shop, "wamp.shop") == "wamp.error.invalid_uri"
    with pytest.raises(Undeliverable):
        await shop.register("", "wildcard", "single")


async def test_a_registration_that_nobody_waits_for_any_more_is_taken_back(
    backend: Backend, namespace: str
) -> None:
    shop, other = backend.session("shop"), backend.session("other")
    await shop.register(f"{namespace}.first", "exact", "single")
    await other.register(f"{namespace}.other", "exact", "single")
    pending = asyncio.create_task(shop.register(namespace, "exact", "single"))
    await asyncio.sleep(0)
    pending.cancel()
    await asyncio.wait([pending])
    if not pending.cancelled():  # a backend without a network is done at once
        await shop.unregister(pending.result())

    async def free() -> bool:
        try:
            await other.register(namespace, "exact", "single")
        except WampError:
            return False
        return True

    await eventually(free)


async def test_many_registrations_at_once(backend: Backend, namespace: str) -> None:
    shop = backend.session("shop")
    numbers = await asyncio.gather(
        *(shop.register(f"{namespace}.p{n}", "exact", "single") for n in range(2000))
    )
    assert len(set(numbers)) == 2000
    last = await backend.session("other").call(f"{namespace}.p1999", [1], {}, timeout=10)
    assert last.args == [[1]]
