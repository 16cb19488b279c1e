"""Identifiers that the bridge makes: a prefix that says of what, and text that sorts by age."""

from __future__ import annotations

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: sorts as its numbers do
_RANDOM_BITS = 80
_LENGTH = 26  # 48 bits of milliseconds and 80 of randomness, 5 to a character

_last = 0


def new_id(kind: str) -> str:
    """An identifier such as `reg_01jc...`: later ones sort behind, nobody can guess one."""
    global _last  # noqa: PLW0603 - what makes the ids of one process strictly increase
    number = (time.time_ns() // 1_000_000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    if number <= _last:
        number = _last + 1 + secrets.randbits(_RANDOM_BITS // 2)
    _last = number
    return f"{kind}_{_base32(number)}"


def _base32(number: int) -> str:
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(_LENGTH)))
