"""What stands in for the bridge while an app is tested: requests go there, and to no network.

`wamp_bridge.core.testing.FakeBridge` is one. Whatever asks something of a bridge looks here first,
so that apps are tested as they are, with the functions that their modules have imported long since.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wamp_bridge.core._requests import Answer, Failure, Outgoing
    from wamp_bridge.core._settings import Settings


class StandIn(Protocol):
    """What answers in the place of a bridge."""

    def completed(self, settings: Settings) -> Settings:
        """An app's settings, with what it must know of this bridge."""

    def answer(self, settings: Settings, request: Outgoing) -> Answer | Failure:
        """Answer a request, of an app with these settings; a stream of events in one piece."""


_in_place: list[StandIn] = []


def stand_in() -> StandIn | None:
    """What stands in for the bridge in this process, where anything does."""
    return _in_place[-1] if _in_place else None


@contextmanager
def standing_in(substitute: StandIn) -> Iterator[None]:
    """Have this answer, in all threads, until the context ends."""
    _in_place.append(substitute)
    try:
        yield
    finally:
        _in_place.remove(substitute)
