"""Where the callbacks of an app may go (protocol, section 6).

Asked twice: when an app names a URL, as far as its text tells, so that it learns why not; and on
every dial, of the address that is dialled, whatever its host was and was resolved to.
"""

from __future__ import annotations

import asyncio
import errno
import math
import re
import socket
import time
from ipaddress import ip_network
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import structlog

from wamp_bridge_server.callbacks.addresses import (
    Address,
    address_of,
    embedded,
    is_never,
    is_never_all,
    is_of_this_machine,
    is_routable,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aiohttp import AddrInfoType

    from wamp_bridge_server.callbacks.addresses import Network
    from wamp_bridge_server.config import CallbackRule, Config

WEB_PORTS = frozenset({80, 443})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
# The last label of an address, in each of the ways to write one that some resolver takes.
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_LOOPBACK: tuple[Address, ...] = tuple(a for a in map(address_of, ("127.0.0.1", "::1")) if a)
_MAPPED_BITS = 96
_RESOLVED_SECONDS = 60.0
_UNRESOLVED_SECONDS = 5.0
_RESOLVING_SECONDS = 1.0
"""All callbacks wait meanwhile: a name server that is slow to answer must not stop them."""

log = structlog.get_logger("wamp_bridge.callbacks")


class NotDialled(OSError):  # noqa: N818 - named for what it is
    """A connection that the configuration does not admit; to the app, one that can't be made."""

    def __init__(self) -> None:
        super().__init__(errno.EHOSTUNREACH, "No route to host")


class Own:
    """What no app may be served at: the listener of the bridge, its router and its store.

    Args:
        places: The hosts and ports where others run that the bridge uses.
    """

    def __init__(self, places: Iterable[tuple[str, int]] = ()) -> None:
        self._places = [(host.lower().rstrip("."), port) for host, port in places]
        self._listeners: list[tuple[str, int]] = []
        self._addresses = {
            (plain(address), port)
            for host, port in self._places
            if (address := address_of(host)) is not None
        }
        self._due = -math.inf
        self._asking = asyncio.Lock()

    @classmethod
    def of(cls, config: Config) -> Self:
        """Those of a bridge: its listener and its routers. The store has no address."""
        routers = [
            (parts.hostname, parts.port or {"ws": 80, "wss": 443}.get(parts.scheme))
            for parts in map(urlsplit, config.router.urls)
        ]
        own = cls([(host, port) for host, port in routers if host and port])
        own.listens([(config.listen.host, config.listen.port)])
        return own

    def listens(self, addresses: Iterable[tuple[str, int]]) -> None:
        """Say where the bridge listens."""
        self._listeners = [*addresses]

    async def resolve(self) -> None:
        """Ask again, once in a while, at which addresses the named hosts are."""
        if not self._places or time.monotonic() < self._due:
            return
        async with self._asking:
            if time.monotonic() < self._due:
                return
            try:
                async with asyncio.timeout(_RESOLVING_SECONDS):
                    await self._resolve()
                self._due = time.monotonic() + _RESOLVED_SECONDS
            except TimeoutError:  # what was known goes on to count
                self._due = time.monotonic() + _UNRESOLVED_SECONDS

    def named(self, host: str, port: int) -> bool:
        """Whether it is one of them by its name."""
        return (host, port) in self._places

    def holds(self, address: Address, port: int) -> bool:
        """Whether one of them is, or may be, at an address and port."""
        if any(self._is_listener(address, port, *place) for place in self._listeners):
            return True
        meant = [known for known, at in self._addresses if at == port]
        if address in meant:
            return True
        # What runs on this machine may well listen on all of its addresses.
        return any(map(is_of_this_machine, meant)) and is_of_this_machine(address)

    def _is_listener(self, address: Address, port: int, host: str, at: int) -> bool:
        if port != at:
            return False
        own = address_of(host)
        if own is None:
            return is_of_this_machine(address)
        own = plain(own)
        return address == own or (own.is_unspecified and is_of_this_machine(address))

    async def _resolve(self) -> None:
        loop = asyncio.get_running_loop()
        found: set[tuple[Address, int]] = set()
        for host, port in self._places:
            try:
                infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError):
                # Nobody is there now; what was there may be again.
                found |= {known for known in self._addresses if known[1] == port}
                continue
            addresses = (address_of(str(info[4][0])) for info in infos)
            found |= {(plain(address), port) for address in addresses if address is not None}
        self._addresses = found


