"""What the options of declared handlers may be, as a bridge takes them (protocol, section 1).

A bridge refuses a manifest for one option that can't be, and with it all other handlers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wamp_bridge.core._errors import ConfigurationError

_DAY: Final = 86_400.0
_MOST_AT_ONCE: Final = 10_000
_MOST_ATTEMPTS: Final = 100
_LONGEST_WAIT: Final = 30 * _DAY
_LONGEST_KEPT: Final = 3650 * _DAY
_SHORTEST_ATTEMPT: Final = 0.1
_LONGEST_ATTEMPT: Final = 3600.0


def count(option: str, value: int | None) -> int | None:
    """How many of something at once."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MOST_AT_ONCE:
        raise ConfigurationError(
            f"{option} must be an integer from 1 to {_MOST_AT_ONCE}, not {value!r}"
        )
    return value


def flag(option: str, value: bool) -> bool | None:
    """Whether something is wanted; None where it isn't, which is how a bridge takes nothing."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{option} must be True or False, not {value!r}")
    return value or None


def seconds(option: str, value: float | None) -> float | None:
    """How long a call may take."""
    if value is not None and not (_is_number(value) and 0 < value <= _DAY):
        raise ConfigurationError(
            f"{option} must be a number of seconds above 0, {_DAY:.0f} at most, not {value!r}"
        )
    return value


def attempt_seconds(option: str, value: float | None) -> float | None:
    """How long an attempt to deliver an event may take."""
    return _between(option, value, _SHORTEST_ATTEMPT, _LONGEST_ATTEMPT)


def kept_seconds(option: str, value: float | None) -> float | None:
    """How long dead letters are kept."""
    return _between(option, value, 0, _LONGEST_KEPT)


def schedule(option: str, value: Sequence[float] | None) -> list[float] | None:
    """The waits before each attempt, the first one's, too."""
    if value is None:
        return None
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Sequence):
        raise ConfigurationError(f"{option} must be a list of seconds, not {value!r}")
    if not 1 <= len(value) <= _MOST_ATTEMPTS:
        raise ConfigurationError(
            f"{option} must have 1 to {_MOST_ATTEMPTS} waits, one before each attempt"
        )
    for index, wait in enumerate(value):
        _between(f"{option}[{index}]", wait, 0, _LONGEST_WAIT)
    return list(value)


def _between(option: str, value: float | None, least: float, most: float) -> float | None:
    if value is not None and not (_is_number(value) and least <= value <= most):
        raise ConfigurationError(f"{option} must be {least:g} to {most:.0f} seconds, not {value!r}")
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
