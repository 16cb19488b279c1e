"""Dead letters at a fake bridge, as an app finds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from wamp_bridge.core import (
    AsyncBridge,
    Bridge,
    EventDetails,
    InvalidURI,
    NotFound,
    Unprocessable,
    WampBridgeBase,
)
from wamp_bridge.core.testing import FakeBridge

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def fake() -> Iterator[FakeBridge]:
    with FakeBridge() as fake:
        yield fake


def test_what_a_test_keeps_is_listed_the_oldest_first(fake: FakeBridge) -> None:
    late = fake.keep_dead_letter("com.shop.sold", created_at=20)
    early = fake.keep_dead_letter(
        "com.slow", type="error", callback="http://h/", created_at=10, last_status=None
    )
    bridge = Bridge()
    assert bridge.dead_letters() == [early, late] == fake.kept_dead_letters
    assert (late.endpoint, late.callback) == ("sub_1", None)
    assert (early.endpoint, early.callback) == (None, "http://h/")
    assert bridge.dead_letters(limit=1) == [early]


@pytest.mark.parametrize(
    ("chosen", "number"),
    [
        ({"uri": "com.shop.sold"}, 1),
        ({"uri": "com.shop.sold", "error": "REFUSED"}, 0),
        ({"error": "REFUSED"}, 1),
        ({"endpoint": "sub_1"}, 2),
        ({"endpoint": "sub_2"}, 0),
        ({"since": 10, "until": 20}, 1),
        ({"since": 11}, 1),
        ({"until": 10}, 0),
    ],
)
def test_a_filter_chooses_some(fake: FakeBridge, chosen: Any, number: int) -> None:
    fake.keep_dead_letter("com.shop.sold", created_at=10)
    fake.keep_dead_letter("com.shop.left", created_at=20, error="connection refused")
    bridge = Bridge()
    assert bridge.count_dead_letters(**chosen) == len(bridge.dead_letters(**chosen)) == number
    assert bridge.replay_dead_letters(**chosen) == number == len(fake.replayed_dead_letters)
    assert bridge.delete_dead_letters() == 2 - number
    assert fake.kept_dead_letters == []


def test_more_than_a_page_is_listed_whole(fake: FakeBridge) -> None:
    for _ in range(1001):
        fake.keep_dead_letter("t")
    bridge = Bridge()
    assert len(bridge.dead_letters()) == bridge.count_dead_letters() == 1001
    assert bridge.delete_dead_letters(limit=1) == 1
    assert bridge.replay_dead_letters() == 1000


def test_what_is_replayed_can_be_delivered_again() -> None:
    app = WampBridgeBase({})
    delivered: list[str] = []

    @app.sub()
    def sold(details: EventDetails) -> None:
        delivered.append(details.delivery_id)

    with FakeBridge() as fake:
        fake.connect(app)
        kept = fake.keep_dead_letter("sold")
        assert app.bridge.replay_dead_letters(kept.id) == 1
        assert fake.replayed_dead_letters == [kept]
        fake.deliver_event("sold", delivery_id=kept.id)
    assert delivered == [kept.id]


def test_what_is_not_there_is_not_found(fake: FakeBridge) -> None:
    kept = fake.keep_dead_letter("t")
    bridge = Bridge()
    assert bridge.delete_dead_letters(kept.id) == 1
    for ask in (bridge.delete_dead_letters, bridge.replay_dead_letters):
        with pytest.raises(NotFound, match=kept.id):
            ask(kept.id)
    with pytest.raises(Unprocessable, match="topic"):
        cast("Any", bridge).count_dead_letters(topic="t")
    with pytest.raises(InvalidURI):
        fake.keep_dead_letter("a b")


async def test_code_on_a_loop_finds_them_too(fake: FakeBridge) -> None:
    kept = fake.keep_dead_letter("t")
    bridge = AsyncBridge()
    assert await bridge.dead_letters() == [kept]
    assert await bridge.replay_dead_letters() == 1
    assert await bridge.count_dead_letters() == 0
