"""Which registration a call is for, and which subscriptions an event.

That is WAMP's "Pattern-based Registrations" and "Pattern-based Subscriptions". As Crossbar has it,
a prefix is a prefix of the string, an exact match goes before a prefix, the longest prefix before
a wildcard, and among wildcards the one that says most, read from the left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wamp_bridge_server.backends.base import Match

T = TypeVar("T")


class Patterns(Generic[T]):
    """Values by URI and match."""

    def __init__(self) -> None:
        self._exact: dict[str, T] = {}
        self._prefix: dict[str, T] = {}
        self._wildcard: dict[str, T] = {}
        self._by_match: dict[Match, dict[str, T]] = {
            "exact": self._exact,
            "prefix": self._prefix,
            "wildcard": self._wildcard,
        }

    def get(self, uri: str, match: Match) -> T | None:
        """The value of exactly this pattern."""
        return self._by_match[match].get(uri)

    def put(self, uri: str, match: Match, value: T) -> None:
        """Set the value of a pattern."""
        self._by_match[match][uri] = value

    def remove(self, uri: str, match: Match) -> None:
        """Forget a pattern."""
        del self._by_match[match][uri]

    def best(self, uri: str) -> T | None:
        """The value of the pattern that a call of `uri` is for."""
        if (exact := self._exact.get(uri)) is not None:
            return exact
        prefixes = [prefix for prefix in self._prefix if uri.startswith(prefix)]
        if prefixes:
            return self._prefix[max(prefixes, key=len)]
        wildcards = [pattern for pattern in self._wildcard if _fits(pattern, uri)]
        if wildcards:
            return self._wildcard[min(wildcards, key=_openness)]
        return None

    def patterns(self, match: Match) -> Iterator[T]:
        """The values of all patterns of one kind."""
        yield from self._by_match[match].values()

    def all(self, uri: str) -> Iterator[T]:
        """The values of all patterns that fit `uri`."""
        if (exact := self._exact.get(uri)) is not None:
            yield exact
        yield from (value for prefix, value in self._prefix.items() if uri.startswith(prefix))
        yield from (value for pattern, value in self._wildcard.items() if _fits(pattern, uri))


def _fits(pattern: str, uri: str) -> bool:
    wanted, given = pattern.split("."), uri.split(".")
    return len(wanted) == len(given) and all(
        not want or want == have for want, have in zip(wanted, given, strict=True)
    )


def _openness(pattern: str) -> list[bool]:
    return [not component for component in pattern.split(".")]
