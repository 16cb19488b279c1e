"""Where callbacks may go: `HOST:PORT`, `ADDRESS:PORT`, `ADDRESS/BITS:PORT`; `*` is any port."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Any

from wamp_bridge_server.config._model import CallbackRule
from wamp_bridge_server.config.checks import Wrong, port_number, text

_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
_MAX_HOST = 253
# The last label of an address, in each of the ways to write one that some resolver takes.
_NUMBER = re.compile(r"(0[xX][0-9A-Fa-f]*|[0-9]+)\.?")
_FORMS = "HOST:PORT, ADDRESS:PORT or ADDRESS/BITS:PORT, as 10.0.0.0/8:443, [::1]:8000 or app:*"


def callback_rule(value: Any) -> CallbackRule:
    """One entry of an app's `callbacks`."""
    given = text(value)
    place, colon, port = given.rpartition(":")
    if not colon or not place:
        raise Wrong(f"must be {_FORMS}, not {given!r}")
    number = None if port == "*" else port_number(port)
    if number == 0:
        raise Wrong("can't have port 0; * is any port")
    if place.startswith("[") or "/" in place or _NUMBER.fullmatch(place.rpartition(".")[2]):
        return CallbackRule(network=_network(place, given), port=number)
    if not _HOST.fullmatch(place) or len(place) > _MAX_HOST:
        hint = "" if place.isascii() else "; a name with other letters goes as xn--..."
        raise Wrong(f"must be {_FORMS}, not {given!r}{hint}")
    return CallbackRule(host=place.lower().rstrip("."), port=number)


def _network(place: str, given: str) -> Any:
    address, slash, bits = place.partition("/")
    if address.startswith("[") and address.endswith("]") and ":" in address:
        address = address[1:-1]
    elif ":" in address:
        raise Wrong(f"must have brackets around an IPv6 address, as [::1]:8000, not {given!r}")
    if "%" in address or not re.fullmatch(r"([0-9]{1,3})?", bits) or (slash and not bits):
        raise Wrong(f"must be {_FORMS}, not {given!r}")
    try:
        return ip_network(address + slash + bits)
    except ValueError as error:
        # `ipaddress` names the text and what is wrong with it.
        raise Wrong(f"holds no address or network: {error}") from None
