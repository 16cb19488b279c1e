"""The addresses of the hosts that an app's callbacks go to, looked up in threads of its own.

The event loop looks up few names at once. One app's names, whose name servers answer late or never,
must not keep the others' waiting.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

AT_ONCE = 4
"""How many names of an app are looked up at once; who gave up waiting counts until that ends."""

Info = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]


class Lookups(AbstractResolver):
    """Looks up names for one app."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, "lookup")

    async def infos(
        self, host: str, port: int, family: int = socket.AF_UNSPEC, flags: int = 0
    ) -> list[Info]:
        """What `socket.getaddrinfo` says of a host.

        Raises:
            OSError: It has no address.
            UnicodeError: It is a name that none can have.
        """
        ask = partial(
            socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM, flags=flags
        )
        return [*await asyncio.get_running_loop().run_in_executor(self._threads, ask)]

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The same, as aiohttp wants it: addresses of the kinds that this machine has."""
        infos = await self.infos(host, port, family, socket.AI_ADDRCONFIG)
        return [
            ResolveResult(
                hostname=host,
                host=str(place[0]),
                port=int(place[1]),
                family=found,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for found, _, protocol, _, place in infos
        ]

    async def close(self) -> None:
        """Look up nothing more. What has been begun ends in its thread."""
        self._threads.shutdown(wait=False, cancel_futures=True)
