"""A table of TOML's while it is read: every key known, every value checked, all problems told."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, TypeVar

from wamp_bridge_server.config import checks
from wamp_bridge_server.config.checks import Wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Report = Callable[[tuple[str, ...], str], None]

T = TypeVar("T")


class Table:
    """A table that is being read; what nobody asked for is unknown."""

    def __init__(self, report: Report, path: tuple[str, ...], value: Any) -> None:
        self.path = path
        self.report = report
        self._known: list[str] = []
        self._values: Mapping[str, Any] = {}
        if isinstance(value, dict):
            self._values = value
        else:
            report(path, f"must be a table, not {checks.kind(value)}")

    def get(self, key: str, check: Callable[[Any], T], default: T) -> T:
        """A key's checked value; its default where it is left out or wrong (and told)."""
        self._known.append(key)
        if key not in self._values:
            return default
        try:
            return check(self._values[key])
        except Wrong as wrong:
            self.report((*self.path, key + wrong.inside), str(wrong))
            return default

    def table(self, key: str) -> Table | None:
        """A table in this one; None where it is left out."""
        self._known.append(key)
        if key not in self._values:
            return None
        return Table(self.report, (*self.path, key), self._values[key])

    def keys(self) -> tuple[str, ...]:
        """The keys that are given."""
        return tuple(self._values)

    def done(self) -> None:
        """Tell of all keys that nobody asked for."""
        for key in self._values:
            if key in self._known:
                continue
            near = difflib.get_close_matches(key, self._known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(self._known)}"
            self.report((*self.path, key), f"is an unknown key; {hint}")
