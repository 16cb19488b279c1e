"""Calls: kept before they are made, ended once, forgotten when they have expired."""

# ruff: noqa: ASYNC240 - a small local file blocks nobody here

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from wamp_bridge_server.store import CallRecord, Store, StoreError
from wamp_bridge_server.store import calls as module
from wamp_bridge_server.store.calls import BeginCalls, Ending
from wamp_bridge_server.store.idempotency import Claim, Claimed, KeptAnswer, Settlement

if TYPE_CHECKING:
    from pathlib import Path

NOW = time.time()


def call(id_: str, app: str = "shop") -> CallRecord:
    return CallRecord(id=id_, app=app, procedure="com.slow", callback="http://h/", created_at=NOW)


def success(id_: str, expires_at: float = NOW + 3600) -> Ending:
    outcome = b'{"args":[1],"kwargs":{}}'
    return Ending(id=id_, status="succeeded", error=None, outcome=outcome, expires_at=expires_at)


def cancelled(id_: str) -> Ending:
    outcome = b'{"args":[],"kwargs":{}}'
    return Ending(
        id=id_,
        status="cancelled",
        error="wamp.error.canceled",
        outcome=outcome,
        expires_at=NOW + 3600,
    )


async def test_a_call_is_pending_until_it_ends(store: Store) -> None:
    await store.begin_call(call("c1"))
    assert await store.call("shop", "c1") == call("c1")
    assert await store.call("bank", "c1") is None
    assert await store.call("shop", "c2") is None
    assert await store.end_call(success("c1"))
    ended = await store.call("shop", "c1")
    assert ended is not None
    assert (ended.status, ended.error) == ("succeeded", None)
    assert ended.outcome == b'{"args":[1],"kwargs":{}}'
    assert ended.callback == "http://h/"


async def test_a_call_ends_once(store: Store) -> None:
    await store.begin_call(call("c1"))
    ends = await asyncio.gather(*(store.end_call(e("c1")) for e in (cancelled, success, success)))
    assert ends == [True, False, False]
    assert not await store.end_call(success("c1"))
    assert not await store.end_call(success("nowhere"))
    ended = await store.call("shop", "c1")
    assert ended is not None
    assert (ended.status, ended.error) == ("cancelled", "wamp.error.canceled")


async def test_what_is_pending_outlives_the_store(url: str) -> None:
    first = await Store.open(url)
    for name in ("c1", "c2", "c3"):
        await first.begin_call(call(name))
    await first.end_call(success("c2"))
    await first.close()
    second = await Store.open(url)
    assert await second.pending_calls() == [call("c1"), call("c3")]
    await second.close()


async def test_a_call_and_its_key_are_kept_together(store: Store) -> None:
    answer = KeptAnswer(202, b"{}", "/calls/c1/", NOW + 3600)
    await store.claim_key(Claim("k", "f"))
    await store.begin_call(call("c1"), Settlement("k", answer))
    assert await store.claim_key(Claim("k", "f")) == Claimed("f", answer)
    await store.claim_key(Claim("l", "f"))
    with pytest.raises(StoreError):
        await store.begin_call(call("c1"), Settlement("l", answer))
    assert await store.claim_key(Claim("l", "f")) == Claimed("f", None)


async def test_expired_calls_are_taken_away(store: Store) -> None:
    for name in ("c1", "c2", "c3"):
        await store.begin_call(call(name))
    await store.end_call(success("c1", NOW - 1))
    await store.end_call(success("c2"))
    store._begin_calls = BeginCalls()
    await store.begin_call(call("c4"))
    assert await store.call("shop", "c1") is None
    assert await store.call("shop", "c2") is not None
    assert await store.call("shop", "c3") is not None


async def test_an_app_with_too_many_loses_its_oldest(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_CALLS", 2)
    monkeypatch.setattr(module, "COUNTED_AT", 3)
    await store.begin_call(call("long"))
    await store.begin_call(call("other", "bank"))
    await store.end_call(success("other", NOW + 1))
    for number in range(5):
        await store.begin_call(call(f"c{number}"))
        await store.end_call(success(f"c{number}", NOW + 100 + number))
    left = [n for n in range(5) if await store.call("shop", f"c{n}") is not None]
    assert left == [2, 3, 4]  # counted when the last one began
    assert await store.call("shop", "long") is not None
    assert await store.call("bank", "other") is not None


async def test_a_store_that_is_gone_begins_nothing(store: Store, path: Path) -> None:
    aside = path.with_name("moved.db")
    path.rename(aside)
    with pytest.raises(StoreError):
        await store.begin_call(call("c1"))
    aside.rename(path)
    assert await store.call("shop", "c1") is None
    await store.begin_call(call("c1"))
