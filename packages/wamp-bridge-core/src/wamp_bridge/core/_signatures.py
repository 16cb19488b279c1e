"""Who asks: HTTP Message Signatures on what apps ask of the bridge (protocol, section 1).

RFC 9421 with `hmac-sha256` and one profile: what is covered and said never varies, so that the
bridge takes nothing else. A body is covered by its digest (RFC 9530).
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
import secrets as system_random
import time
from typing import TYPE_CHECKING, Final

from wamp_bridge.core._errors import ConfigurationError
from wamp_bridge.core._secrets import decode_secret

if TYPE_CHECKING:
    from collections.abc import Sequence

TAG: Final = "wamp-bridge"

_LABEL: Final = "bridge"
_COVERED: Final[tuple[str, ...]] = ("@method", "@authority", "@path", "@query")
_COVERED_OF_BODY: Final[tuple[str, ...]] = ("content-digest", "content-type")
_NONCE_BYTES: Final = 16  # the 128 bits that the protocol asks for, in 22 characters
_NAME: Final = re.compile(r"[!#-\[\]-~]+")


class RequestSigner:
    """Signs requests to the bridge as an app.

    Safe to share among threads.

    Args:
        app: The app's name in the bridge's configuration.
        secrets: `whsec_` secrets, newest first, of which the first one signs.

    Raises:
        ConfigurationError: There is no secret, or it is none, or the name can't be one.
    """

    __slots__ = ("_app", "_key")

    def __init__(self, app: str, secrets: Sequence[str]) -> None:
        if isinstance(secrets, str) or not secrets:
            raise ConfigurationError("a signer needs a list of one secret or more")
        self._app = checked_name(app)
        self._key = hmac.new(decode_secret(secrets[0]), digestmod=hashlib.sha256)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._app!r})"

    def sign(
        self,
        method: str,
        authority: str,
        target: str,
        *,
        content_type: str | None = None,
        body: bytes = b"",
        created: int | None = None,
        nonce: str | None = None,
    ) -> dict[str, str]:
        """The headers to add to a request; each time others, for a signature counts once.

        Args:
            method: HTTP's, in capitals.
            authority: The host with its port, as the request's Host header has it.
            target: Path and query, percent-encoded, as they go over the wire.
            content_type: The header, where there is a body.
            body: The octets as they will be sent.
            created: Unix time in whole seconds; now if left out.
            nonce: 22 to 256 visible ASCII characters; new randomness if left out.

        Raises:
            ValueError: There is a body, and no content type.
        """
        path, _, query = target.partition("?")
        values = [method, authority.lower(), path or "/", f"?{query}"]
        names = _COVERED
        headers = {}
        if body:
            if content_type is None:
                raise ValueError("a body can't be signed without its content type")
            headers["content-digest"] = digest_of(body)
            values += [headers["content-digest"], content_type]
            names += _COVERED_OF_BODY
        if created is None:
            created = int(time.time())
        if nonce is None:
            nonce = system_random.token_urlsafe(_NONCE_BYTES)
        written = nonce.replace("\\", "\\\\").replace('"', '\\"')
        covered = " ".join(f'"{name}"' for name in names)
        parameters = (
            f'({covered});created={created};keyid="{self._app}";alg="hmac-sha256"'
            f';nonce="{written}";tag="{TAG}"'
        )
        lines = [f'"{name}": {value}' for name, value in zip(names, values, strict=True)]
        lines.append(f'"@signature-params": {parameters}')
        mac = self._key.copy()
        mac.update("\n".join(lines).encode())
        headers["signature-input"] = f"{_LABEL}={parameters}"
        headers["signature"] = f"{_LABEL}=:{_base64(mac.digest())}:"
        return headers


def checked_name(app: str) -> str:
    """The name of an app, which goes into each signature.

    Raises:
        ConfigurationError: It can't.
    """
    if _NAME.fullmatch(app) is None:
        raise ConfigurationError("the name of an app must be visible ASCII, without quotes")
    return app


def digest_of(body: bytes) -> str:
    """The Content-Digest header of a body (RFC 9530, section 2)."""
    return f"sha-256=:{_base64(hashlib.sha256(body).digest())}:"


def _base64(octets: bytes) -> str:
    return binascii.b2a_base64(octets, newline=False).decode()
