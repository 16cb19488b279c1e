"""A real Crossbar router as a child process, from a private pinned environment.

For `wamp-bridge dev`, the tests and the benchmarks. Crossbar's pins fit into no environment that
holds today's HTTP libraries, so it gets one of its own, made on first use.
"""

from wamp_bridge_server.devrouter.config import ANYTHING, node_config
from wamp_bridge_server.devrouter.crossbar import CrossbarRouter
from wamp_bridge_server.devrouter.environment import cache_directory, crossbar_executable
from wamp_bridge_server.devrouter.errors import RouterError

__all__ = [
    "ANYTHING",
    "CrossbarRouter",
    "RouterError",
    "cache_directory",
    "crossbar_executable",
    "node_config",
]
