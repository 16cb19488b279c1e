"""No router at all: the apps of one bridge talk with one another in its memory (`memory:`)."""

from wamp_bridge_server.backends.memory.backend import MemoryBackend

__all__ = ["MemoryBackend"]
