"""A port to listen at that stays ours over restarts."""

from __future__ import annotations

import random
import socket
from pathlib import Path
from typing import Final

_LOWEST: Final = 10_000
_HIGHEST: Final = 32_767
_RANGE_FILE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")


def obstacle(host: str, port: int) -> str | None:
    """What keeps one from listening at this address now; None where nothing does."""
    try:
        with socket.create_server((host, port), family=_family(host)):
            return None
    except OSError as error:
        # Python adds the address, in brackets.
        return str(error.strerror).partition(" (")[0].lower()


def is_free(host: str, port: int) -> bool:
    """Tell whether one could listen at this address now."""
    return obstacle(host, port) is None


def free_port(host: str) -> int:
    """Return a free port outside the range of ports that the kernel gives to outgoing connections.

    A port from that range may be given away while the router is down, even to a client that tries
    to reach the router at that very port: TCP then connects it to itself, and the router can't
    listen there any more.
    """
    highest = min(_HIGHEST, _first_outgoing_port() - 1)
    for _ in range(1000):
        port = random.randint(_LOWEST, highest)  # noqa: S311 - no secret
        if is_free(host, port):
            return port
    raise OSError(f"no free port at {host} between {_LOWEST} and {highest}")


def _first_outgoing_port() -> int:
    try:
        first = int(_RANGE_FILE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _HIGHEST + 1
    return first if first > _LOWEST else _HIGHEST + 1


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
