"""Tokens as `wamp-bridge key` makes them: `wbt_`, 43 random characters, 6 of a checksum.

The prefix lets scanners find one that leaked; the checksum tells them, and us, a token from what
only looks like one. An app's token may be any other string as well.
"""

from __future__ import annotations

import re
import secrets
import string
import zlib
from typing import Final

PREFIX: Final = "wbt_"

_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_CHARACTERS: Final = 43  # 256 bits
_CHECK_CHARACTERS: Final = 6  # the 32 bits of a CRC
_TOKEN: Final = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM_CHARACTERS + _CHECK_CHARACTERS}}}")


def make_token() -> str:
    """A new token, from the system's randomness."""
    body = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARACTERS))
    return body + _checksum(body)


def is_mistyped(token: str) -> bool:
    """Whether it begins as a token of ours does, and can't be one."""
    if not token.startswith(PREFIX):
        return False
    body, checksum = token[:-_CHECK_CHARACTERS], token[-_CHECK_CHARACTERS:]
    return _TOKEN.fullmatch(token) is None or _checksum(body) != checksum


def _checksum(body: str) -> str:
    """The CRC-32 of what stands before, in base 62."""
    rest, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK_CHARACTERS):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
