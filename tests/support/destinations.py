"""Where callbacks may go in tests."""

from __future__ import annotations

from wamp_bridge_server.callbacks.destinations import Destinations, Own
from wamp_bridge_server.config import callback_rule


def destinations(*rules: str, own: Own | None = None) -> Destinations:
    """Where an app's callbacks may go by the rules of a configuration."""
    return Destinations([callback_rule(rule) for rule in rules], own or Own())


LOOPBACK = destinations("127.0.0.1:*")
