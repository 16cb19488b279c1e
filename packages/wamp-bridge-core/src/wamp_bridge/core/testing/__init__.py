"""What tests of apps and adapters need: a bridge that exists only as its signed requests."""

from wamp_bridge.core.testing._bridge import SignedBridge, read_answer, signed_request

__all__ = ["SignedBridge", "read_answer", "signed_request"]
