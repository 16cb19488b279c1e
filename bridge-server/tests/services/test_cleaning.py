"""What is kept no longer is taken away, a little at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from support.outboxes import ALL, Target, record, setting
from wamp_bridge_server.config import DeliveryConfig
from wamp_bridge_server.services import cleaning as module
from wamp_bridge_server.services.cleaning import RECEIVED_SECONDS, Cleaning
from wamp_bridge_server.store import Arrival

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
