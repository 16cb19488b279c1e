"""Whether somebody listens where an app's callbacks go: a TCP connection, made and closed again."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from wamp_bridge_server.callbacks.destinations import Destinations
    from wamp_bridge_server.callbacks.lookups import Lookups

_DEFAULT_PORTS = {"http": 80, "https": 443}
_OURS = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EAGAIN}
)
"""What no app is to blame for: this machine has no more sockets, ports or memory."""


class Nobody(Exception):  # noqa: N818 - named for what was found
    """No connection can be made. Says why, for a person."""


class CannotTell(Exception):  # noqa: N818 - named for what was found
    """No connection was made, for reasons of our own."""


def place_of(url: str) -> tuple[str, int]:
    """The host, in lower case, and the port that a callback URL is dialled at."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)


async def probe(
    destinations: Destinations, lookups: Lookups, host: str, port: int, within: float
) -> None:
    """Connect, at one of the addresses that a host has and that are admitted.

    Args:
        destinations: Where the callbacks of the app may go.
        lookups: Finds the addresses of the app's hosts.
        host: As in the URL.
        port: As in the URL, or its scheme's.
        within: Seconds, for each address its share.

    Raises:
        Nobody: None took a connection.
        CannotTell: This machine can make no connection.
    """
    try:
        async with asyncio.timeout(within):
            await _connect(destinations, lookups, host, port, within)
    except TimeoutError:
        raise Nobody("no connection in time") from None
    except (socket.gaierror, UnicodeError):  # the latter for a name that none can have
        raise Nobody("host name not resolved") from None
    except OSError as error:
        if error.errno in _OURS:
            raise CannotTell(os.strerror(error.errno or 0)) from None
        refused = isinstance(error, ConnectionRefusedError)
        raise Nobody("connection refused" if refused else "host not reachable") from None


async def _connect(
    destinations: Destinations, lookups: Lookups, host: str, port: int, within: float
) -> None:
    loop = asyncio.get_running_loop()
    await destinations.prepare()
    infos = await lookups.infos(host, port)
    for last, info in enumerate(infos, 1 - len(infos)):
        try:
            with destinations.socket(host, info) as made:
                made.setblocking(False)
                async with asyncio.timeout(within / len(infos)):
                    await loop.sock_connect(made, info[4])
                return
        except OSError as error:  # also a timeout
            if last == 0 or error.errno in _OURS:
                raise
