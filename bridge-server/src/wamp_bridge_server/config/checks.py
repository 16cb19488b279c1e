"""What a value of the configuration must be. Each check takes any value of TOML's.

It returns what the bridge works with or raises `Wrong`, whose text ends the sentence `KEY ...`.
"""

from __future__ import annotations

import base64
import binascii
import re
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from wamp_bridge_server.config._model import Address
from wamp_bridge_server.config.tokens import PREFIX as TOKEN_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable
    from ipaddress import IPv4Network, IPv6Network

T = TypeVar("T")

_TOKEN = re.compile(r"sha256:([0-9a-f]{64})")
_PORT = re.compile(r"[0-9]{1,5}")
_APP = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_UNWRITTEN = re.compile(r"[^!-~]|\\")  # backslashes, and what goes as %XX
_MORE = re.compile(r"\][^:]")  # behind an address in brackets
_MAX_URL = 2048
_MAX_CROSSBAR_KEY = 256
MAX_GRACE = 3600.0
MIN_RATE, MAX_RATE = 0.01, 1_000_000.0
_MAX_PORT = 65535
_SECRET_BYTES = 32
_WEB = ("http", "https")
_ROUTERS = ("rs", "rss", "ws", "wss")


class Wrong(ValueError):  # noqa: N818 - a value's property, told to the one who wrote it
    """A value that can't be; `inside` is where in the value, as `[0]`."""

    def __init__(self, message: str, inside: str = "") -> None:
        super().__init__(message)
        self.inside = inside


def text(value: Any) -> str:
    """A string that isn't empty."""
    if not isinstance(value, str):
        raise Wrong(f"must be a string, not {kind(value)}")
    if not value:
        raise Wrong("is empty")
    return value


