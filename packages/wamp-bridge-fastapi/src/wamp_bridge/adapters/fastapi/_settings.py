"""The settings of a `WampBridge`: its arguments, then the environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wamp_bridge.core import AsyncWampBridgeBase

if TYPE_CHECKING:
    from collections.abc import Sequence


class SettledBridge(AsyncWampBridgeBase):
    """An app's handlers and settings.

    Args:
        url: `WAMP_BRIDGE_URL`. This and those below are read from the environment if left out.
        app: `WAMP_BRIDGE_APP`.
        token: `WAMP_BRIDGE_TOKEN`.
        secret: `WAMP_BRIDGE_SECRET`; several while they rotate.
        callback_url: `WAMP_BRIDGE_CALLBACK_URL`.
        prefix: `WAMP_BRIDGE_PREFIX`.
        timeout: `WAMP_BRIDGE_TIMEOUT`, in seconds.
        announce: `WAMP_BRIDGE_ANNOUNCE`.
        verify: `WAMP_BRIDGE_VERIFY`.
        include_in_schema: Show the dispatcher in the app's OpenAPI.
    """

    def __init__(
        self,
        *,
        url: str | None = None,
        app: str | None = None,
        token: str | None = None,
        secret: str | Sequence[str] | None = None,
        callback_url: str | None = None,
        prefix: str | None = None,
        timeout: float | None = None,
        announce: bool | None = None,
        verify: bool | None = None,
        include_in_schema: bool = False,
    ) -> None:
        given = {
            "WAMP_BRIDGE_URL": url,
            "WAMP_BRIDGE_APP": app,
            "WAMP_BRIDGE_TOKEN": token,
            "WAMP_BRIDGE_SECRET": secret,
            "WAMP_BRIDGE_CALLBACK_URL": callback_url,
            "WAMP_BRIDGE_PREFIX": prefix,
            "WAMP_BRIDGE_TIMEOUT": timeout,
            "WAMP_BRIDGE_ANNOUNCE": announce,
            "WAMP_BRIDGE_VERIFY": verify,
        }
        super().__init__(given, os.environ)
        self.include_in_schema = include_in_schema
