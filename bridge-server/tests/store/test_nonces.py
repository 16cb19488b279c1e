"""Nonces: each of an app's counts once, whoever comes together, also after a restart."""

# ruff: noqa: ASYNC240 - a small local file blocks nobody here

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from wamp_bridge_server.store import Store, StoreError
from wamp_bridge_server.store import nonces as module
from wamp_bridge_server.store.schema import nonces

if TYPE_CHECKING:
    from pathlib import Path

SOON = time.time() + 3600


async def kept(store: Store) -> int:
    async with store._database.reading() as connection:
        return int(
            (await connection.execute(select(func.count()).select_from(nonces))).scalar_one()
        )


async def test_a_nonce_is_new_once_for_each_app(store: Store) -> None:
    assert await store.spend_nonce("shop", "n", SOON)
    assert not await store.spend_nonce("shop", "n", SOON)
    assert await store.spend_nonce("bank", "n", SOON)
    assert await store.spend_nonce("shop", "N", SOON)


async def test_one_of_many_at_once_wins(store: Store) -> None:
    spent = [store.spend_nonce("shop", f"n{number % 10}", SOON) for number in range(1000)]
    answers = await asyncio.gather(*spent)
    for number in range(10):
        assert sum(answers[number::10]) == 1
    assert await kept(store) == 10


async def test_spent_nonces_outlive_the_store(url: str) -> None:
    first = await Store.open(url)
    assert await first.spend_nonce("shop", "n", SOON)
    await first.close()
    second = await Store.open(url)
    assert not await second.spend_nonce("shop", "n", SOON)
    await second.close()


async def test_expired_ones_are_taken_away(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        await store.spend_nonce("shop", f"old{number}", time.time() - 1)
    monkeypatch.setattr(module, "_CLEANING_SECONDS", 0)
    assert await store.spend_nonce("shop", "new", SOON)
    assert await kept(store) == 1


async def test_a_store_that_is_gone_spends_nothing(store: Store, path: Path) -> None:
    assert await store.spend_nonce("shop", "n", SOON)
    kept_aside = path.with_name("moved.db")
    path.rename(kept_aside)
    with pytest.raises(StoreError):
        await store.spend_nonce("shop", "m", SOON)
    kept_aside.rename(path)
    assert await store.spend_nonce("shop", "m", SOON)
