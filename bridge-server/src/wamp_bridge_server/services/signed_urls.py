"""Signatures on URLs that let a browser follow one topic for a while, with no token in its page.

A signature holds for the app, the topic and how it matches, the time until which it counts, and
the origin of the page, where one is named. It is made with a key that is in the store alone and
with the app's tokens and secrets as they are: when one of those changes, or expires, no signature
that was made before counts any more.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from wamp_bridge_server.values import encode_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from wamp_bridge_server.backends.base import Match
    from wamp_bridge_server.services.apps import App

KEY_NAME = "signed urls"
PREFIX = "wbu_"
"""Signatures begin so, that they are found where they must not be."""


@dataclass(frozen=True, slots=True)
class Leave:
    """What a URL lets its bearer follow. `expires` is in Unix seconds; `origin` None for any."""

    app: str
    topic: str
    match: Match
    expires: int
    origin: str | None


class SignedUrls:
    """Signs, and verifies.

    Args:
        key: The bridge's own.
        clock: Unix seconds.
    """

    def __init__(self, key: bytes, clock: Callable[[], float]) -> None:
        self._key = key
        self.clock = clock

    def sign(self, app: App, leave: Leave) -> str:
        """The signature of an app's leave."""
        credentials = app.credentials(self.clock())
        own = hmac.digest(self._key, credentials, hashlib.sha256)
        signature = hmac.digest(own, encode_json(astuple(leave)), hashlib.sha256)
        return PREFIX + urlsafe_b64encode(signature).decode().rstrip("=")

    def counts(self, app: App, leave: Leave, signature: str) -> bool:
        """Whether it is one of these, and still counts."""
        given = signature.encode("utf-8", "surrogatepass")
        genuine = hmac.compare_digest(self.sign(app, leave).encode(), given)
        return genuine and self.clock() < leave.expires
