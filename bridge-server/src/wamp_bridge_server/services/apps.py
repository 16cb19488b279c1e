"""The apps of this bridge, as the configuration names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wamp_bridge.core import WebhookSigner
from wamp_bridge_server.config import hash_token
from wamp_bridge_server.services.permissions import Permissions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wamp_bridge_server.config import AppConfig


@dataclass(frozen=True, slots=True)
class App:
    """A tenant: who it is and what it may do."""

    name: str
    permissions: Permissions


class Apps:
    """Finds the app that a token belongs to."""

    def __init__(self, configured: Mapping[str, AppConfig]) -> None:
        self.by_name: dict[str, App] = {}
        self.signers: dict[str, WebhookSigner] = {}
        self._by_token: dict[str, App] = {}
        for name, config in configured.items():
            app = App(name, Permissions(config.allow))
            self.by_name[name] = app
            for token in config.tokens:
                self._by_token[token.hash] = app
            if config.secrets:
                self.signers[name] = WebhookSigner([secret.reveal() for secret in config.secrets])

    def by_token(self, token: str) -> App | None:
        """The app whose token it is, None where it is nobody's.

        Looked up by its hash: how long that takes says nothing of the tokens that exist.
        """
        return self._by_token.get(hash_token(token))
