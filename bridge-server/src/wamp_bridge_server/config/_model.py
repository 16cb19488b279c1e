"""What a bridge is told, checked and with its secrets resolved."""

from __future__ import annotations

import hashlib
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Network, IPv6Network
    from pathlib import Path

Action = Literal["call", "publish", "register", "subscribe"]
AuthMethod = Literal["anonymous", "ticket", "wampcra", "scram", "cryptosign", "tls"]

EVERYTHING = ("*",)


class Secret:
    """A secret, out of sight: neither `repr` nor `str` shows it, `reveal()` alone does.

    `expires` is the unix time, in seconds, from which it counts no more; None where it stays.
    """

    __slots__ = ("_value", "expires")

    def __init__(self, value: str, expires: float | None = None) -> None:
        self._value = value
        self.expires = expires

    def reveal(self) -> str:
        """The secret itself, for the one place that uses it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Secret)
            and self._value == other._value
            and self.expires == other.expires
        )

    def __hash__(self) -> int:
        return hash((Secret, self._value, self.expires))


class Token(msgspec.Struct, frozen=True):
    """The hash of a token, as `hash_token` makes it (no `sha256:` before it).

    `expires` is the unix time, in seconds, from which it counts no more; None where it stays.
    """

    hash: str
    expires: float | None = None


def hash_token(token: str) -> str:
    """The hash of a token as a `Token` holds it: SHA-256 in lower-case hex."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class Address(msgspec.Struct, frozen=True):
    """Where the bridge listens. Port 0 lets the system choose one."""

    host: str
    port: int

    @property
    def wildcard(self) -> bool:
        """Whether it is all addresses of this machine."""
        return self.host in {"0.0.0.0", "::"}  # noqa: S104 - to know them

    @property
    def loopback(self) -> bool:
        """Whether this machine alone can reach it."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class TlsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate (with its chain) and its private key, files in PEM."""

    cert: Path
    key: Path


class RouterAuth(msgspec.Struct, frozen=True, kw_only=True):
    """How to authenticate at the router.

    `secret` is the ticket (`ticket`), the shared secret (`wampcra`) or the password (`scram`);
    `key` is the Ed25519 private key as 64 hex digits (`cryptosign`); `pair` is the certificate that
    is shown to the router (`tls`), None where it is the router section's.
    """

    method: AuthMethod = "anonymous"
    authid: str | None = None
    secret: Secret | None = None
    key: Secret | None = None
    pair: TlsConfig | None = None


class RouterConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The router that the bridge joins: `rs`, `rss`, `ws` or `wss` with a host, or `memory:`.

    Several URLs, each of a router of the same realms, are tried in turn.
    `ca` is a file of certificates in PEM, which alone are trusted for `rss` and `wss`; None where
    the system's are. `tls` is the certificate that every session shows which has none of its own.
    """

    url: str | tuple[str, ...] = "rs://127.0.0.1:8080"
    realm: str = "realm1"
    auth: RouterAuth = RouterAuth()
    ca: Path | None = None
    tls: TlsConfig | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        """All of them, as they are tried."""
        return (self.url,) if isinstance(self.url, str) else self.url

    @property
    def is_memory(self) -> bool:
        """Whether there is no router at all."""
        return self.url == "memory:"

    @property
    def secure(self) -> bool:
        """Whether every one of them is reached by TLS."""
        return all(url.startswith(("rss:", "wss:")) for url in self.urls)


class StoreConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where the bridge keeps what must survive it; a relative path is one of the process."""

    url: str = "sqlite:///wamp-bridge.db"


class Permissions(msgspec.Struct, frozen=True, kw_only=True):
    """What an app may do: for each action the URI prefixes, of whole components.

    `("*",)` is everything but `wamp.*`, and so is an action that the configuration left out; an
    empty tuple is nothing.
    """

    call: tuple[str, ...] = EVERYTHING
    publish: tuple[str, ...] = EVERYTHING
    register: tuple[str, ...] = EVERYTHING
    subscribe: tuple[str, ...] = EVERYTHING

    def prefixes(self, action: Action) -> tuple[str, ...]:
        """The prefixes that are allowed for an action."""
        prefixes: tuple[str, ...] = getattr(self, action)
        return prefixes


