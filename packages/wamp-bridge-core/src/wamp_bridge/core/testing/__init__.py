"""What tests of apps and adapters need: a bridge that exists only as its requests.

`FakeBridge` stands in for the bridge while an app is tested. `SignedBridge` sends a dispatcher what
a bridge would. What every adapter must do is in `wamp_bridge.core.testing.conformance`.
"""

from wamp_bridge.core.testing._asked import Called, Published
from wamp_bridge.core.testing._bridge import SignedBridge, read_answer, signed_request
from wamp_bridge.core.testing._fake import FakeBridge, UnexpectedRequest
from wamp_bridge.core.testing._servers import asgi_sender, wsgi_sender

__all__ = [
    "Called",
    "FakeBridge",
    "Published",
    "SignedBridge",
    "UnexpectedRequest",
    "asgi_sender",
    "read_answer",
    "signed_request",
    "wsgi_sender",
]
