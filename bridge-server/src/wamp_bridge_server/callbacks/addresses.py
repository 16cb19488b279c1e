"""IP addresses: what they stand for, and which of them no callback ever goes to."""

from __future__ import annotations

import socket
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_BITS = 0xFFFFFFFF
_NET = 24
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")  # RFC 8215
_COMPATIBLE = IPv6Network("::/96")  # RFC 4291, section 2.5.5.1
_UNICAST = IPv6Network("2000::/3")  # all that is given out of IPv6 (RFC 4291, section 2.4)

NEVER: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "::/128",
        "169.254.0.0/16",
        "fe80::/10",
        "224.0.0.0/4",
        "ff00::/8",
        "255.255.255.255",
        # Where clouds tell a machine its credentials, beside those that are link-local.
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "168.63.129.16",
    )
)
"""Unspecified, link-local, multicast and broadcast addresses, and the metadata services."""


def address_of(text: str) -> Address | None:
    """The address that a text is, with no zone; None where it is none, or another spelling."""
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None


def plain(address: Address) -> Address:
    """An address as it is dialled: the IPv4 address for the form that maps it into IPv6."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def embedded(address: Address) -> list[IPv4Address]:
    """The IPv4 addresses to which an IPv6 address may be carried on.

    By NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), Teredo (RFC 4380) or as IPv4-compatible.
    """
    if not isinstance(address, IPv6Address):
        return []
    bits = int(address)
    if address.sixtofour is not None:
        return [address.sixtofour]
    if address.teredo is not None:
        return [*address.teredo]
    if address in _NAT64 or (address in _COMPATIBLE and bits > 1):
        return [IPv4Address(bits & _BITS)]
    if address in _NAT64_LOCAL:  # which of RFC 6052's lengths is used there, its operator knows
        straight = bits >> 48 & _BITS
        parted = (bits >> 64 & 0xFFFF) << 16 | bits >> 40 & 0xFFFF
        forms = dict.fromkeys((bits & _BITS, straight, parted))
        return [IPv4Address(form) for form in forms if form >> _NET]
    return []


def is_never(address: Address) -> bool:
    """Whether it is one that no configuration admits, in whichever form."""
    forms = (plain(address), *embedded(address))
    return any(form in network for form in forms for network in NEVER)


def is_never_all(network: Network) -> bool:
    """Whether a network holds nothing but such addresses, as far as its prefix tells."""
    if network.num_addresses == 1:
        return is_never(network.network_address)
    return any(
        isinstance(network, type(never)) and network.subnet_of(never)  # type: ignore[arg-type]
        for never in NEVER
    )


def is_routable(address: Address) -> bool:
    """Whether it is one of the Internet, in whichever form."""
    address = plain(address)
    carried = embedded(address)
    if isinstance(address, IPv6Address):
        if address.teredo is not None or (address not in _UNICAST and address not in _NAT64):
            return False
        if not carried and not address.is_global:
            return False
    elif not address.is_global or address.is_reserved:
        return False
    return all(each.is_global and not each.is_reserved for each in carried)


def is_of_this_machine(address: Address) -> bool:
    """Whether the system listens on it, as far as it says: such a one can be bound to."""
    family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True