class CallbackRule(msgspec.Struct, frozen=True, kw_only=True):
    """Where an app's callbacks may go: a host name or a network of addresses, at one port or any.

    Exactly one of `host` (lower case, no dot at its end) and `network` is given; an address alone
    is a network of one. `port` is None for any.
    """

    host: str | None = None
    network: IPv4Network | IPv6Network | None = None
    port: int | None = None

    def __str__(self) -> str:
        """As it is written in a configuration."""
        port = "*" if self.port is None else self.port
        if self.network is None:
            return f"{self.host}:{port}"
        address, _, bits = str(self.network).partition("/")
        place = f"[{address}]" if self.network.version == 6 else address  # noqa: PLR2004 - of IP
        whole = int(bits) == self.network.max_prefixlen
        return f"{place}:{port}" if whole else f"{place}/{bits}:{port}"


class CrossbarKey(msgspec.Struct, frozen=True, kw_only=True):
    """What Crossbar's HTTP clients sign their query with: the key names it, the secret signs."""

    key: str
    secret: Secret


class CallConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of an app's calls.

    Of asynchronous ones each for `keep` seconds after its end; `running` may be under way at once.
    `kept_bytes` are those of the answers under an `Idempotency-Key`, together.
    """

    keep: float = 86_400.0
    running: int = 1_000
    kept_bytes: int = 256 * 1024**2


class DeliveryConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How events and outcomes are delivered, and how much of them is kept. Times are in seconds.

    `schedule` are the waits before each attempt, counted from the one before, each more or less by
    the share `jitter`. `timeout` is how long an attempt may take, `retry_after` how much wait an
    app may ask for. Dead letters are kept for `dead_letters`. Of what waits and what is dead,
    `most` deliveries and `most_bytes` of their bodies are kept for an app. `history` is how many
    events of a topic are asked of the router after an absence.
    """

    schedule: tuple[float, ...] = (0, 5, 300, 1800, 7200, 18000, 36000, 36000)
    jitter: float = 0.2
    timeout: float = 15.0
    retry_after: float = 3600.0
    dead_letters: float = 30 * 86_400.0
    most: int = 1_000_000
    most_bytes: int = 1024**3
    history: int = 1000


class AppConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant of the bridge.

    `secrets` are Standard Webhooks secrets (`whsec_` and base64 of 32 bytes), the newest first.
    `sources` are URLs of dispatchers that need no announcement. `callbacks` is None where they may
    go to globally routable addresses, ports 80 and 443. `rate` is requests a second, None for no
    limit. `anonymous` lets requests of Crossbar's clients in that say nothing of who asks.
    `calls` says what is kept of those. `deliveries` says how what is sent to it gets there.
    `realm` and `router_auth` are None where the router section's hold.
    """

    name: str
    tokens: tuple[Token, ...] = ()
    secrets: tuple[Secret, ...] = ()
    sources: tuple[str, ...] = ()
    callbacks: tuple[CallbackRule, ...] | None = None
    allow: Permissions = Permissions()
    rate: float | None = None
    crossbar: CrossbarKey | None = None
    anonymous: bool = False
    calls: CallConfig = CallConfig()
    deliveries: DeliveryConfig = DeliveryConfig()
    realm: str | None = None
    router_auth: RouterAuth | None = None


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """All that a bridge is told.

    `public_urls` (scheme, host and port alone) are the authorities that requests' signatures may
    be made for. `trusted_proxies` are believed who their clients are. `tls` is None where the
    listener speaks plain HTTP. `grace` is how many seconds what is under way may take to end when
    the bridge goes down.
    """

    listen: Address = Address("127.0.0.1", 8181)
    public_urls: tuple[str, ...] = ()
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    tls: TlsConfig | None = None
    router: RouterConfig = RouterConfig()
    store: StoreConfig = StoreConfig()
    grace: float = 25.0
    apps: Mapping[str, AppConfig] = msgspec.field(default_factory=dict)