def listed(check: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    """A check of lists, by the check of their items."""

    def check_list(value: Any) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise Wrong(f"must be a list, not {kind(value)}")
        items = []
        for index, item in enumerate(value):
            try:
                items.append(check(item))
            except Wrong as wrong:
                raise Wrong(str(wrong), f"[{index}]{wrong.inside}") from wrong
        return tuple(items)

    return check_list


def kind(value: Any) -> str:
    """What a value is, in TOML's words."""
    for type_, name in (
        (bool, "a boolean"),
        (str, "a string"),
        (int, "an integer"),
        (float, "a number"),
        (list, "a list"),
        (dict, "a table"),
    ):
        if isinstance(value, type_):
            return name
    return "a date or time"


def app_name(name: str) -> str:
    """An app's name: what goes unchanged into a header, a URI and a variable's name."""
    if not _APP.fullmatch(name):
        raise Wrong(
            "is no name for an app; take up to 64 letters, digits, - and _, a letter or digit first"
        )
    return name


def address(value: Any) -> Address:
    """`HOST:PORT` or `[IPv6]:PORT`."""
    given = text(value)
    host, colon, port = given.rpartition(":")
    if not colon or not host:
        raise Wrong(f"must be HOST:PORT, as 127.0.0.1:8181 or 0.0.0.0:8181, not {given!r}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if ":" not in host:
            raise Wrong(f"has brackets around what is no IPv6 address: {given!r}")
    elif ":" in host:
        raise Wrong(f"must have brackets around an IPv6 address, as [::1]:8181, not {given!r}")
    if not re.fullmatch(r"[^\s\[\]/@#?]+", host) or not _is_host(host):
        raise Wrong(f"has no valid host: {given!r}")
    return Address(host, port_number(port))


def _is_host(host: str) -> bool:
    """Whether a host can be looked up: no label of it is empty or too long."""
    try:
        return bool(host.encode("idna"))
    except UnicodeError:
        return False


def port_number(text: str) -> int:
    """A port's number, as it is written."""
    if not _PORT.fullmatch(text) or int(text) > _MAX_PORT:
        raise Wrong(f"must have a port from 0 to 65535, not {text!r}")
    return int(text)


def rate(value: Any) -> float:
    """Requests a second."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Wrong(f"must be a number of requests a second, not {kind(value)}")
    if not MIN_RATE <= value <= MAX_RATE:  # which NaN isn't either
        raise Wrong(f"must be {MIN_RATE:g} to {MAX_RATE:.0f} requests a second, not {value}")
    return float(value)


def grace(value: Any) -> float:
    """Seconds for what is under way when the bridge goes down."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Wrong(f"must be a number of seconds, not {kind(value)}")
    if not 0 <= value <= MAX_GRACE:  # which NaN isn't either
        raise Wrong(f"must be 0 to {MAX_GRACE:.0f} seconds, not {value}")
    return float(value)


def boolean(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise Wrong(f"must be true or false, not {kind(value)}")
    return value


def crossbar_key(value: Any) -> str:
    """The key of Crossbar's clients, which travels in a query."""
    key = text(value)
    if len(key) > _MAX_CROSSBAR_KEY or not key.isprintable():
        raise Wrong(f"must be up to {_MAX_CROSSBAR_KEY} printable characters")
    return key


def token(value: Any) -> str:
    """A token's hash, without the `sha256:` before it. Says nothing of what it was."""
    match = _TOKEN.fullmatch(value) if isinstance(value, str) else None
    if isinstance(value, str) and value.startswith(TOKEN_PREFIX):
        raise Wrong(
            "is a token itself, which its app alone should have; what stands here is sha256: and "
            "the 64 lower-case hex digits of its SHA-256"
        )
    if match is None:
        raise Wrong(
            "must be sha256: and the 64 lower-case hex digits of the token's SHA-256, never the "
            "token itself; `wamp-bridge key NAME` makes one"
        )
    return match[1]


def webhook_secret(value: str) -> str:
    """A secret of Standard Webhooks 1.0 with 32 bytes. Says nothing of what it was."""
    try:
        decoded = base64.b64decode(value.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if not value.startswith("whsec_") or len(decoded) != _SECRET_BYTES:
        raise Wrong("must be whsec_ and the base64 of 32 bytes; `wamp-bridge key NAME` makes one")
    return value


def cryptosign_key(value: str) -> str:
    """An Ed25519 private key in hex. Says nothing of what it was."""
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", value):
        raise Wrong("must be an Ed25519 private key, 64 hex digits")
    return value


def authid(value: Any) -> str:
    """Who proves a password by SCRAM, in which `=` and `,` are signs of its own."""
    given = text(value)
    if not re.fullmatch(r"[!-+\--<>-~]+", given):
        raise Wrong("must be visible ASCII characters, without = and ,")
    return given


def prefix(value: Any) -> str:
    """A URI prefix of whole components, or `*`."""
    given = text(value)
    if given == "*":
        return given
    parts = given.split(".")
    if "*" in parts:
        raise Wrong(f"allows all below a prefix by the prefix alone: {given!r} without the *")
    if not all(parts) or re.search(r"[\s#]", given):
        raise Wrong(f"must be whole components of a URI, as com.shop, or *, not {given!r}")
    if parts[0] == "wamp":
        raise Wrong(f"can't be allowed: {given!r} is the router's own")
    return given


def source_url(value: Any) -> str:
    """The URL of a mounted dispatcher."""
    url = text(value)
    parts = _url(url, _WEB)
    if parts.query:
        raise Wrong(f"can't have a query: {url!r}")
    if not parts.path.endswith("/"):
        raise Wrong(f"must end in a slash, as the URL where the dispatcher is mounted: {url!r}")
    return url


def public_url(value: Any) -> str:
    """Scheme, host and port by which apps reach the bridge."""
    url = text(value)
    parts = _url(url, _WEB)
    if parts.path not in ("", "/") or parts.query:
        raise Wrong(f"must be scheme, host and port alone, not {url!r}")
    return url.rstrip("/")


def network(value: Any) -> IPv4Network | IPv6Network:
    """An address, or a network of them."""
    given = text(value)
    try:
        return ip_network(given)
    except ValueError as error:
        # `ipaddress` names the text and what is wrong with it.
        raise Wrong(f"must be an address or a network, as 10.0.0.0/8: {error}") from None


def router_url(value: Any) -> str:
    """Where the router is, or `memory:`."""
    url = text(value)
    if url == "memory:":
        return url
    parts = _url(url, _ROUTERS, "rs, rss, ws or wss with ://HOST:PORT, or memory:")
    if parts.scheme in ("rs", "rss") and (parts.port is None or parts.path not in ("", "/")):
        raise Wrong(f"must be {parts.scheme}://HOST:PORT, not {url!r}")
    return url


def router_urls(value: Any) -> str | tuple[str, ...]:
    """Where the router is, `memory:`, or a list of the routers of one realm."""
    if not isinstance(value, list):
        return router_url(value)
    urls = listed(router_url)(value)
    if not urls:
        raise Wrong("is an empty list")
    if "memory:" in urls or len(set(urls)) < len(urls):
        raise Wrong("must be URLs of different routers")
    return urls


def realm(value: Any) -> str:
    """A realm's name."""
    name = text(value)
    if re.search(r"[\s#]", name):
        raise Wrong(f"can't hold spaces or #: {name!r}")
    return name


def store_url(value: Any) -> str:
    """Where the store is."""
    url = text(value)
    if url.startswith(("postgresql:", "postgresql+", "postgres:")):
        raise Wrong("is for PostgreSQL, which comes with a later version; use sqlite:///PATH")
    path = url.removeprefix("sqlite:///")
    if path in (url, "", "/") or "?" in path:
        # Not quoted: the URL of another database may well hold a password.
        raise Wrong("must be sqlite:///PATH, with four slashes for an absolute path")
    return url


def _url(url: str, schemes: tuple[str, ...], expected: str | None = None) -> SplitResult:
    """Split a URL that any client reads in the same way."""
    if len(url) > _MAX_URL:
        raise Wrong(f"is a URL of more than {_MAX_URL} characters")
    try:
        parts = urlsplit(url)
        host, more = parts.hostname or "", _MORE.search(parts.netloc)
        sound = _is_host(host) and parts.port != 0 and not more
    except ValueError:
        sound = False
    if not sound or parts.scheme not in schemes or _UNWRITTEN.search(url):
        raise Wrong(f"must be a URL: {expected or ' or '.join(schemes)}")
    if "@" in parts.netloc:
        raise Wrong("can't have a user or a password in its URL")
    if "#" in url:
        raise Wrong(f"can't have a fragment: {url!r}")
    return parts
