"""The shop in WAMP: its procedures and topics are `com.shop....`."""

from wamp_bridge.adapters.fastapi import WampBridge

wamp = WampBridge(prefix="com.shop")
