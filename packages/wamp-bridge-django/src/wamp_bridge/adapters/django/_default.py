"""The `WampBridge` that the module-level names belong to, for all of this package."""

from __future__ import annotations

from wamp_bridge.adapters.django._adapter import WampBridge

default = WampBridge()
