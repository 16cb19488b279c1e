"""Tokens and secrets, from the system's randomness."""

from __future__ import annotations

import base64
import secrets


def make_token() -> str:
    """A token: `wbt_` and 32 random bytes in base64url."""
    return "wbt_" + secrets.token_urlsafe(32)


def make_secret() -> str:
    """A secret of Standard Webhooks 1.0: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
