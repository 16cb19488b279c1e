"""The command `wamp-bridge`: reads a configuration, then starts, checks or makes what it is for."""

from wamp_bridge_server.cli._main import main

__all__ = ["main"]
