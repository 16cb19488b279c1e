"""When a delivery that failed is tried again (protocol, section 3)."""

from __future__ import annotations

import random
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wamp_bridge_server.config import DeliveryConfig


def wait_before(policy: DeliveryConfig, attempts: int, asked: float = 0.0) -> float | None:
    """Seconds until the next attempt; None where there is none left.

    Args:
        policy: The schedule, and how far to stray from it.
        attempts: How many were made.
        asked: The wait that the app asked for, which lengthens the schedule's.
    """
    if attempts >= len(policy.schedule):
        return None
    spread = random.uniform(1 - policy.jitter, 1 + policy.jitter)  # noqa: S311 - keeps no secret
    return max(policy.schedule[attempts] * spread, min(asked, policy.retry_after))


def asked_wait(retry_after: str | None, now: float) -> float:
    """Seconds that a `Retry-After` asks for, as seconds or as a date (RFC 9110, section 10.2.3).

    Args:
        retry_after: Its text; what is neither asks for nothing.
        now: Unix seconds.
    """
    text = (retry_after or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, date.timestamp() - now)
