"""Salted challenge-response: the password never goes over the wire (WAMP, "SCRAM Authentication").

autobahn's own needs two libraries more. As its tools and Crossbar have it, the key that argon2id-13
gives is used as the text of its base64, without padding.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 16
_MOST_PASSES: Final = 10_000_000
"""Of pbkdf2; and of argon2id the KiB that all passes together go over. Takes some seconds."""


class Scram:
    """One proof, for one session.

    Args:
        authid: Who proves it.
        password: What both sides know.
    """

    def __init__(self, authid: str, password: str) -> None:
        self._authid = authid
        self._password = password
        self.nonce: Final = base64.b64encode(secrets.token_bytes(_NONCE_BYTES)).decode()
        self._salted = b""
        self._message = b""

    def answer(self, extra: Mapping[str, Any]) -> str:
        """The proof for a challenge; takes a second of work where the router asks for much.

        Raises:
            ValueError: The challenge is none, is not for us, or asks for too much work.
            LookupError: It lacks something.
        """
        nonce, salt, passes = extra["nonce"], extra["salt"], extra["iterations"]
        ours = base64.b64decode(self.nonce)
        if not base64.b64decode(nonce, validate=True).startswith(ours) or nonce == self.nonce:
            raise ValueError("its nonce does not begin with ours")
        if not isinstance(passes, int) or passes < 1:
            raise ValueError("its iterations are no number")
        self._salted = _salted(
            self._password, extra["kdf"], salt, passes, int(extra.get("memory") or 0)
        )
        first = f"n={self._authid},r={self.nonce},r={nonce},s={salt},i={passes}"
        self._message = f"{first},c={extra.get('channel_binding') or ''},r={nonce}".encode()
        client_key = _hmac(self._salted, b"Client Key")
        signature = _hmac(hashlib.sha256(client_key).digest(), self._message)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        return base64.b64encode(proof).decode()

    def check(self, signature: object) -> None:
        """Refuse a router that doesn't know the password's keys.

        Raises:
            ValueError: What it signed with is not made of them.
        """
        known = _hmac(_hmac(self._salted, b"Server Key"), self._message)
        given = base64.b64decode(signature) if isinstance(signature, str) else b""
        if not self._salted or not hmac.compare_digest(given, known):
            raise ValueError("the router has not proven that it knows us")


@lru_cache(maxsize=256)
def _salted(password: str, kdf: object, salt: str, passes: int, memory: int) -> bytes:
    """The key that a password gives; kept, for each session of an app asks for it."""
    octets, salted_with = password.encode(), base64.b64decode(salt, validate=True)
    if kdf == "pbkdf2":
        if passes > _MOST_PASSES:
            raise ValueError("it asks for too much work")
        return hashlib.pbkdf2_hmac("sha256", octets, salted_with, passes, _KEY_BYTES)
    if kdf != "argon2id-13":
        raise ValueError("it names no way to make a key that is known here")
    if passes * memory > _MOST_PASSES:
        raise ValueError("it asks for too much work")
    argon = Argon2id(
        salt=salted_with, length=_KEY_BYTES, iterations=passes, lanes=1, memory_cost=memory
    )
    return base64.b64encode(argon.derive(octets)).rstrip(b"=")


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()
