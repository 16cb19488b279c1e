"""Who sent it: Standard Webhooks 1.0 for what the bridge posts to apps (protocol, section 3).

What apps ask of the bridge is signed as HTTP Message Signatures are, in `_signatures`.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final

from wamp_bridge.core._errors import ConfigurationError, VerificationError
from wamp_bridge.core._secrets import decode_secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TOLERANCE_SECONDS: Final = 300

ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"

_ID: Final = re.compile(r"[!-~]{1,256}")
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_MAX_SIGNATURES: Final = 32


class WebhookSigner:
    """Signs and verifies by Standard Webhooks 1.0, with several secrets while they rotate.

    Safe to share among threads.

    Args:
        secrets: `whsec_` secrets, newest first. All of them sign, and any of them verifies.

    Raises:
        ConfigurationError: There is none, or one of them is no secret.
    """

    __slots__ = ("_keys",)

    def __init__(self, secrets: Sequence[str]) -> None:
        if isinstance(secrets, str) or not secrets:
            raise ConfigurationError("a signer needs a list of one secret or more")
        # Keyed once here; each signature then starts from a copy.
        self._keys = tuple(
            hmac.new(decode_secret(secret), digestmod=hashlib.sha256) for secret in secrets
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<{len(self._keys)} secrets>)"

    def sign(self, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
        """The three headers for a message.

        Args:
            message_id: Stays over retries of one delivery: visible ASCII, at most 256 of it.
            timestamp: Unix time of this attempt, in whole seconds.
            body: The octets as they will be sent.
        """
        written = str(timestamp)
        return {
            ID_HEADER: message_id,
            TIMESTAMP_HEADER: written,
            SIGNATURE_HEADER: b" ".join(self._signatures(message_id, written, body)).decode(),
        }

    def verify(self, headers: Mapping[str, str], body: bytes, now: float) -> str:
        """Check a message's signature and age (300 s, both ways); its id.

        Args:
            headers: Names in lower case.
            body: The octets as they came.
            now: Unix time in seconds.

        Raises:
            VerificationError: For whatever is wrong, and always the same.
        """
        message_id = headers.get(ID_HEADER, "")
        timestamp = headers.get(TIMESTAMP_HEADER, "")
        if (
            _ID.fullmatch(message_id) is None
            or _TIMESTAMP.fullmatch(timestamp) is None
            or abs(now - int(timestamp)) > TOLERANCE_SECONDS
            or not self._matches(headers.get(SIGNATURE_HEADER, ""), message_id, timestamp, body)
        ):
            raise VerificationError("the request is not signed by this app's bridge")
        return message_id

    def _matches(self, header: str, message_id: str, timestamp: str, body: bytes) -> bool:
        # Written forms are compared, so no decoder has a say in what is a signature; all with
        # all, so the time tells nothing of which one it was.
        given = header.encode("utf-8", "surrogatepass").split(b" ")
        if len(given) > _MAX_SIGNATURES:
            return False
        found = False
        for ours in self._signatures(message_id, timestamp, body):
            for theirs in given:
                found |= hmac.compare_digest(ours, theirs)
        return found

    def _signatures(self, message_id: str, timestamp: str, body: bytes) -> list[bytes]:
        head = f"{message_id}.{timestamp}.".encode()
        signatures = []
        for key in self._keys:
            mac = key.copy()
            mac.update(head)
            mac.update(body)
            signatures.append(b"v1," + binascii.b2a_base64(mac.digest(), newline=False))
        return signatures
