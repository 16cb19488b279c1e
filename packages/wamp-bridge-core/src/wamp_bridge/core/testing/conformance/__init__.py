"""What every adapter must do, as tests for the adapter's own tests to subclass.

::

    class TestConformance(AdapterConformance):
        @contextmanager
        def mounted(self, declare, settings):
            wamp = WampBridge()
            declare(wamp)
            app = Flask("example")
            app.config.update(settings)
            app.register_blueprint(wamp.dispatcher, url_prefix="/wamp")
            yield wsgi_sender(app)

An adapter that lacks something says so by the class's attributes; it then has no tests for it.
Needs pytest.
"""

from wamp_bridge.core.testing._servers import PLACE, asgi_sender, wsgi_sender
from wamp_bridge.core.testing.conformance._deliveries import (
    EventTests,
    ManifestTests,
    OutcomeTests,
)
from wamp_bridge.core.testing.conformance._errors import ErrorTests
from wamp_bridge.core.testing.conformance._handlers import Declares, Kind
from wamp_bridge.core.testing.conformance._invocations import InvocationTests
from wamp_bridge.core.testing.conformance._mounting import MountedApp
from wamp_bridge.core.testing.conformance._refusals import RefusalTests
from wamp_bridge.core.testing.conformance._signatures import SignatureTests
from wamp_bridge.core.testing.conformance._steps import StepTests

__all__ = [
    "PLACE",
    "AdapterConformance",
    "Declares",
    "Kind",
    "MountedApp",
    "asgi_sender",
    "wsgi_sender",
]


class AdapterConformance(
    SignatureTests,
    RefusalTests,
    ManifestTests,
    InvocationTests,
    StepTests,
    EventTests,
    OutcomeTests,
    ErrorTests,
):
    """All of the suite. Say how the adapter is mounted: see `mounted`.

    Attributes:
        kinds: Which handlers the adapter serves: `sync`, `async`; both if left out.
        concurrent: Whether it serves several requests at once; true if left out.
        streams: Whether it answers in steps; true if left out.
    """
