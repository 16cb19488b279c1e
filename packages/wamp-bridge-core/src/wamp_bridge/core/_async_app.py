"""`AsyncWampBridgeBase`: all of wamp-bridge for an app whose code waits on a loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from wamp_bridge.core._bridge_app import BridgeApp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wamp_bridge.core._messages import CallResult, PendingCall, Source


class AsyncWampBridgeBase(BridgeApp):
    """A `BridgeApp` whose code waits on its loop for what it asks of the bridge.

    Code in a thread has `bridge`, which asks the same and waits there.
    """

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
        """Call a procedure and return its result; see `AsyncBridge.call`.

        Raises:
            ConfigurationError: `callback` names no handler of this app.
        """
        if callback is not None:
            self.check_callback(callback)
        asked: Any = self.async_bridge.call  # whose overloads are ours
        return await asked(
            procedure,
            args,
            kwargs,
            timeout=timeout,
            callback=callback,
            options=options,
            idempotency_key=idempotency_key,
            full=full,
        )

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
        """Publish an event and return its id; see `AsyncBridge.publish`."""
        return await self.async_bridge.publish(
            topic,
            args,
            kwargs,
            options=options,
            timeout=timeout,
            idempotency_key=idempotency_key,
        )

    async def announce(self, *, wait: bool = False) -> Source:
        """Announce this app now; see `AsyncBridge.announce`. `announcer` does it by itself."""
        return await self.async_bridge.announce(wait=wait)

    async def withdraw(self) -> None:
        """Take back all that this app serves, and announce it no more by itself."""
        self.announcer.stop()
        await self.async_bridge.withdraw()
