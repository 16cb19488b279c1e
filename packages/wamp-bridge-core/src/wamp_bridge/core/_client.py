"""`Bridge`: what an app asks of the bridge, waiting in its thread."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, Unpack

from wamp_bridge.core import _dead_letters as dead_letters
from wamp_bridge.core import _directory as directory
from wamp_bridge.core import _operations as operations
from wamp_bridge.core._calling import Calling
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


class Bridge(Calling):
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
        return self._ask(operations.register, endpoints, lease)

    def unregister(
        self, endpoints: Iterable[str] | Mapping[str, str], *, match: Match | None = None
    ) -> Removed:
        """Take registrations back.

        Args:
            endpoints: Procedures; where it is a mapping, only with these URLs.
            match: Only those registered so.
        """
        return self._ask(operations.unregister, endpoints, match)

    def subscribe(
        self, endpoints: Mapping[str, str | Mapping[str, Any]], *, lease: float | None = None
    ) -> list[Subscription]:
        """Subscribe to topics, each with the URL that its events go to.

        Args:
            endpoints: A URL for each topic, or `{"url": ..., "match", "ordered", "concurrency",
                "schedule", "timeout", "dead_letters"}`.
            lease: Seconds after which they go, unless renewed by `heartbeat` or this again.
        """
        return self._ask(operations.subscribe, endpoints, lease)

    def unsubscribe(
        self, endpoints: Iterable[str] | Mapping[str, str], *, match: Match | None = None
    ) -> Removed:
        """Take subscriptions back; arguments as for `unregister`."""
        return self._ask(operations.unsubscribe, endpoints, match)

    def announce(self, url: str | None = None, *, wait: bool = False) -> Source:
        """Tell the bridge where a dispatcher is mounted, for it to ask what it serves.

        Args:
            url: `WAMP_BRIDGE_CALLBACK_URL` if left out.
            wait: Return when what it serves is in force. Never from a request that keeps the
                app's only worker from answering the bridge.
        """
        return self._ask(operations.announce, url, wait=wait)

    def withdraw(self, url: str | None = None) -> None:
        """Take back all that a dispatcher serves; `WAMP_BRIDGE_CALLBACK_URL` if left out."""
        return self._ask(operations.withdraw, url)

    def heartbeat(self, endpoints: Iterable[str] | None = None) -> int:
        """Renew the leases, or those of some endpoints; how many there were."""
        return self._ask(operations.heartbeat, endpoints)

    def registrations(self) -> list[Registration]:
        """All that this app has registered."""
        return self._ask(operations.registrations)

    def subscriptions(self) -> list[Subscription]:
        """All that this app has subscribed to."""
        return self._ask(operations.subscriptions)

    def sources(self) -> list[Source]:
        """All that this app has announced."""
        return self._ask(operations.sources)

    def procedures(self) -> list[Procedure]:
        """What can be called at the router, whoever serves it, as far as this app may know.

        Raises:
            Forbidden: The router doesn't let this app's session ask.
            NotOffered: The router can't be asked.
        """
        return self._ask(directory.procedures)

    def topics(self) -> list[Topic]:
        """What is subscribed to at the router, as `procedures`."""
        return self._ask(directory.topics)

    def history(
        self,
        topic: str,
        *,
        limit: int | None = None,
        since: float | None = None,
        until: float | None = None,
        match: Match | None = None,
    ) -> list[PastEvent]:
        """What was published to a topic, the newest first, where the router keeps it.

        Args:
            topic: Its name; `WAMP_BRIDGE_PREFIX` goes before one without a dot.
            limit: How many events at most: up to 1000, 100 if left out.
            since: Unix time in seconds; those of then or later.
            until: Unix time in seconds; those from before.
            match: `prefix` or `wildcard` where the router keeps a pattern's.

        Raises:
            NotFound: The router keeps no history of this topic.
            NotOffered: The router keeps none of any topic.
            Forbidden: This app may not subscribe to it, or the router doesn't let it ask.
        """
        return self._ask(
            directory.history, topic, limit=limit, since=since, until=until, match=match
        )

    def dead_letters(self, **chosen: Unpack[DeadLetterFilter]) -> list[DeadLetter]:
        """What could not be delivered to this app, the oldest first; see `DeadLetterFilter`."""
        return self._ask(dead_letters.dead_letters, chosen)

    def count_dead_letters(self, **chosen: Unpack[DeadLetterFilter]) -> int:
        """How many dead letters there are; see `DeadLetterFilter`."""
        return self._ask(dead_letters.count, chosen)

    def replay_dead_letters(
        self, identifier: str | None = None, **chosen: Unpack[DeadLetterFilter]
    ) -> int:
        """Send one again, or those that are meant, all if nothing is said; how many that were."""
        return self._ask(dead_letters.replay, identifier, chosen)

    def delete_dead_letters(
        self, identifier: str | None = None, **chosen: Unpack[DeadLetterFilter]
    ) -> int:
        """Delete one, or those that are meant, all if nothing is said; how many that were."""
        return self._ask(dead_letters.delete, identifier, chosen)

    def _ask(self, operation: Operation[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        exchange = operation(self.settings, *args, **kwargs)
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
