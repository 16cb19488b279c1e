"""The apps of this bridge, as the configuration names them; which may change while it runs."""

from __future__ import annotations

import hashlib
import hmac
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wamp_bridge.core import WebhookSigner, decode_secret
from wamp_bridge_server.callbacks.destinations import Destinations, Own
from wamp_bridge_server.callbacks.sender import CannotSign
from wamp_bridge_server.config import StreamConfig, hash_token
from wamp_bridge_server.services.permissions import Permissions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wamp_bridge_server.config import AppConfig

_UNCONFIGURED = StreamConfig()


@dataclass(frozen=True, slots=True)
class Key:
    """A secret as an HMAC with nothing in it yet: a signature starts from a copy."""

    mac: hmac.HMAC
    expires: float | None = None

    @classmethod
    def of(cls, key: bytes, expires: float | None = None) -> Key:
        """The key for HMAC-SHA256."""
        return cls(hmac.new(key, digestmod=hashlib.sha256), expires)

    def live(self, now: float) -> bool:
        """Whether it counts at a Unix time in seconds."""
        return self.expires is None or now < self.expires


class App:
    """A tenant: who it is and what it may do.

    One object for as long as the configuration names the app, also where its section changes: who
    holds it goes by what is said now.

    Attributes:
        name: Its name.
        permissions: What it may call, publish, register and subscribe.
        destinations: Where its callbacks may go; another object where that has changed.
        rate: The requests that it may make in a second, None for no limit.
        keys: Sign its requests, the newest first.
        crossbar: Signs what Crossbar's clients ask for it.
    """

    __slots__ = (
        "_own",
        "_signer",
        "_signer_until",
        "config",
        "crossbar",
        "destinations",
        "keys",
        "name",
        "permissions",
        "rate",
    )

    def __init__(self, config: AppConfig, own: Own) -> None:
        self.name = config.name
        self.config = config
        self._own = own
        self.destinations = Destinations(config.callbacks, own)
        self.configure(config)

    def configure(self, config: AppConfig) -> None:
        """Go by another section of the configuration from now on."""
        if config.callbacks != self.config.callbacks:
            self.destinations = Destinations(config.callbacks, self._own)
        self.config = config
        self.permissions = Permissions(config.allow)
        self.rate = config.rate
        self.keys = tuple(
            Key.of(decode_secret(secret.reveal()), secret.expires) for secret in config.secrets
        )
        crossbar = config.crossbar
        self.crossbar = Key.of(crossbar.secret.reveal().encode()) if crossbar is not None else None
        self._signer: WebhookSigner | None = None
        self._signer_until = -math.inf

    def live_keys(self, now: float) -> list[hmac.HMAC]:
        """The keys that count at a Unix time in seconds."""
        return [key.mac for key in self.keys if key.live(now)]

    def credentials(self, now: float) -> bytes:
        """A hash of the tokens and secrets that count at a Unix time: another for any others."""
        config = self.config
        tokens = [each.hash for each in config.tokens if each.expires is None or now < each.expires]
        secrets = [
            hash_token(each.reveal())
            for each in config.secrets
            if each.expires is None or now < each.expires
        ]
        text = "\n".join([self.name, *sorted(tokens), "", *sorted(secrets)])
        return hashlib.sha256(text.encode()).digest()

    def signer(self, now: float) -> WebhookSigner | None:
        """What signs its callbacks at a Unix time in seconds; None where it has no secrets.

        Raises:
            CannotSign: It has secrets, and all have expired.
        """
        if now >= self._signer_until:
            self._choose_signer(now)
        if self._signer is None and self.config.secrets:
            raise CannotSign("all of the app's secrets have expired")
        return self._signer

    def _choose_signer(self, now: float) -> None:
        secrets = self.config.secrets
        live = [secret for secret in secrets if secret.expires is None or now < secret.expires]
        self._signer = WebhookSigner([secret.reveal() for secret in live]) if live else None
        ends = (secret.expires for secret in live if secret.expires is not None)
        self._signer_until = min(ends, default=math.inf)


@dataclass(frozen=True, slots=True)
class Changes:
    """What another configuration changed: apps by their names."""

    added: list[App]
    changed: list[App]
    removed: list[App]


class Apps:
    """Finds the app that a token belongs to.

    `by_crossbar_key` has those of Crossbar's clients; `anonymous` is the app of such clients that
    don't say who they are, None where they are not let in.
    """

    def __init__(self, configured: Mapping[str, AppConfig], own: Own | None = None) -> None:
        self._own = own or Own()
        self.by_name: dict[str, App] = {}
        self.by_crossbar_key: dict[bytes, App] = {}
        self.anonymous: App | None = None
        self._by_token: dict[str, tuple[App, float]] = {}
        self.configure(configured)

    def configure(self, configured: Mapping[str, AppConfig]) -> Changes:
        """Go by another configuration from now on; what is different in it."""
        removed = [self.by_name.pop(name) for name in [*self.by_name] if name not in configured]
        added, changed = [], []
        for name, config in configured.items():
            app = self.by_name.get(name)
            if app is None:
                app = self.by_name[name] = App(config, self._own)
                added.append(app)
            elif app.config != config:
                app.configure(config)
                changed.append(app)
        self._by_token = {
            token.hash: (app, math.inf if token.expires is None else token.expires)
            for app in self.by_name.values()
            for token in app.config.tokens
        }
        self.by_crossbar_key = {
            app.config.crossbar.key.encode(): app
            for app in self.by_name.values()
            if app.config.crossbar is not None
        }
        self.anonymous = next((a for a in self.by_name.values() if a.config.anonymous), None)
        return Changes(added, changed, removed)

    def by_token(self, token: str) -> App | None:
        """The app whose token it is, None where it is nobody's, or has expired.

        Looked up by its hash: how long that takes says nothing of the tokens that exist.
        """
        app, expires = self._by_token.get(hash_token(token), (None, math.inf))
        return app if time.time() < expires else None

    def destinations(self, name: str) -> Destinations | None:
        """Where the callbacks of an app may go now; None where there is no such app any more."""
        app = self.by_name.get(name)
        return app.destinations if app is not None else None

    def streams(self, name: str) -> StreamConfig:
        """What is kept for those who follow the topics of an app."""
        app = self.by_name.get(name)
        return app.config.streams if app is not None else _UNCONFIGURED

    def signer(self, name: str) -> WebhookSigner | None:
        """What signs the callbacks of an app now; None where it has no secrets.

        Raises:
            CannotSign: There is no such app any more, or all of its secrets have expired.
        """
        app = self.by_name.get(name)
        if app is None:
            raise CannotSign("the bridge's configuration does not name the app any more")
        return app.signer(time.time())
