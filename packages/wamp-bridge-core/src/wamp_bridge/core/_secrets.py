"""The secret that an app and its bridge share (protocol, sections 1 and 3): text and key."""

from __future__ import annotations

import base64
import binascii
import secrets as system_random
from typing import Final

from wamp_bridge.core._errors import ConfigurationError

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how secrets begin, not one of them
SECRET_BYTES: Final = 32


def generate_secret() -> str:
    """A new secret from the system's randomness: `whsec_` and the base64 of 32 bytes."""
    return SECRET_PREFIX + base64.b64encode(system_random.token_bytes(SECRET_BYTES)).decode()


def decode_secret(secret: str) -> bytes:
    """The 32 bytes of a secret.

    Raises:
        ConfigurationError: It is no secret; never says what it was.
    """
    if secret.startswith(SECRET_PREFIX):
        try:
            text = secret.removeprefix(SECRET_PREFIX).encode("ascii")
            key = binascii.a2b_base64(text, strict_mode=True)
        except (binascii.Error, UnicodeEncodeError):
            key = b""
        if len(key) == SECRET_BYTES:
            return key
    raise ConfigurationError(
        f"a secret must be {SECRET_PREFIX!r} followed by the base64 of {SECRET_BYTES} bytes, "
        "as `wamp-bridge key` makes them"
    )
