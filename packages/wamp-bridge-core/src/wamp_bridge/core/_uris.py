"""WAMP's URIs, and how one is written as a segment of a path."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final, Literal, get_args
from urllib.parse import quote, unquote_to_bytes

from wamp_bridge.core._errors import InvalidURI

Match = Literal["exact", "prefix", "wildcard"]
Invoke = Literal["single", "roundrobin", "random", "first", "last"]

_MATCHES: Final = frozenset(get_args(Match))
_FORBIDDEN: Final = re.compile(r"[\s#\0\ud800-\udfff]")


def check_uri(uri: str, match: str = "exact") -> None:
    """Refuse what no router takes as a URI or pattern (WAMP, section "URIs"; loose rules).

    Args:
        uri: The URI, or the pattern where `match` is not exact.
        match: `exact`, `prefix` or `wildcard`. Only a wildcard may have empty components.

    Raises:
        InvalidURI: It is empty, holds white space, `#` or U+0000 (which no database takes as
            text), has an empty component where none is allowed, or `match` is none of the three.
    """
    if match not in _MATCHES:
        raise InvalidURI(f"match must be exact, prefix or wildcard, not {match!r}")
    if not isinstance(uri, str) or not uri:
        raise InvalidURI("a WAMP URI must be a text that is not empty")
    if _FORBIDDEN.search(uri):
        raise InvalidURI(f"{uri!r} holds white space, '#', U+0000 or half a character")
    if match != "wildcard" and "" in uri.split("."):
        raise InvalidURI(f"{uri!r} has an empty component; only a wildcard may have one")


def resolve_name(name: str, prefix: str) -> str:
    """The URI that a name in an app's code stands for.

    The prefix, which ends in a dot, goes before a name without a dot. A leading dot means the
    name as it stands without that dot.
    """
    if name.startswith("."):
        return name[1:]
    return name if "." in name else prefix + name


def escape_segment(name: str) -> str:
    """A name as one segment of a path (protocol, section 3).

    Percent-encoded; one of dots alone, which would lead elsewhere, as `~` and base64url.

    Raises:
        InvalidURI: The name is empty or can't be written in UTF-8.
    """
    if not name:
        raise InvalidURI("an empty name can't be a segment of a path")
    if not name.strip("."):
        return "~" + base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")
    try:
        segment = quote(name, safe="")
    except UnicodeEncodeError:
        raise InvalidURI(f"{name!r} holds half a character") from None
    return "%7E" + segment[1:] if segment.startswith("~") else segment


def unescape_segment(segment: str) -> str:
    """The name that a segment of a path, still percent-encoded, was made from.

    Raises:
        InvalidURI: No name is written so.
    """
    try:
        if segment.startswith("~"):
            text = segment[1:].encode("ascii")
            padded = text + b"=" * (-len(text) % 4)
            name = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        else:
            name = unquote_to_bytes(segment).decode()
        if escape_segment(name) == segment or not segment.startswith("~"):
            return name
    except (UnicodeError, binascii.Error, InvalidURI):
        pass
    raise InvalidURI(f"{segment!r} is no name written as a segment of a path")
