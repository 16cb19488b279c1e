"""The apps of this bridge, as the configuration names them."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wamp_bridge.core import WebhookSigner, decode_secret
from wamp_bridge_server.config import hash_token
from wamp_bridge_server.services.permissions import Permissions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wamp_bridge_server.config import AppConfig


@dataclass(frozen=True, slots=True)
class Key:
    """A secret as an HMAC with nothing in it yet: a signature starts from a copy."""

    mac: hmac.HMAC
    expires: float | None = None

    @classmethod
    def of(cls, key: bytes, expires: float | None = None) -> Key:
        """The key for HMAC-SHA256."""
        return cls(hmac.new(key, digestmod=hashlib.sha256), expires)


@dataclass(frozen=True, slots=True)
class App:
    """A tenant: who it is and what it may do.

    `keys` sign its requests (newest first), `crossbar` signs what Crossbar's clients ask for it;
    `rate` is the requests that it may make in a second, None for no limit.
    """

    name: str
    permissions: Permissions
    rate: float | None = None
    keys: tuple[Key, ...] = ()
    crossbar: Key | None = None

    def live_keys(self, now: float) -> list[hmac.HMAC]:
        """The keys that count at a Unix time in seconds."""
        return [key.mac for key in self.keys if key.expires is None or now < key.expires]


class Apps:
    """Finds the app that a token belongs to.

    `by_crossbar_key` has those of Crossbar's clients; `anonymous` is the app of such clients that
    don't say who they are, None where they are not let in.
    """

    def __init__(self, configured: Mapping[str, AppConfig]) -> None:
        self.by_name: dict[str, App] = {}
        self.by_crossbar_key: dict[bytes, App] = {}
        self.anonymous: App | None = None
        self.signers: dict[str, WebhookSigner] = {}
        self._by_token: dict[str, App] = {}
        for name, config in configured.items():
            app = _app(config)
            self.by_name[name] = app
            if config.crossbar is not None:
                self.by_crossbar_key[config.crossbar.key.encode()] = app
            if config.anonymous:
                self.anonymous = app
            for token in config.tokens:
                self._by_token[token.hash] = app
            if config.secrets:
                self.signers[name] = WebhookSigner([secret.reveal() for secret in config.secrets])

    def by_token(self, token: str) -> App | None:
        """The app whose token it is, None where it is nobody's.

        Looked up by its hash: how long that takes says nothing of the tokens that exist.
        """
        return self._by_token.get(hash_token(token))


def _app(config: AppConfig) -> App:
    crossbar = config.crossbar
    return App(
        config.name,
        Permissions(config.allow),
        config.rate,
        tuple(Key.of(decode_secret(secret.reveal()), secret.expires) for secret in config.secrets),
        Key.of(crossbar.secret.reveal().encode(), crossbar.secret.expires) if crossbar else None,
    )
