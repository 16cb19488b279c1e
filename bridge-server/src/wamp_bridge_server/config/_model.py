"""What a bridge is told, checked and with its secrets resolved."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

Action = Literal["call", "publish", "register", "subscribe"]
AuthMethod = Literal["anonymous", "ticket", "wampcra", "cryptosign"]

EVERYTHING = ("*",)


class Secret:
    """A secret, out of sight: neither `repr` nor `str` shows it, `reveal()` alone does."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the one place that uses it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))


def hash_token(token: str) -> str:
    """The hash of a token as `AppConfig.tokens` holds it: SHA-256 in lower-case hex."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class Address(msgspec.Struct, frozen=True):
    """Where the bridge listens. Port 0 lets the system choose one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class RouterAuth(msgspec.Struct, frozen=True, kw_only=True):
    """How to authenticate at the router.

    `secret` is the ticket (`ticket`) or the shared secret (`wampcra`); `key` is the Ed25519
    private key as 64 hex digits (`cryptosign`).
    """

    method: AuthMethod = "anonymous"
    authid: str | None = None
    secret: Secret | None = None
    key: Secret | None = None


class RouterConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The router that the bridge joins: `rs`, `rss`, `ws` or `wss` with a host, or `memory:`."""

    url: str = "rs://127.0.0.1:8080"
    realm: str = "realm1"
    auth: RouterAuth = RouterAuth()


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


class AppConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant of the bridge.

    `tokens` are hashes as `hash_token` makes them (no `sha256:` before them). `secrets` are
    Standard Webhooks secrets (`whsec_` and base64 of 32 bytes), the newest first. `sources` are
    URLs of dispatchers that need no announcement. `router_auth` is None where the router
    section's holds.
    """

    name: str
    tokens: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = ()
    sources: tuple[str, ...] = ()
    allow: Permissions = Permissions()
    router_auth: RouterAuth | None = None


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """All that a bridge is told.

    `public_urls` (scheme, host and port alone) are the authorities that requests' signatures may
    be made for. This version of the bridge checks no signatures on requests (tokens alone), and
    so makes no use of them.
    """

    listen: Address = Address("127.0.0.1", 8181)
    public_urls: tuple[str, ...] = ()
    router: RouterConfig = RouterConfig()
    store: StoreConfig = StoreConfig()
    apps: Mapping[str, AppConfig] = msgspec.field(default_factory=dict)
