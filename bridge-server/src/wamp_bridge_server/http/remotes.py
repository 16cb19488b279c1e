"""Whose address a request comes from, where proxies stand before the bridge.

What is found here bounds how often somebody may fail; it lets nobody in, and no signature is made
for it.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

from multidict import istr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

_FORWARDED_FOR = istr("X-Forwarded-For")


class Remotes:
    """Tells the addresses of clients.

    Args:
        proxies: The networks of the proxies that are believed.
    """

    def __init__(self, proxies: Sequence[IPv4Network | IPv6Network] = ()) -> None:
        self._proxies = proxies

    def of(self, request: web.Request) -> str | None:
        """The client's address; where a proxy that is believed names one in X-Forwarded-For, that.

        Each proxy adds at the end of the header who asked it, and anybody may have written what
        stands before: so it is read from its end, as far as those go that are believed.
        """
        remote = request.remote
        if not self._proxies or not self._is_believed(_address(remote or "")):
            return remote
        named = ",".join(request.headers.getall(_FORWARDED_FOR, ())).split(",")
        for text in reversed(named):
            address = _address(text.strip())
            if address is None:
                break
            remote = str(address)
            if not self._is_believed(address):
                break
        return remote

    def _is_believed(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self._proxies)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address without its zone, the form that maps IPv4 into IPv6 as what it maps."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
