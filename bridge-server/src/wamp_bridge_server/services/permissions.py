"""What an app may do with which URI (protocol, sections 1 and 6).

An allowed prefix is one of whole components: `com.app` allows `com.app` and `com.app.x`, never
`com.apple`. Nobody may touch `wamp.`, whatever is allowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wamp_bridge_server.errors import Forbidden

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wamp_bridge_server.backends.base import Match
    from wamp_bridge_server.config import Action
    from wamp_bridge_server.config import Permissions as Allowed

_EVERYTHING = "*"
_RESERVED = "wamp"


class Permissions:
    """What the configuration allows an app."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed

    def check(self, action: Action, uri: str, match: Match = "exact") -> None:
        """Refuse what isn't allowed.

        Raises:
            Forbidden: It isn't, or the URI is or could match one under `wamp.`.
        """
        if _may_be_reserved(uri, match):
            raise Forbidden(
                f"{_said(uri, match)} lies or could match under wamp., which is the router's own."
            )
        if not self._allows(action, uri, match):
            raise Forbidden(f"This app is not allowed to {action} {_said(uri, match)}.")

    def shows(self, action: Action, uri: str, match: Match) -> bool:
        """Whether what others hold at the router is an app's to know: all of it is allowed."""
        return not uri.startswith(f"{_RESERVED}.") and self._allows(action, uri, match)

    def _allows(self, action: Action, uri: str, match: Match) -> bool:
        prefixes = self._allowed.prefixes(action)
        return _EVERYTHING in prefixes or any(_within(uri, match, prefix) for prefix in prefixes)


def _said(uri: str, match: Match) -> str:
    return f'"{uri}"' if match == "exact" else f'the {match} "{uri}"'


def _may_be_reserved(uri: str, match: Match) -> bool:
    if match == "prefix":  # of the string: "w" catches wamp. too
        return uri.startswith(f"{_RESERVED}.") or f"{_RESERVED}.".startswith(uri)
    first, *_ = uri.split(".")
    return first == _RESERVED or (match == "wildcard" and first == "")


def _within(uri: str, match: Match, prefix: str) -> bool:
    """Whether all that a URI matches lies inside an allowed prefix."""
    if match == "wildcard":
        return _starts_with(uri.split("."), prefix.split("."))
    if match == "prefix":  # "com.shop" as a prefix catches com.shopping: the dot must be there
        return uri.startswith(f"{prefix}.")
    return uri == prefix or uri.startswith(f"{prefix}.")


def _starts_with(components: Sequence[str], prefix: Sequence[str]) -> bool:
    return len(components) >= len(prefix) and all(
        component == wanted for component, wanted in zip(components, prefix, strict=False)
    )
