"""The signed query of Crossbar's HTTP clients (protocol, section 5).

`key timestamp seq nonce signature`, checked in the order in which Crossbar.io checks them.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Mapping

TOLERANCE_SECONDS: Final = 300

_NAMES = (b"key", b"timestamp", b"seq", b"nonce", b"signature")
_FORMATS = ("%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%SZ")
_MAX_NONCE = 256
_PADDED = 44  # of the base64 of a SHA-256


class BadQuery(ValueError):  # noqa: N818 - named for what it is
    """A query that says who asks, and not in the right form. Says what is wrong."""


@dataclass(frozen=True, slots=True)
class SignedQuery:
    """A signed query, in the octets in which it came; nothing of it is proven yet."""

    key: bytes
    timestamp: bytes
    seq: bytes
    nonce: bytes
    signature: bytes
    expires_at: float

    @property
    def once(self) -> tuple[str, str]:
        """What of a query that matches counts once: its nonce, and its signature.

        Nothing stands between the parts that are signed, so that `seq=1&nonce=23` and
        `seq=12&nonce=3` have the same signature. That itself is written nowhere: this is its hash.
        """
        signature = hashlib.sha256(self.signature.rstrip(b"=")).hexdigest()
        return self.nonce.decode("ascii"), f"signature {signature}"

    def matches(self, mac: hmac.HMAC, body: bytes) -> bool:
        """Whether it is signed, together with the body, by an HMAC's key.

        Args:
            mac: To be copied from.
            body: The octets as they came.
        """
        copied = mac.copy()
        for part in (self.key, self.timestamp, self.seq, self.nonce, body):
            copied.update(part)
        ours = binascii.b2a_base64(copied.digest(), newline=False)
        theirs = self.signature.ljust(_PADDED, b"=")  # the padding may be left out
        return hmac.compare_digest(ours.replace(b"+", b"-").replace(b"/", b"_"), theirs)


def signed_query(target: str, now: float) -> SignedQuery | None:
    """The signed query of a request; None where none of its members is there.

    Args:
        target: The request's, as it came.
        now: Unix time in seconds.

    Raises:
        BadQuery: A member is missing or has not its form, or it is too old, or ahead.
    """
    octets = target.partition("?")[2].encode("utf-8", "surrogateescape")
    try:
        values = parse_qs(octets, keep_blank_values=True) if octets else {}
    except ValueError:  # more members than anybody has
        raise BadQuery("The query can't be read.") from None
    given = {name: values[name][0] for name in _NAMES if name in values}
    if not given:
        return None
    key = _member(given, b"key")
    timestamp = _member(given, b"timestamp")
    at = _time(timestamp)
    if abs(now - at) > TOLERANCE_SECONDS:
        raise BadQuery(f'The "timestamp" is more than {TOLERANCE_SECONDS} s off.')
    seq = _whole_number(given, b"seq")
    nonce = _whole_number(given, b"nonce")
    signature = _member(given, b"signature")
    return SignedQuery(key, timestamp, seq, nonce, signature, at + TOLERANCE_SECONDS + 1)


def _member(given: Mapping[bytes, bytes], name: bytes) -> bytes:
    try:
        return given[name]
    except KeyError:
        raise BadQuery(f'The query lacks its "{name.decode()}".') from None


def _whole_number(given: Mapping[bytes, bytes], name: bytes) -> bytes:
    text = _member(given, name)
    with suppress(ValueError):
        if len(text) <= _MAX_NONCE and text.isascii():
            int(text)
            return text
    raise BadQuery(f'The "{name.decode()}" must be a whole number.')


def _time(timestamp: bytes) -> float:
    with suppress(UnicodeDecodeError):
        text = timestamp.decode("ascii")
        for form in _FORMATS:
            with suppress(ValueError):
                return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
    raise BadQuery('The "timestamp" must be UTC as in 2011-10-14T16:59:51.123Z.')
