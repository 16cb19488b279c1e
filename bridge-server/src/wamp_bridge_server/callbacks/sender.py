"""One signed POST to an app, and its answer or what became of it.

No redirect is followed, no proxy variable read, no cookie kept; an answer is cut at its limit and
at its deadline (protocol, section 3).
"""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from wamp_bridge_server import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wamp_bridge.core import WebhookSigner

MAX_ANSWER_BYTES = 1024 * 1024
IDLE_SECONDS = 1.0
"""Idle connections are dropped soon: a POST on one that the app is closing can't be repeated."""


class Failure(Enum):
    """Why there is no answer."""

    REFUSED = "connection refused"
    UNRESOLVED = "host name not resolved"
    UNREACHABLE = "host not reachable"
    TLS = "TLS failed"
    CUT = "connection cut off"
    GARBLED = "no HTTP in the answer"
    LATE = "too late"
    UNSIGNED = "not sent, for it can't be signed"


class CannotSign(Exception):  # noqa: N818 - named for what it is
    """An app's callbacks can't be signed now, and so are not sent. Says why."""


class SendError(Exception):
    """A POST that got no answer."""

    def __init__(self, failure: Failure, detail: str = "") -> None:
        super().__init__(f"{failure.value}: {detail}" if detail else failure.value)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Answer:
    """What an app answered; `truncated` where the body was cut at its limit."""

    status: int
    content_type: str
    body: bytes
    retry_after: str | None = None
    truncated: bool = False

    @property
    def accepted(self) -> bool:
        """Whether the status is a 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


class Sender:
    """Posts to callback URLs for all apps, over connections that are reused.

    Args:
        signer_of: What signs the callbacks of an app, by its name; None where nothing does. Raises
            `CannotSign`.
    """

    def __init__(self, signer_of: Callable[[str], WebhookSigner | None]) -> None:
        self._signer_of = signer_of
        self._http: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the pool of connections."""
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            auto_decompress=False,
            trust_env=False,
            headers={
                "User-Agent": f"wamp-bridge/{__version__}",
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",
                "wamp-bridge-protocol": "1",
            },
        )

    async def close(self) -> None:
        """Close every connection; what is under way fails as cut off."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def post(
        self, app: str, url: str, body: bytes, *, message: str, attempt: int, within: float
    ) -> Answer:
        """POST a body, signed with the app's secrets, and read the answer.

        Args:
            app: Whose secrets sign.
            url: The callback URL.
            body: The JSON text.
            message: The `webhook-id`; the same over retries.
            attempt: Counted from 1.
            within: Seconds for all of it, connecting and reading included.

        Raises:
            SendError: There is no answer; says why.
        """
        if self._http is None:
            raise SendError(Failure.CUT, "the bridge is going down")
        headers = {
            **self._sign(app, message, body),
            "wamp-bridge-attempt": str(attempt),
            "request-id": message,
        }
        try:
            async with (
                asyncio.timeout(within),
                self._http.post(
                    URL(url, encoded=True), data=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                return await _read(response)
        except TimeoutError:
            raise SendError(Failure.LATE, f"no answer within {within:.3g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise SendError(_failure_of(error)) from error

    def _sign(self, app: str, message: str, body: bytes) -> Mapping[str, str]:
        try:
            signer = self._signer_of(app)
        except CannotSign as error:
            raise SendError(Failure.UNSIGNED, str(error)) from None
        return (
            signer.sign(message, int(time.time()), body)
            if signer is not None
            else {
                "webhook-id": message,
                "webhook-timestamp": str(int(time.time())),
            }
        )


async def _read(response: aiohttp.ClientResponse) -> Answer:
    parts, size = [], 0
    async for chunk in response.content.iter_any():
        parts.append(chunk)
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            response.close()
            break
    return Answer(
        status=response.status,
        content_type=response.headers.get("Content-Type", ""),
        body=b"".join(parts)[:MAX_ANSWER_BYTES],
        retry_after=response.headers.get("Retry-After"),
        truncated=size > MAX_ANSWER_BYTES or "Content-Encoding" in response.headers,
    )


def _failure_of(error: Exception) -> Failure:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Failure.UNRESOLVED
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return Failure.TLS
    if isinstance(error, ssl.SSLError):
        return Failure.TLS
    if isinstance(error, aiohttp.ClientConnectorError):
        refused = isinstance(error.os_error, ConnectionRefusedError)
        return Failure.REFUSED if refused else Failure.UNREACHABLE
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.InvalidURL | ValueError):
        return Failure.GARBLED
    return Failure.CUT
