"""`Bridge`: what an app asks of the bridge, waiting in its thread."""

from __future__ import annotations

import os
import time
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


class Bridge:
    """The bridge as seen from an app, for code that waits in its thread.

    ::

        bridge = Bridge(Settings(url="http://localhost:8181/", token="..."))
        bridge.publish("com.shop.sold", ["book"])
        price = bridge.call("com.shop.price", ["book"])

    Safe to share among threads, and to inherit by a fork. Connections are kept and reused;
    `close`, or `with`, gives them back.

    A request that never left is tried again, and so are those that may be repeated without harm,
    within the timeout. A call or a publication of which a byte may have been sent is never
    repeated, unless it has an idempotency key.

    Args:
        settings: Where the bridge is and who asks; read from the environment if left out.
        transport: In the place of the network, for tests.

    Raises:
        ConfigurationError: There is no URL, or nothing that tells who asks.
    """

    def __init__(
        self, settings: Settings | None = None, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.settings = for_requests(settings)
        self._transport = transport
        self._clients: dict[int, httpx.Client] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back. The bridge can be used again; it then opens new ones."""
        client = self._clients.pop(os.getpid(), None)
        if client is not None:
            client.close()

    @overload
    def call(
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
    def call(
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
    def call(
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

    def call(
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
        """Call a procedure.

        Args:
            procedure: Its name; `WAMP_BRIDGE_PREFIX` goes before one without a dot.
            args: Positional arguments, or keyword arguments where it is a mapping.
            kwargs: Keyword arguments.
            timeout: Seconds to wait for the result; `WAMP_BRIDGE_TIMEOUT` if left out.
            callback: Don't wait; the outcome goes to this URL, or to the `callback` handler of
                this name.
            options: WAMP's options of the call.
            idempotency_key: Of 1 to 255 ASCII characters, and for this call alone: with it, the
                bridge makes the call once and keeps its answer for a day. A request that was cut
                off is sent again, and so may you ask again after an error, with the same key.
            full: Return the `CallResult`, with keyword results.

        Returns:
            The one positional result, the list where there are several, None where there is
            none; a `PendingCall` where a callback is given.

        Raises:
            NoSuchProcedure: Nobody serves it.
            InvalidArgument: It doesn't take these arguments.
            CallTimeout: There was no result in time.
            ApplicationError: It failed with an error of its own.
            Unavailable: The bridge, its router or the callee is away.
            BridgeError: Anything else that the bridge answered.
        """
        return self._run(
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

    def start_call(
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
        """Begin a call without waiting for its end; `read_call` tells of it.

        Args:
            procedure: As for `call`.
            args: As for `call`.
            kwargs: As for `call`.
            timeout: Seconds that the call may take; an hour if left out, a day at most.
            callback: Where the outcome goes too, as for `call`.
            options: WAMP's options of the call.
            idempotency_key: As for `call`: the same key, the same `PendingCall`.

        Raises:
            Unavailable: The bridge is away, or takes no more calls of this app now.
            BridgeError: Anything else that the bridge answered.
        """
        return self._run(
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

    def read_call(self, call: PendingCall | str) -> CallState:
        """How a call stands that is not waited for.

        Args:
            call: What began it returned, or its id.

        Raises:
            NotFound: This app has made no such call, or it ended too long ago.
            BridgeError: Anything else that the bridge answered.
        """
        return self._run(calls.read_call(self.settings, call))

    def cancel_call(self, call: PendingCall | str) -> CallState:
        """Cancel a call that is not waited for; how it stands then. One that has ended stays so."""
        return self._run(calls.cancel_call(self.settings, call))

    def publish(
        self,
        topic: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        options: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        idempotency_key: str | None = None,
    ) -> int | None:
        """Publish an event.

        Args:
            topic: Its name; `WAMP_BRIDGE_PREFIX` goes before one without a dot.
            args: Positional arguments, or keyword arguments where it is a mapping.
            kwargs: Keyword arguments.
            options: `acknowledge`, `exclude_me`, `exclude`, `eligible`, `retain` and the rest of
                WAMP's.
            timeout: Seconds to wait for the bridge; `WAMP_BRIDGE_TIMEOUT` if left out.
            idempotency_key: As for `call`.

        Returns:
            The publication's id; None where `acknowledge` is false.

        Raises:
            Unavailable: The bridge or its router is away.
            BridgeError: Anything else that the bridge answered.
        """
        return self._run(
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

    def register(
        self, endpoints: Mapping[str, str | Mapping[str, Any]], *, lease: float | None = None
    ) -> list[Registration]:
        """Register procedures, each with the URL that serves it.

        Args:
            endpoints: A URL for each procedure, or `{"url": ..., "match", "invoke",
                "concurrency", "timeout"}`.
            lease: Seconds after which they go, unless renewed by `heartbeat` or this again.

        Raises:
            Conflict: Another app or WAMP client holds one of them; none was registered.
            BridgeError: Anything else that the bridge answered.
        """
        return self._run(operations.register(self.settings, endpoints, lease))

    def unregister(
        self, endpoints: Iterable[str] | Mapping[str, str], *, match: Match | None = None
    ) -> Removed:
        """Take registrations back.

        Args:
            endpoints: Procedures; where it is a mapping, only with these URLs.
            match: Only those registered so.
        """
        return self._run(operations.unregister(self.settings, endpoints, match))

    def subscribe(
        self, endpoints: Mapping[str, str | Mapping[str, Any]], *, lease: float | None = None
    ) -> list[Subscription]:
        """Subscribe to topics, each with the URL that its events go to.

        Args:
            endpoints: A URL for each topic, or `{"url": ..., "match", "ordered", "concurrency"}`.
            lease: Seconds after which they go, unless renewed by `heartbeat` or this again.
        """
        return self._run(operations.subscribe(self.settings, endpoints, lease))

    def unsubscribe(
        self, endpoints: Iterable[str] | Mapping[str, str], *, match: Match | None = None
    ) -> Removed:
        """Take subscriptions back; arguments as for `unregister`."""
        return self._run(operations.unsubscribe(self.settings, endpoints, match))

    def announce(self, url: str | None = None, *, wait: bool = False) -> Source:
        """Tell the bridge where a dispatcher is mounted, for it to ask what it serves.

        Args:
            url: `WAMP_BRIDGE_CALLBACK_URL` if left out.
            wait: Return when what it serves is in force. Never from a request that keeps the
                app's only worker from answering the bridge.
        """
        return self._run(operations.announce(self.settings, url, wait=wait))

    def withdraw(self, url: str | None = None) -> None:
        """Take back all that a dispatcher serves; `WAMP_BRIDGE_CALLBACK_URL` if left out."""
        return self._run(operations.withdraw(self.settings, url))

    def heartbeat(self, endpoints: Iterable[str] | None = None) -> int:
        """Renew the leases, or those of some endpoints; how many there were."""
        return self._run(operations.heartbeat(self.settings, endpoints))

    def registrations(self) -> list[Registration]:
        """All that this app has registered."""
        return self._run(operations.registrations(self.settings))

    def subscriptions(self) -> list[Subscription]:
        """All that this app has subscribed to."""
        return self._run(operations.subscriptions(self.settings))

    def sources(self) -> list[Source]:
        """All that this app has announced."""
        return self._run(operations.sources(self.settings))

    def dead_letters(self, **chosen: Unpack[DeadLetterFilter]) -> list[DeadLetter]:
        """What could not be delivered to this app, the oldest first; see `DeadLetterFilter`."""
        return self._run(dead_letters.dead_letters(self.settings, chosen))

    def count_dead_letters(self, **chosen: Unpack[DeadLetterFilter]) -> int:
        """How many dead letters there are; see `DeadLetterFilter`."""
        return self._run(dead_letters.count(self.settings, chosen))

    def replay_dead_letters(
        self, identifier: str | None = None, **chosen: Unpack[DeadLetterFilter]
    ) -> int:
        """Send one again, or those that are meant, all if nothing is said; how many that were."""
        return self._run(dead_letters.replay(self.settings, identifier, chosen))

    def delete_dead_letters(
        self, identifier: str | None = None, **chosen: Unpack[DeadLetterFilter]
    ) -> int:
        """Delete one, or those that are meant, all if nothing is said; how many that were."""
        return self._run(dead_letters.delete(self.settings, identifier, chosen))

    def _run(self, exchange: Exchange[_T]) -> _T:
        came: Answer | Failure | None = None
        while True:
            try:
                step = exchange.send(came)
            except StopIteration as end:
                result: _T = end.value
                return result
            if isinstance(step, Pause):
                time.sleep(step.seconds)
                came = None
            else:
                came = self._send(step)

    def _send(self, step: Send) -> Answer | Failure:
        substitute = stand_in()
        if substitute is not None:
            return substitute.answer(self.settings, step.request)

        from wamp_bridge.core import _transport  # noqa: PLC0415 - see there

        # By process, for a connection can't be shared with a parent. No lock, which a fork might
        # copy while it is held: of threads that come here first together the first one's stays.
        client = self._clients.get(os.getpid())
        if client is None:
            made = _transport.open_client(self.settings, self._transport)
            client = self._clients.setdefault(os.getpid(), made)
            if client is not made:
                made.close()
        return _transport.send(client, step)
