"""WAMP through a router: one session for each app, over autobahn's parts.

Nothing outside this package imports autobahn.
"""

import logging

import autobahn.asyncio  # noqa: F401 - binds autobahn to asyncio, before any other part of it

from wamp_bridge_server.backends.wamp.backend import WampBackend
from wamp_bridge_server.backends.wamp.settings import Address, Identity, Patience

# What it has to say of connections, our own sessions say with their apps' names.
logging.getLogger("autobahn").setLevel(logging.ERROR)

__all__ = ["Address", "Identity", "Patience", "WampBackend"]
