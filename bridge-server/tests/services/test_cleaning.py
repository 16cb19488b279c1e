"""What is kept no longer is taken away, a little at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from support.outboxes import ALL, Target, record, setting
from wamp_bridge_server.config import DeliveryConfig
from wamp_bridge_server.services import cleaning as module
from wamp_bridge_server.services.cleaning import RECEIVED_SECONDS, Cleaning
from wamp_bridge_server.store import Arrival, CallRecord
from wamp_bridge_server.store.calls import Ending
from wamp_bridge_server.store.idempotency import Claim, KeptAnswer, Settlement

if TYPE_CHECKING:
    import pytest

NOW = 1_000_000.0
LETTER = replace(record(Target("http://x/"), "a"), attempts=1, dead_at=NOW - 100)


async def test_old_dead_letters_go_as_app_and_subscription_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BITE", 2)
    letters = [replace(LETTER, id=f"old{n}") for n in range(5)]
    letters += [replace(LETTER, id="new", dead_at=NOW - 50)]
    letters += [replace(LETTER, id="long", lane="longer"), replace(LETTER, id="b", app="bank")]
    letters += [replace(LETTER, id="short", lane="shorter", dead_at=NOW - 30)]
    async with setting() as told:
        await told.store.deliveries.keep([Arrival(letter) for letter in letters])
        await told.outbox.load()
        cleaning = Cleaning(
            told.store,
            told.outbox,
            lambda app: DeliveryConfig(dead_letters=80 if app == "shop" else 200),
            lambda app: {"longer": 200.0, "shorter": 20.0} if app == "shop" else {},
            clock=lambda: NOW,
        )
        await cleaning.clean()
        left = await told.store.dead_letters.page(ALL, after=0, number=99)
        assert [letter.id for letter in left] == ["new", "long"]
        assert {app: stock.dead for app, stock in told.outbox.stocks.items()} == {
            "shop": 2,
            "bank": 1,
        }


async def test_publications_are_forgotten_after_a_while() -> None:
    async with setting() as told:
        seen = replace(LETTER, created_at=NOW - RECEIVED_SECONDS - 1)
        await told.store.deliveries.keep([Arrival(seen, "s", 1)])
        await told.store.deliveries.keep([Arrival(replace(LETTER, id="x", created_at=NOW), "s", 2)])
        cleaning = Cleaning(
            told.store, told.outbox, lambda _: DeliveryConfig(), lambda _: {}, clock=lambda: NOW
        )
        await cleaning.clean()
        again = [Arrival(replace(LETTER, id=str(n)), "s", n) for n in (1, 2)]
        kept = await told.store.deliveries.keep(again)
        assert [each is not None for each in kept] == [True, False]


async def test_calls_and_answers_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BITE", 2)
    monkeypatch.setattr(module, "KEPT_CALLS", 3)
    monkeypatch.setattr(module, "COUNTED_AT", 1)
    async with setting() as told:
        for number in range(12):
            name, expires_at = f"c{number:02}", NOW - 6.5 + number
            await told.store.calls.begin(
                CallRecord(id=name, app="shop", procedure="com.f", created_at=NOW)
            )
            await told.store.calls.end(
                Ending(id=name, status="failed", error="e", outcome=b"{}", expires_at=expires_at)
            )
            await told.store.keys.claim(Claim(name, "f", "shop"))
            answer = KeptAnswer(200, b"", None, expires_at)
            await told.store.keys.settle(Settlement(name, answer))
        cleaning = Cleaning(
            told.store, told.outbox, lambda _: DeliveryConfig(), lambda _: {}, clock=lambda: NOW
        )
        await cleaning.clean()
        calls = [n for n in range(12) if await told.store.calls.get("shop", f"c{n:02}")]
        assert calls == [9, 10, 11]
        assert await told.store.keys.forget_expired(NOW, number=99) == 0
        assert await told.store.keys.forget_expired(NOW + 99, number=99) == 5
