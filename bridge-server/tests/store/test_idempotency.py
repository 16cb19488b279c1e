"""Idempotency keys: claimed by one, settled with an answer or let go, kept until they expire."""

from __future__ import annotations

import asyncio
import dataclasses
import time

from sqlalchemy import func, select

from wamp_bridge_server.store import Store
from wamp_bridge_server.store.idempotency import (
    Claim,
    Claimed,
    KeptAnswer,
    Settlement,
)
from wamp_bridge_server.store.schema import idempotency_keys

SOON = time.time() + 3600
ANSWER = KeptAnswer(202, b'{"id":"call_1"}', "/calls/call_1/", SOON)


async def kept(store: Store) -> int:
    async with store._database.reading() as connection:
        counted = await connection.execute(select(func.count()).select_from(idempotency_keys))
        return int(counted.scalar_one())


async def test_a_key_is_claimed_once_and_answers_as_it_was_settled(store: Store) -> None:
    assert await store.keys.claim(Claim("a", "f", "shop")) is None
    assert await store.keys.claim(Claim("a", "f", "shop")) == Claimed("f", None)
    assert await store.keys.claim(Claim("b", "f", "shop")) is None
    await store.keys.settle(Settlement("a", ANSWER))
    assert await store.keys.claim(Claim("a", "other", "shop")) == Claimed("f", ANSWER)
    assert await store.keys.claim(Claim("b", "f", "shop")) == Claimed("f", None)


async def test_a_key_that_is_let_go_is_free(store: Store) -> None:
    assert await store.keys.claim(Claim("a", "f", "shop")) is None
    await store.keys.settle(Settlement("a", None))
    assert await store.keys.claim(Claim("a", "g", "shop")) is None
    assert await store.keys.claim(Claim("a", "f", "shop")) == Claimed("g", None)


async def test_what_an_app_has_is_counted(url: str) -> None:
    answer = dataclasses.replace(ANSWER, expires_at=time.time() - 1)
    first = await Store.open(url)
    for number in range(4):
        await first.keys.claim(Claim(f"{number}", "f", "shop" if number else "bank"))
        await first.keys.settle(Settlement(f"{number}", answer if number else ANSWER))
    await first.close()
    store = await Store.open(url)
    await store.keys.measure()
    assert store.keys.sizes == {"bank": answer.size, "shop": 3 * answer.size}
    # What has expired is forgotten when its key is claimed anew, or in time.
    assert await store.keys.claim(Claim("1", "g", "shop")) is None
    assert store.keys.sizes["shop"] == 2 * answer.size
    assert await store.keys.forget_expired(time.time(), number=9) == 2
    assert store.keys.sizes == {"bank": answer.size}
    await store.close()


async def test_one_of_many_at_once_wins(store: Store) -> None:
    claims = [store.keys.claim(Claim(f"{n % 10}", f"{n}", "shop")) for n in range(1000)]
    answers = await asyncio.gather(*claims)
    for number in range(10):
        mine = answers[number::10]
        assert mine.count(None) == 1
        assert mine.count(Claimed(f"{number}", None)) == 99


async def test_answers_outlive_the_store_and_claims_are_let_go(url: str) -> None:
    first = await Store.open(url)
    await first.keys.claim(Claim("a", "f", "shop"))
    await first.keys.claim(Claim("b", "f", "shop"))
    await first.keys.settle(Settlement("a", ANSWER))
    await first.close()
    second = await Store.open(url)
    await second.keys.let_claims_go()
    assert await second.keys.claim(Claim("a", "f", "shop")) == Claimed("f", ANSWER)
    assert await second.keys.claim(Claim("b", "f", "shop")) is None
    await second.close()


async def test_an_expired_key_is_free_and_forgotten(store: Store) -> None:
    old = dataclasses.replace(ANSWER, expires_at=time.time() - 1)
    for name in ("a", "b", "c"):
        await store.keys.claim(Claim(name, "f", "shop"))
        await store.keys.settle(Settlement(name, old))
    await store.keys.claim(Claim("running", "f", "shop"))
    assert await store.keys.claim(Claim("a", "g", "shop")) is None
    assert await kept(store) == 4
    bites = [await store.keys.forget_expired(time.time(), number=1) for _ in range(3)]
    assert bites == [1, 1, 0]
    assert await kept(store) == 2
