"""`AsyncBridge`: what an app asks of the bridge, waiting on its loop."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, Unpack

from wamp_bridge.core import _dead_letters as dead_letters
from wamp_bridge.core import _directory as directory
from wamp_bridge.core import _operations as operations
from wamp_bridge.core._calling import AsyncCalling
from wamp_bridge.core._requests import Pause
from wamp_bridge.core._settings import for_requests
from wamp_bridge.core._stand_in import stand_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import httpx

    from wamp_bridge.core._calling import Operation
    from wamp_bridge.core._dead_letters import DeadLetter, DeadLetterFilter
    from wamp_bridge.core._directory import PastEvent, Procedure, Topic
    from wamp_bridge.core._messages import (
        Registration,
        Source,
        Subscription,
    )
    from wamp_bridge.core._operations import Removed
    from wamp_bridge.core._requests import Answer, Failure, Send
    from wamp_bridge.core._settings import Settings
    from wamp_bridge.core._uris import Match

_P = ParamSpec("_P")
_T = TypeVar("_T")


class AsyncBridge(AsyncCalling):
    """The bridge as seen from an app, for code that waits on a loop.

    Its methods are those of `Bridge`, awaited. Each loop that it is used on has connections of its
    own; `aclose`, or `async with`, gives back those of the running one.

    A task that is cancelled closes its connection, which is how the bridge learns that nobody
    waits for a call any more.

    Args:
        settings: Where the bridge is and who asks; read from the environment if left out.
        transport: In the place of the network, for tests.

    Raises:
        ConfigurationError: There is no URL, or nothing that tells who asks.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.settings = for_requests(settings)
        self._transport = transport
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = (
            weakref.WeakKeyDictionary()
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give this loop's connections back. The bridge can be used again."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    async def register(
        self, endpoints: Mapping[str, str | Mapping[str, Any]], *, lease: float | None = None
    ) -> list[Registration]:
        """As `Bridge.register`."""
        return await self._ask(operations.register, endpoints, lease)

    async def unregister(
        self, endpoints: Iterable[str] | Mapping[str, str], *, match: Match | None = None
    ) -> Removed:
        """As `Bridge.unregister`."""
        return await self._ask(operations.unregister, endpoints, match)

    async def subscribe(
        self, endpoints: Mapping[str, str | Mapping[str, Any]], *, lease: float | None = None
    ) -> list[Subscription]:
        """As `Bridge.subscribe`."""
        return await self._ask(operations.subscribe, endpoints, lease)

    async def unsubscribe(
        self, endpoints: Iterable[str] | Mapping[str, str], *, match: Match | None = None
    ) -> Removed:
        """As `Bridge.unsubscribe`."""
        return await self._ask(operations.unsubscribe, endpoints, match)

    async def announce(self, url: str | None = None, *, wait: bool = False) -> Source:
        """As `Bridge.announce`."""
        return await self._ask(operations.announce, url, wait=wait)

    async def withdraw(self, url: str | None = None) -> None:
        """As `Bridge.withdraw`."""
        return await self._ask(operations.withdraw, url)

    async def heartbeat(self, endpoints: Iterable[str] | None = None) -> int:
        """As `Bridge.heartbeat`."""
        return await self._ask(operations.heartbeat, endpoints)

    async def registrations(self) -> list[Registration]:
        """As `Bridge.registrations`."""
        return await self._ask(operations.registrations)

    async def subscriptions(self) -> list[Subscription]:
        """As `Bridge.subscriptions`."""
        return await self._ask(operations.subscriptions)

    async def sources(self) -> list[Source]:
        """As `Bridge.sources`."""
        return await self._ask(operations.sources)

    async def procedures(self) -> list[Procedure]:
        """As `Bridge.procedures`."""
        return await self._ask(directory.procedures)

    async def topics(self) -> list[Topic]:
        """As `Bridge.topics`."""
        return await self._ask(directory.topics)

    async def history(
        self,
        topic: str,
        *,
        limit: int | None = None,
        since: float | None = None,
        until: float | None = None,
        match: Match | None = None,
    ) -> list[PastEvent]:
        """As `Bridge.history`."""
        return await self._ask(
            directory.history, topic, limit=limit, since=since, until=until, match=match
        )

    async def dead_letters(self, **chosen: Unpack[DeadLetterFilter]) -> list[DeadLetter]:
        """As `Bridge.dead_letters`."""
        return await self._ask(dead_letters.dead_letters, chosen)

    async def count_dead_letters(self, **chosen: Unpack[DeadLetterFilter]) -> int:
        """As `Bridge.count_dead_letters`."""
        return await self._ask(dead_letters.count, chosen)

    async def replay_dead_letters(
        self, identifier: str | None = None, **chosen: Unpack[DeadLetterFilter]
    ) -> int:
        """As `Bridge.replay_dead_letters`."""
        return await self._ask(dead_letters.replay, identifier, chosen)

    async def delete_dead_letters(
        self, identifier: str | None = None, **chosen: Unpack[DeadLetterFilter]
    ) -> int:
        """As `Bridge.delete_dead_letters`."""
        return await self._ask(dead_letters.delete, identifier, chosen)

    async def _ask(self, operation: Operation[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        exchange = operation(self.settings, *args, **kwargs)
        came: Answer | Failure | None = None
        while True:
            try:
                step = exchange.send(came)
            except StopIteration as end:
                result: _T = end.value
                return result
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
                came = None
            else:
                came = await self._send(step)

    async def _send(self, step: Send) -> Answer | Failure:
        substitute = stand_in()
        if substitute is not None:
            return substitute.answer(self.settings, step.request)

        from wamp_bridge.core import _transport  # noqa: PLC0415 - see there

        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = _transport.open_async_client(self.settings, self._transport)
            self._clients[loop] = client
        return await _transport.send_async(client, step)
