"""The authorities that requests are for: those of the bridge, as a Host header writes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wamp_bridge_server.config import Address

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_PORT = re.compile(r":[0-9]*")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Authorities:
    """The authorities that signatures may be made for, in each way to write them as a Host.

    Args:
        origins: `SCHEME://HOST[:PORT]`, those of the bridge and of nobody else.
        public: The one of them by which all the world reaches it, where that is known.
    """

    def __init__(self, origins: Iterable[str] = (), public: str | None = None) -> None:
        self.public = public
        self._by_host: dict[str, str] = {}
        for origin in origins:
            scheme, _, authority = origin.lower().rstrip("/").partition("://")
            default = _DEFAULT_PORTS[scheme]
            bare = authority.removesuffix(default)
            self._by_host[bare] = bare
            if _PORT.fullmatch(bare, bare.rfind(":")) is None:
                self._by_host[bare + default] = bare

    def of(self, hosts: Sequence[str]) -> str | None:
        """The authority of a request: lower case, without the default port.

        Args:
            hosts: The lines of its Host header. What proxies forward is never asked.

        Returns:
            None where it is none of the bridge's.
        """
        return self._by_host.get(hosts[0].strip().lower()) if len(hosts) == 1 else None


def own_origins(listen: Address, port: int, *, tls: bool) -> list[str]:
    """The origins of a listener: none where it listens on every address of the machine.

    Args:
        listen: What the configuration says.
        port: The port that it listens on.
        tls: Whether it speaks TLS.
    """
    if listen.wildcard:
        return []
    hosts = {listen.host, *(_LOOPBACK if listen.loopback else ())}
    scheme = "https" if tls else "http"
    return [f"{scheme}://[{h}]:{port}" if ":" in h else f"{scheme}://{h}:{port}" for h in hosts]


def is_loopback(hosts: Sequence[str]) -> bool:
    """Whether a request was for this machine under a name that no other machine can have.

    Args:
        hosts: The lines of its Host header.
    """
    if len(hosts) != 1:
        return False
    host = hosts[0].strip().lower()
    name = host[1 : host.rfind("]")] if host.startswith("[") else host.partition(":")[0]
    return name in _LOOPBACK
