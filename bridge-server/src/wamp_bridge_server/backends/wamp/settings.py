"""What the WAMP backend is told: where the router is, who joins, how patient it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl

Method = Literal["anonymous", "ticket", "wampcra", "scram", "cryptosign", "tls"]

_AUTHID: Final = re.compile(r"[!-+\--<>-~]+")
_KEY: Final = re.compile(r"[0-9A-Fa-f]{64}")
_PORTS: Final = {"ws": 80, "wss": 443}
_SCHEMES: Final = ("rs", "rss", "ws", "wss")


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom a session joins.

    `secret` is the ticket (`ticket`), the shared secret (`wampcra`) or the password (`scram`);
    `key` is the Ed25519 private key as 64 hex digits (`cryptosign`). `tls` shows the certificate
    and checks the router's (`tls`).
    """

    method: Method = "anonymous"
    authid: str | None = None
    secret: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.method in {"ticket", "wampcra", "scram"} and not (self.authid and self.secret):
            raise ValueError(f"{self.method} needs an authid and a secret")
        if self.method == "cryptosign" and not _KEY.fullmatch(self.key or ""):
            raise ValueError("cryptosign needs a key of 64 hex digits")
        if self.method == "scram" and not _AUTHID.fullmatch(self.authid or ""):
            raise ValueError("scram needs an authid of visible ASCII characters, without = and ,")
        if self.method == "tls" and self.tls is None:
            raise ValueError("tls needs a certificate")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long things may take, in seconds.

    A new connection has `connect` to be joined. Where that fails, the next attempt follows after
    `retry`, doubled each time up to `retry_most`, or up to `retry_refused` where the router said
    no. A router that was silent for `probe` is asked for a sign of life; one that was silent for
    `silence` is given up. A session says goodbye for at most `goodbye`.
    """

    connect: float = 5.0
    retry: float = 0.1
    retry_most: float = 1.0
    retry_refused: float = 10.0
    probe: float = 5.0
    silence: float = 10.0
    goodbye: float = 1.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where a router listens."""

    url: str
    framing: Literal["rawsocket", "websocket"]
    secure: bool
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Address:
        """Take `rs://`, `rss://`, `ws://` or `wss://HOST[:PORT]`.

        Raises:
            ValueError: It is none of these.
        """
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES or not parts.hostname:
            raise ValueError(f"a router's address is one of {', '.join(_SCHEMES)}, with a host")
        port = parts.port or _PORTS.get(parts.scheme)
        if port is None:
            raise ValueError(f"the address {parts.scheme}://{parts.hostname} needs a port")
        return cls(
            url=url,
            framing="rawsocket" if parts.scheme.startswith("rs") else "websocket",
            secure=parts.scheme in {"rss", "wss"},
            host=parts.hostname,
            port=port,
        )
