"""What an app's `deliveries` may say: the schedule, and how much is kept for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wamp_bridge_server.config.checks import Wrong, kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DAY = 86_400.0
MOST_ATTEMPTS = 100
MOST_WAIT = 30 * DAY
LEAST_TIMEOUT, MOST_TIMEOUT = 0.1, 3600.0
MOST_KEPT = 3650 * DAY
MOST_HISTORY = 10_000


def seconds(least: float, most: float) -> Callable[[Any], float]:
    """A check of times in seconds."""

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Wrong(f"must be a number of seconds, not {kind(value)}")
        if not least <= value <= most:  # which NaN isn't either
            raise Wrong(f"must be {least:g} to {most:.0f} seconds, not {value}")
        return float(value)

    return check


def schedule(value: Any) -> tuple[float, ...]:
    """The waits before each attempt, in seconds."""
    if not isinstance(value, list):
        raise Wrong(f"must be a list of seconds, not {kind(value)}")
    if not 1 <= len(value) <= MOST_ATTEMPTS:
        raise Wrong(f"must have 1 to {MOST_ATTEMPTS} waits, one before each attempt")
    check, waits = seconds(0, MOST_WAIT), []
    for index, wait in enumerate(value):
        try:
            waits.append(check(wait))
        except Wrong as wrong:
            raise Wrong(str(wrong), f"[{index}]") from wrong
    return tuple(waits)


def share(value: Any) -> float:
    """A part of one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise Wrong(f"must be a number from 0 to less than 1, as 0.2, not {value!r}")
    return float(value)


def count(value: Any) -> int:
    """A number of things."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 2**63:
        raise Wrong(f"must be a whole number from 1, not {value!r}")
    return value


def history(value: Any) -> int:
    """How many events of a topic are asked for."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_HISTORY:
        raise Wrong(f"must be a whole number from 0 to {MOST_HISTORY}, not {value!r}")
    return value


OF_A_SUBSCRIPTION: Mapping[str, Callable[[Any], Any]] = {
    "schedule": schedule,
    "timeout": seconds(LEAST_TIMEOUT, MOST_TIMEOUT),
    "dead_letters": seconds(0, MOST_KEPT),
}
"""What a subscription may say otherwise than its app."""
