"""When a delivery is tried again."""

from __future__ import annotations

import pytest

from wamp_bridge_server.callbacks.schedule import asked_wait, wait_before
from wamp_bridge_server.config import DeliveryConfig

NOON = 1798718400.0  # 2026-12-31T12:00:00Z


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("7", 7),
        (" 7 ", 7),
        ("-7", 0),
        ("7.5", 0),
        ("soon", 0),
        ("\u0667", 0),
        ("Thu, 31 Dec 2026 12:01:00 GMT", 60),
        ("Thursday, 31-Dec-26 12:01:00 GMT", 60),
        ("Thu Dec 31 12:01:00 2026", 60),
        ("Thu, 31 Dec 2026 11:00:00 GMT", 0),
        ("Thu, 99 Dec 2026 11:00:00 GMT", 0),
        ("Thu, 31 Dec 2026 11:" + "9" * 30 + ":00 GMT", 0),
        ("9" * 400, float("inf")),
    ],
)
def test_what_retry_after_asks_for(text: str | None, seconds: float) -> None:
    assert asked_wait(text, NOON) == seconds


def test_the_schedule_as_the_protocol_has_it() -> None:
    policy = DeliveryConfig()
    for attempts, wait in enumerate(policy.schedule[1:], 1):
        waits = [wait_before(policy, attempts) for _ in range(100)]
        assert all(0.8 * wait <= each <= 1.2 * wait for each in waits if each is not None)
        assert len(set(waits)) > 1
    assert wait_before(policy, len(policy.schedule)) is None


def test_an_app_may_ask_for_more_and_not_for_less() -> None:
    policy = DeliveryConfig(schedule=(0, 100), jitter=0)
    assert wait_before(policy, 1, asked=10) == 100
    assert wait_before(policy, 1, asked=1000) == 1000
    assert wait_before(policy, 1, asked=float("inf")) == 3600
    assert wait_before(policy, 2, asked=10) is None
