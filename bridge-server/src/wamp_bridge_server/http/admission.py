"""Which requests are taken, and how many at once (protocol, section 2: 503 with `Retry-After`)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Self

from wamp_bridge_server.errors import GoingDown, Unavailable

if TYPE_CHECKING:
    from types import TracebackType

    from wamp_bridge_server.limits import Limits


class Admission:
    """Takes requests, as many as the limits allow, until the bridge goes down.

    A request is under way from its headers on, and counts against the limit when its app is known:
    what strangers send slowly takes nobody's place. One app has half of the places at most. When it
    is `closed`, no more are taken.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._requests: set[Request] = set()
        self._answering = 0
        self._by_app: Counter[str] = Counter()
        self._octets = 0
        self.closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    def request(self) -> Request:
        """A request that has come; enter it while it is under way."""
        return Request(self)

    def close(self) -> None:
        """Take no more: the bridge goes down."""
        self.closed = True

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        await self._idle.wait()

    def cut(self) -> None:
        """Have what is under way answered at once."""
        for request in self._requests:
            request.scope.reschedule(0)

    def enter(self, request: Request) -> None:
        """Take a request in. Raises `GoingDown`."""
        if self.closed:
            raise GoingDown
        self._requests.add(request)
        self._idle.clear()

    def hold(self, request: Request, octets: int) -> None:
        """Have room for more of a request's body. Raises `Unavailable`."""
        most = self._limits.body_bytes
        if request.app is None:
            most //= 2
        if self._octets + octets > most:
            raise Unavailable("The bridge has as much to read as it takes at once.")
        self._octets += octets
        request.octets += octets

    def admit(self, request: Request, app: str) -> None:
        """Give an app's request a place. Raises `Unavailable`."""
        most = self._limits.requests
        if self._answering >= most or self._by_app[app] >= max(1, most // 2):
            raise Unavailable("The bridge has as many requests to answer as it takes at once.")
        self._answering += 1
        self._by_app[app] += 1
        request.app = app

    def left(self, request: Request) -> None:
        """Let go of a request and all that it held."""
        self._requests.discard(request)
        self._octets -= request.octets
        if request.app is not None:
            self._answering -= 1
            self._by_app[request.app] -= 1
            if not self._by_app[request.app]:
                del self._by_app[request.app]
        if not self._requests:
            self._idle.set()


class Request:
    """A request that is under way. An asynchronous context manager.

    Attributes:
        app: Whose it is, once that is known and it has its place.
        octets: Of its body, as far as they have come.
        scope: Ends it before its time.
    """

    __slots__ = ("_admission", "app", "octets", "scope")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.app: str | None = None
        self.octets = 0
        self.scope = asyncio.timeout(None)

    async def __aenter__(self) -> Self:
        self._admission.enter(self)
        await self.scope.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self.scope.__aexit__(kind, error, traceback)
        except TimeoutError:
            raise GoingDown from None
        finally:
            self._admission.left(self)

    def hold(self, octets: int) -> None:
        """Have room for more of the body. Raises `Unavailable`."""
        self._admission.hold(self, octets)

    def admit(self, app: str) -> None:
        """Take a place for the app. Raises `Unavailable`."""
        self._admission.admit(self, app)
