"""Calls: kept before they are made, ended once, forgotten when they have expired."""

# ruff: noqa: ASYNC240 - a small local file blocks nobody here

from __future__ import annotations

import asyncio
import dataclasses
import time
from typing import TYPE_CHECKING

import pytest

from wamp_bridge_server.store import CallRecord, DeliveryRecord, Store, StoreError
from wamp_bridge_server.store.calls import Ended, Ending
from wamp_bridge_server.store.idempotency import Claim, Claimed, KeptAnswer, Settlement

if TYPE_CHECKING:
    from pathlib import Path

NOW = time.time()


def call(id_: str, app: str = "shop") -> CallRecord:
    return CallRecord(id=id_, app=app, procedure="com.slow", callback="http://h/", created_at=NOW)


def success(id_: str, expires_at: float = NOW + 3600) -> Ending:
    outcome = b'{"args":[1],"kwargs":{}}'
    return Ending(id=id_, status="succeeded", error=None, outcome=outcome, expires_at=expires_at)


def delivery(name: str) -> DeliveryRecord:
    return DeliveryRecord(
        id=f"msg_{name}",
        app="shop",
        lane="http://h/",
        type="result",
        uri="com.slow",
        body=b"{}",
        created_at=NOW,
    )


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
    await store.calls.begin(call("c1"))
    assert await store.calls.get("shop", "c1") == call("c1")
    assert await store.calls.get("bank", "c1") is None
    assert await store.calls.get("shop", "c2") is None
    assert await store.calls.end(success("c1")) == Ended(now=True)
    ended = await store.calls.get("shop", "c1")
    assert ended is not None
    assert (ended.status, ended.error) == ("succeeded", None)
    assert ended.outcome == b'{"args":[1],"kwargs":{}}'
    assert ended.callback == "http://h/"


async def test_a_call_ends_once(store: Store) -> None:
    await store.calls.begin(call("c1"))
    ends = await asyncio.gather(*(store.calls.end(e("c1")) for e in (cancelled, success, success)))
    assert ends == [Ended(now=True), Ended(now=False), Ended(now=False)]
    assert await store.calls.end(success("c1")) == Ended(now=False)
    assert await store.calls.end(success("nowhere")) == Ended(now=False)
    ended = await store.calls.get("shop", "c1")
    assert ended is not None
    assert (ended.status, ended.error) == ("cancelled", "wamp.error.canceled")


async def test_a_call_ends_with_its_delivery(store: Store) -> None:
    for name in ("c1", "c2", "c3"):
        await store.calls.begin(call(name))
    told = {
        name: dataclasses.replace(success(name), delivery=delivery(name)) for name in ("c1", "c3")
    }
    ends = await asyncio.gather(
        *(store.calls.end(ending) for ending in (told["c1"], success("c2"), told["c3"], told["c1"]))
    )
    assert [end.now for end in ends] == [True, True, True, False]
    first, none, third, late = (end.delivery for end in ends)
    assert first is not None
    assert third is not None
    assert (first.id, third.id, none) == ("msg_c1", "msg_c3", None)
    assert late == first  # for one who could not know that it was written
    other = dataclasses.replace(told["c1"], delivery=delivery("c4"))
    assert await store.calls.end(other) == Ended(now=False)
    page = await store.deliveries.after("shop", "http://h/", 0, number=10, size=1000)
    assert page.records == [first, third]


async def test_what_is_pending_outlives_the_store(url: str) -> None:
    first = await Store.open(url)
    for name in ("c1", "c2", "c3"):
        await first.calls.begin(call(name))
    await first.calls.end(success("c2"))
    await first.close()
    second = await Store.open(url)
    assert await second.calls.pending() == [call("c1"), call("c3")]
    await second.close()


async def test_a_call_and_its_key_are_kept_together(store: Store) -> None:
    answer = KeptAnswer(202, b"{}", "/calls/c1/", NOW + 3600)
    await store.keys.claim(Claim("k", "f", "shop"))
    await store.calls.begin(call("c1"), Settlement("k", answer))
    assert await store.keys.claim(Claim("k", "f", "shop")) == Claimed("f", answer)
    await store.keys.claim(Claim("l", "f", "shop"))
    with pytest.raises(StoreError):
        await store.calls.begin(call("c1"), Settlement("l", answer))
    assert await store.keys.claim(Claim("l", "f", "shop")) == Claimed("f", None)


async def test_expired_calls_are_forgotten_in_bites(store: Store) -> None:
    for number in range(5):
        await store.calls.begin(call(f"c{number}"))
    for number in range(3):
        await store.calls.end(success(f"c{number}", NOW - 1))
    await store.calls.end(success("c3"))
    bites = [await store.calls.forget_expired(NOW, number=2) for _ in range(3)]
    assert bites == [2, 1, 0]
    left = [n for n in range(5) if await store.calls.get("shop", f"c{n}") is not None]
    assert left == [3, 4]


async def test_an_app_with_too_many_loses_its_oldest(store: Store) -> None:
    await store.calls.begin(call("long"))
    await store.calls.begin(call("other", "bank"))
    await store.calls.end(success("other", NOW + 1))
    for number in range(5):
        await store.calls.begin(call(f"c{number}"))
        await store.calls.end(success(f"c{number}", NOW + 100 + number))
    assert store.calls.grown(6) == ["shop"]
    assert store.calls.grown(1) == ["bank"]
    bites = [await store.calls.forget_beyond("shop", 2, number=2) for _ in range(3)]
    assert bites == [2, 1, 0]
    left = [n for n in range(5) if await store.calls.get("shop", f"c{n}") is not None]
    assert left == [3, 4]
    assert await store.calls.get("shop", "long") is not None
    assert await store.calls.get("bank", "other") is not None


async def test_a_store_that_is_gone_begins_nothing(store: Store, path: Path) -> None:
    aside = path.with_name("moved.db")
    path.rename(aside)
    with pytest.raises(StoreError):
        await store.calls.begin(call("c1"))
    aside.rename(path)
    assert await store.calls.get("shop", "c1") is None
    await store.calls.begin(call("c1"))
