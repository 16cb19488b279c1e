"""What a bridge holds for an app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wamp_bridge.core import BridgeError

if TYPE_CHECKING:
    from support.processes import Child
    from wamp_bridge.core import Bridge


def is_held(shop: Bridge, server: Child | None = None) -> bool:
    """Whether all that it has announced is live, and that is something.

    Args:
        shop: The bridge as the app sees it.
        server: The app's, which has to be running meanwhile.
    """
    assert server is None or server.running, server.output
    states = [entry.state for entry in shop.registrations()]
    states += [entry.state for entry in shop.subscriptions()]
    return bool(states) and set(states) == {"live"}


def held_ids(shop: Bridge) -> list[str]:
    """The ids of its registrations and subscriptions."""
    ids = [entry.id for entry in shop.registrations()]
    return ids + [entry.id for entry in shop.subscriptions()]


def pid_of(peer: Bridge) -> int | None:
    """The process that serves the shop's `worker` now; None where none does."""
    try:
        pid: int = peer.call("com.shop.worker")
    except BridgeError:  # it has just ended, or is about to
        return None
    return pid
