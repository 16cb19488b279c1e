"""`AsyncBridge`: what an app asks of the bridge, waiting on its loop."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Unpack, overload

from wamp_bridge.core import _calls as calls
from wamp_bridge.core import _dead_letters as dead_letters
from wamp_bridge.core import _operations as operations
from wamp_bridge.core._requests import Pause
from wamp_bridge.core._settings import for_requests
from wamp_bridge.core._stand_in import stand_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import httpx

    from wamp_bridge.core._dead_letters import DeadLetter, DeadLetterFilter
    from wamp_bridge.core._messages import (
        CallResult,
        CallState,
        PendingCall,
        Registration,
        Source,
        Subscription,
    )
    from wamp_bridge.core._operations import Removed
    from wamp_bridge.core._requests import Answer, Exchange, Failure, Send
    from wamp_bridge.core._settings import Settings
    from wamp_bridge.core._uris import Match

_T = TypeVar("_T")


class AsyncBridge:
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

    @overload
    async def call(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        callback: None = None,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        full: Literal[False] = False,
    ) -> Any: ...

    @overload
    async def call(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        callback: None = None,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        full: Literal[True],
    ) -> CallResult: ...

    @overload
    async def call(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        callback: str,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        full: bool = False,
    ) -> PendingCall: ...

    async def call(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        callback: str | None = None,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        full: bool = False,
    ) -> Any:
        """As `Bridge.call`."""
        return await self._run(
            calls.call(
                self.settings,
                procedure,
                args,
                kwargs,
                timeout=timeout,
                callback=callback,
                options=options,
                idempotency_key=idempotency_key,
                full=full,
            )
        )

    async def start_call(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        callback: str | None = None,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> PendingCall:
        """As `Bridge.start_call`."""
        return await self._run(
            calls.start_call(
                self.settings,
                procedure,
                args,
                kwargs,
                timeout=timeout,
                callback=callback,
                options=options,
                idempotency_key=idempotency_key,
            )
        )

    async def read_call(self, call: PendingCall | str) -> CallState:
        """As `Bridge.read_call`."""
        return await self._run(calls.read_call(self.settings, call))

    async def cancel_call(self, call: PendingCall | str) -> CallState:
        """As `Bridge.cancel_call`."""
        return await self._run(calls.cancel_call(self.settings, call))

    async def publish(
        self,
        topic: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        options: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        idempotency_key: str | None = None,
    ) -> int | None:
        """As `Bridge.publish`."""
        return await self._run(
            calls.publish(
                self.settings,
                topic,
                args,
                kwargs,
                options=options,
                timeout=timeout,
                idempotency_key=idempotency_key,
            )
        )

    async def register(
        self, endpoints: Mapping[str, str | Mapping[str, Any]], *, lease: float | None = None
    ) -> list[Registration]:
        """As `Bridge.register`."""
        return await self._run(operations.register(self.settings, endpoints, lease))

    async def unregister(
        self, endpoints: Iterable[str] | Mapping[str, str], *, match: Match | None = None
    ) -> Removed:
        """As `Bridge.unregister`."""
        return await self._run(operations.unregister(self.settings, endpoints, match))

    async def subscribe(
        self, endpoints: Mapping[str, str | Mapping[str, Any]], *, lease: float | None = None
    ) -> list[Subscription]:
        """As `Bridge.subscribe`."""
        return await self._run(operations.subscribe(self.settings, endpoints, lease))

    async def unsubscribe(
        self, endpoints: Iterable[str] | Mapping[str, str], *, match: Match | None = None
    ) -> Removed:
        """As `Bridge.unsubscribe`."""
        return await self._run(operations.unsubscribe(self.settings, endpoints, match))

    async def announce(self, url: str | None = None, *, wait: bool = False) -> Source:
        """As `Bridge.announce`."""
        return await self._run(operations.announce(self.settings, url, wait=wait))

    async def withdraw(self, url: str | None = None) -> None:
        """As `Bridge.withdraw`."""
        return await self._run(operations.withdraw(self.settings, url))

    async def heartbeat(self, endpoints: Iterable[str] | None = None) -> int:
        """As `Bridge.heartbeat`."""
        return await self._run(operations.heartbeat(self.settings, endpoints))

    async def registrations(self) -> list[Registration]:
        """As `Bridge.registrations`."""
        return await self._run(operations.registrations(self.settings))

    async def subscriptions(self) -> list[Subscription]:
        """As `Bridge.subscriptions`."""
        return await self._run(operations.subscriptions(self.settings))

    async def sources(self) -> list[Source]:
        """As `Bridge.sources`."""
        return await self._run(operations.sources(self.settings))

    async def dead_letters(self, **chosen: Unpack[DeadLetterFilter]) -> list[DeadLetter]:
        """As `Bridge.dead_letters`."""
        return await self._run(dead_letters.dead_letters(self.settings, chosen))

    async def count_dead_letters(self, **chosen: Unpack[DeadLetterFilter]) -> int:
        """As `Bridge.count_dead_letters`."""
        return await self._run(dead_letters.count(self.settings, chosen))

    async def replay_dead_letters(
        self, identifier: str | None = None, **chosen: Unpack[DeadLetterFilter]
    ) -> int:
        """As `Bridge.replay_dead_letters`."""
        return await self._run(dead_letters.replay(self.settings, identifier, chosen))

    async def delete_dead_letters(
        self, identifier: str | None = None, **chosen: Unpack[DeadLetterFilter]
    ) -> int:
        """As `Bridge.delete_dead_letters`."""
        return await self._run(dead_letters.delete(self.settings, identifier, chosen))

    async def _run(self, exchange: Exchange[_T]) -> _T:
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