class Destinations:
    """Where the callbacks of one app may go.

    Args:
        rules: What its configuration says; None where it says nothing.
        own: What is never admitted.
    """

    __slots__ = ("_own", "_rules")

    def __init__(self, rules: Sequence[CallbackRule] | None, own: Own) -> None:
        self._rules = rules
        self._own = own

    async def prepare(self) -> None:
        """What has to be known before a dial, for that can't wait."""
        await self._own.resolve()

    def refusal(self, url: str) -> str | None:
        """Why a URL is not admitted, as far as its text tells; None where it may be."""
        parts = urlsplit(url)
        host = (parts.hostname or "").removesuffix(".")
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        address = address_of(host)
        if address is None and (
            not _NAME.fullmatch(host) or _NUMBER.fullmatch(host.rpartition(".")[2])
        ):
            return "has a host that is neither a name in ASCII nor an address as N.N.N.N or [N::N]"
        if address is not None and "%" in host:
            return "has an address with a zone"
        if self._admits_text(host, address, port):
            return None
        if self._rules is None:
            return (
                "is not on the Internet at port 80 or 443; the bridge's configuration of this app "
                'must say otherwise ("callbacks")'
            )
        return 'is not where the bridge\'s configuration lets this app be called ("callbacks")'

    def socket(self, host: str, info: AddrInfoType) -> socket.socket:
        """A socket for a dial that is admitted.

        Args:
            host: The URL's.
            info: Where the dial goes.

        Raises:
            NotDialled: It is not admitted.
        """
        family, kind, protocol, _, place = info
        address, port = address_of(str(place[0])), int(place[1])
        if address is None or not self.admits(_name(host), address, port):
            log.warning("callback not admitted", host=host, address=str(place[0]), port=port)
            raise NotDialled
        return socket.socket(family=family, type=kind, proto=protocol)

    def admits(self, host: str, address: Address, port: int) -> bool:
        """Whether a dial may go to an address that was written as, or resolved from, a host."""
        address = plain(address)
        if is_never(address) or self._own.named(host, port):
            return False
        if any(self._own.holds(form, port) for form in (address, *embedded(address))):
            return False
        if self._rules is None:
            return port in WEB_PORTS and is_routable(address)
        return any(
            rule.port in (None, port)
            and (rule.host == host if rule.host is not None else _covers(rule, address))
            for rule in self._rules
        )

    def _admits_text(self, host: str, address: Address | None, port: int) -> bool:
        if address is not None:
            return self.admits(host, address, port)
        if self._own.named(host, port):
            return False
        if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, section 6.3
            return any(self.admits(host, each, port) for each in _LOOPBACK)
        if self._rules is None:
            return port in WEB_PORTS
        return any(
            rule.port in (None, port) and (rule.host is None or rule.host == host)
            for rule in self._rules
        )


def is_never_used(rule: CallbackRule, own: Own) -> bool:
    """Whether all that a rule of a configuration names is never admitted."""
    if rule.network is None:
        return rule.port is not None and own.named(rule.host or "", rule.port)
    network, port = _unmapped(rule.network), rule.port
    if is_never_all(network):
        return True
    alone = network.num_addresses == 1 and port is not None
    return alone and own.holds(network.network_address, port or 0)


def _covers(rule: CallbackRule, address: Address) -> bool:
    """Whether a network holds an address, or the one that it stands for."""
    if rule.network is None:
        return False
    network = _unmapped(rule.network)
    carried = embedded(address)
    if carried and all(each in network for each in carried):
        return True
    # A range of IPv6 opens no way into private networks of IPv4 that nobody thought of.
    return address in network and all(is_routable(each) for each in carried)


def _unmapped(network: Network) -> Network:
    """The network of IPv4 for the form that maps it into IPv6."""
    mapped = plain(network.network_address)
    if mapped.version != network.version and network.prefixlen >= _MAPPED_BITS:
        return ip_network((int(mapped), network.prefixlen - _MAPPED_BITS))
    return network


def _name(host: str) -> str:
    return host.lower().removesuffix(".")
