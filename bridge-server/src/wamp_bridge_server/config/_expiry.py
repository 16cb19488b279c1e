"""Tokens and secrets that end: a table `{token = ..., expires = ...}` in place of the string."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wamp_bridge_server.config.checks import Wrong, kind

_EXAMPLE = "2026-12-31T12:00:00Z"


def entry(name: str, value: Any) -> tuple[Any, float | None]:
    """What stands in a list of tokens or secrets, and the unix time at which it ends.

    Args:
        name: The table's key of the token or secret itself.
        value: That itself, or the table.
    """
    if not isinstance(value, dict):
        return value, None
    for key in value:
        if key not in (name, "expires"):
            raise Wrong(f"is an unknown key; known are {name}, expires", f".{key}")
    for key in (name, "expires"):
        if key not in value:
            raise Wrong(f"lacks {key}, as in {{ {name} = ..., expires = {_EXAMPLE} }}")
    return value[name], _moment(value["expires"])


def _moment(value: Any) -> float:
    """A moment, as TOML has it or as a string (JSON has no other way)."""
    moment = value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        said = repr(value) if isinstance(value, str) else kind(value)
        raise Wrong(
            f"must be a date and time with its distance from UTC, as {_EXAMPLE}, not {said}",
            ".expires",
        )
    try:
        return moment.timestamp()
    except OverflowError:
        raise Wrong("is beyond all times", ".expires") from None
