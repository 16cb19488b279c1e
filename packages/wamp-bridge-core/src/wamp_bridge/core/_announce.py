"""Announcing an app when it starts being served."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wamp_bridge.core._bridge_app import WampBridgeBase


class Announcer:
    """Announces an app, once in each process that serves it, until the bridge has answered."""

    def __init__(self, app: WampBridgeBase) -> None:
        self._app = app

    def prepare(self) -> None:
        """Announce as soon as this process, or one forked from it, is seen to serve."""

    def serving(self) -> None:
        """Announce now, for this process serves for certain: it has a request, say."""

    def stop(self) -> None:
        """Announce no more."""
