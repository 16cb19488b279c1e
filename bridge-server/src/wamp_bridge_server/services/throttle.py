"""How often: failed authentications from an address, and an app's requests a second.

Kept in memory, bounded whatever comes, and for each process of its own.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import TYPE_CHECKING

from wamp_bridge_server.errors import TooFast

if TYPE_CHECKING:
    from collections.abc import Callable

FAILURES = 100
WINDOW_SECONDS = 60.0
MAX_WINDOWS = 20_000
BURST_SECONDS = 2.0

_V6_SITE_BITS = 64  # what one customer of a provider has for himself


@dataclass(slots=True)
class _Window:
    ends_at: float
    failures: int = 0


class Failures:
    """Counts failed authentications of an address with a key, in windows of a minute.

    What `key` is: the name that a signature claims, where there is such an app, or "" for all
    that nobody has. So a wrong token never keeps a right one from the same address out, and how
    many wrong ones were tried takes no memory.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: OrderedDict[tuple[str, str], _Window] = OrderedDict()

    def check(self, address: str | None, key: str) -> None:
        """Refuse one who failed too often. Raises `TooFast`."""
        window = self._windows.get((_site(address), key))
        if window is None or window.failures < FAILURES:
            return
        wait = window.ends_at - self._clock()
        if wait > 0:
            raise TooFast("Too many requests with wrong credentials came from there.", wait)

    def count(self, address: str | None, key: str) -> None:
        """Count a failure."""
        now = self._clock()
        name = _site(address), key
        window = self._windows.get(name)
        if window is None or window.ends_at <= now:
            self._windows.pop(name, None)
            self._forget(now)
            window = self._windows[name] = _Window(now + WINDOW_SECONDS)
        window.failures += 1

    def _forget(self, now: float) -> None:
        # The windows are in the order of their ends, so the first ones are those to go.
        while self._windows:
            name, oldest = next(iter(self._windows.items()))
            if oldest.ends_at > now and len(self._windows) < MAX_WINDOWS:
                return
            del self._windows[name]


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Rates:
    """Counts apps' requests: a token bucket for each, of which bursts may take twice the rate."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def take(self, app: str, rate: float | None) -> None:
        """Take a request of an app into account.

        Args:
            app: Its name.
            rate: Requests a second, None for no limit.

        Raises:
            TooFast: It has made as many as it may.
        """
        if rate is None:
            return
        now, most = self._clock(), max(rate * BURST_SECONDS, 1.0)
        bucket = self._buckets.get(app)
        if bucket is None:
            bucket = self._buckets[app] = _Bucket(most, now)
        bucket.tokens = min(most, bucket.tokens + (now - bucket.filled_at) * rate)
        bucket.filled_at = now
        if bucket.tokens < 1.0:
            raise TooFast(
                f"This app may make {rate:g} requests a second.", (1.0 - bucket.tokens) / rate
            )
        bucket.tokens -= 1.0


def _site(address: str | None) -> str:
    """The address, of an IPv6 one the part that a provider gives to one customer."""
    if address is None or ":" not in address:
        return address or ""
    try:
        parsed = IPv6Address(address.partition("%")[0])
    except AddressValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return format(int(parsed) >> (128 - _V6_SITE_BITS), "x")
