"""The bridge: a WAMP client that is also an HTTP server with a REST API."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("wamp-bridge-server")
