"""One signed POST to an app, and its answer or what became of it.

No redirect is followed, no proxy variable read, no cookie kept; an answer is cut at its limit and
at its deadline (protocol, section 3). Each app has connections of its own, and each dial is asked
for at `callbacks.destinations`.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import defaultdict
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

import aiohttp
from yarl import URL

from wamp_bridge_server import __version__
from wamp_bridge_server.callbacks import probes
from wamp_bridge_server.callbacks.lookups import Lookups

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from aiohttp import AddrInfoType
    from aiohttp.abc import AbstractResolver

    from wamp_bridge.core import WebhookSigner
    from wamp_bridge_server.callbacks.destinations import Destinations

T = TypeVar("T")

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


_host: ContextVar[str] = ContextVar("host of the URL that is dialled")


class _Pool:
    """An app's connections, made by the rules that it had when they were."""

    def __init__(self, destinations: Destinations, resolver: AbstractResolver) -> None:
        self.destinations = destinations
        self.used = 0
        connector = aiohttp.TCPConnector(
            limit=0,
            keepalive_timeout=IDLE_SECONDS,
            socket_factory=self._socket,
            resolver=resolver,
        )
        self.http = aiohttp.ClientSession(
            connector=connector,
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

    def _socket(self, info: AddrInfoType) -> socket.socket:
        return self.destinations.socket(_host.get(), info)


class Sender:
    """Posts to callback URLs for all apps, over connections that are reused.

    Args:
        signer_of: What signs the callbacks of an app, by its name; None where nothing does. Raises
            `CannotSign`.
        destinations_of: Where the callbacks of an app may go, by its name; another object where
            that has changed. None where there is no such app.
        resolver: Finds the addresses of hosts; the system's, for each app on its own, if left out.
        failed: Told of each POST that was sent and got no answer: its app, its URL, and why.
    """

    def __init__(
        self,
        signer_of: Callable[[str], WebhookSigner | None],
        destinations_of: Callable[[str], Destinations | None],
        resolver: AbstractResolver | None = None,
        failed: Callable[[str, str, Failure], None] = lambda *_: None,
    ) -> None:
        self._signer_of = signer_of
        self._destinations_of = destinations_of
        self._resolver = resolver
        self._failed = failed
        self._lookups: defaultdict[str, Lookups] = defaultdict(Lookups)
        self._pools: dict[str, _Pool] = {}
        self._retired: set[_Pool] = set()
        self._open = False

    async def start(self) -> None:
        """Begin to take what is to be posted."""
        self._open = True

    async def close(self) -> None:
        """Close every connection; what is under way fails as cut off."""
        self._open = False
        pools = [*self._pools.values(), *self._retired]
        self._pools.clear()
        self._retired.clear()
        for pool in pools:
            await pool.http.close()
        for lookups in self._lookups.values():
            await lookups.close()
        self._lookups.clear()

    async def post(
        self, app: str, url: str, body: bytes, *, message: str, attempt: int, within: float
    ) -> Answer:
        """POST a body, signed with the app's secrets, and read the answer; see `exchange`."""
        return await self.exchange(
            app, url, body, read, message=message, attempt=attempt, within=within
        )

    async def exchange(
        self,
        app: str,
        url: str,
        body: bytes,
        reading: Callable[[aiohttp.ClientResponse], Awaitable[T]],
        *,
        message: str,
        attempt: int,
        within: float,
    ) -> T:
        """POST a body, signed with the app's secrets, and have the answer read.

        Args:
            app: Whose secrets sign.
            url: The callback URL.
            body: The JSON text.
            reading: Reads the answer. A `ValueError` of its own would be taken for one of HTTP's.
            message: The `webhook-id`; the same over retries.
            attempt: Counted from 1.
            within: Seconds for all of it, connecting and reading included.

        Raises:
            SendError: There is no answer; says why.
        """
        headers = {
            **self._sign(app, message, body),
            "wamp-bridge-attempt": str(attempt),
            "request-id": message,
        }
        try:
            target = URL(url, encoded=True)
            _host.set(target.raw_host or "")
            async with (
                asyncio.timeout(within),
                self._pool(app) as pool,
                pool.http.post(
                    target, data=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                return await reading(response)
        except TimeoutError:
            self._failed(app, url, Failure.LATE)
            raise SendError(Failure.LATE, f"no answer within {within:.3g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = _failure_of(error)
            self._failed(app, url, failure)
            raise SendError(failure) from error

    async def probe(self, app: str, host: str, port: int, within: float) -> None:
        """See whether an app's callbacks find somebody at a host and port.

        Raises:
            Nobody: They don't, or the bridge is going down, or the app is gone.
            CannotTell: This machine can make no connection.
        """
        try:
            destinations = self._destinations(app)
        except SendError as error:
            raise probes.Nobody(str(error)) from None
        await probes.probe(destinations, self._lookups[app], host, port, within)

    @asynccontextmanager
    async def _pool(self, app: str) -> AsyncIterator[_Pool]:
        """The connections of an app; those made by other rules end with what is under way."""
        await self._destinations(app).prepare()
        destinations = self._destinations(app)
        pool = former = self._pools.get(app)
        if pool is None or pool.destinations is not destinations:
            resolver = self._resolver or self._lookups[app]
            pool = self._pools[app] = _Pool(destinations, resolver)
            if former is not None:
                self._retired.add(former)
        pool.used += 1
        try:
            if former is not None:
                await self._end(former)
            yield pool
        finally:
            pool.used -= 1
            await self._end(pool)

    def _destinations(self, app: str) -> Destinations:
        destinations = self._destinations_of(app)
        if not self._open or destinations is None:
            raise SendError(Failure.CUT, "the bridge is going down, or the app is gone")
        return destinations

    async def _end(self, pool: _Pool) -> None:
        if pool in self._retired and not pool.used:
            self._retired.discard(pool)
            await pool.http.close()

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


def head_of(response: aiohttp.ClientResponse) -> Answer:
    """An answer of which the body is not read; `truncated` where that can't be."""
    return Answer(
        status=response.status,
        content_type=response.headers.get("Content-Type", ""),
        body=b"",
        retry_after=response.headers.get("Retry-After"),
        truncated="Content-Encoding" in response.headers,
    )


async def read(response: aiohttp.ClientResponse) -> Answer:
    """An answer with its body, as far as its limit."""
    parts, size = [], 0
    async for chunk in response.content.iter_any():
        parts.append(chunk)
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            response.close()
            break
    head = head_of(response)
    whole = b"".join(parts)[:MAX_ANSWER_BYTES]
    return replace(head, body=whole, truncated=head.truncated or size > MAX_ANSWER_BYTES)


def _failure_of(error: Exception) -> Failure:
    if isinstance(error, aiohttp.ClientConnectorDNSError | ValueError):  # or no host at all
        return Failure.UNRESOLVED
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return Failure.TLS
    if isinstance(error, ssl.SSLError):
        return Failure.TLS
    if isinstance(error, aiohttp.ClientConnectorError):
        refused = isinstance(error.os_error, ConnectionRefusedError)
        return Failure.REFUSED if refused else Failure.UNREACHABLE
    if isinstance(error, aiohttp.ClientResponseError):
        return Failure.GARBLED
    return Failure.CUT
