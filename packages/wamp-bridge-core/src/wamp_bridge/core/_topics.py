"""`publish`, `events` and their like, of clients and apps alike: in a thread, and on a loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wamp_bridge.core import _calls as calls
from wamp_bridge.core import _following as following
from wamp_bridge.core._asking import Asking, AsyncAsking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

    from wamp_bridge.core._messages import Publication, SignedURL, TopicEvent
    from wamp_bridge.core._uris import Match


class Topics(Asking):
    """What publishes and follows topics, and waits in its thread."""

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
        return self._ask(
            calls.publish,
            topic,
            args,
            kwargs,
            options=options,
            timeout=timeout,
            idempotency_key=idempotency_key,
        )

    def publish_many(
        self,
        topic: str,
        events: Iterable[Sequence[Any] | Mapping[str, Any]],
        *,
        options: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        idempotency_key: str | None = None,
    ) -> list[Publication]:
        """Publish events of a topic in one request, in their order.

        Args:
            topic: As for `publish`.
            events: The positional arguments of each, or its keyword arguments where it is a
                mapping; 1000 at most.
            options: WAMP's, for all of them.
            timeout: Seconds to wait for the bridge; `WAMP_BRIDGE_TIMEOUT` if left out.
            idempotency_key: As for `call`, for all of them together.

        Returns:
            What became of each. One that fails doesn't keep the others back.

        Raises:
            Unavailable: The bridge or its router is away, and nothing was published.
            BridgeError: Anything else that the bridge answered for all of them.
        """
        return self._ask(
            calls.publish_many,
            topic,
            events,
            options=options,
            timeout=timeout,
            idempotency_key=idempotency_key,
        )

    def events(
        self, topic: str, *, match: Match = "exact", last_event_id: str | None = None
    ) -> Iterator[TopicEvent]:
        """Follow a topic: its events as they come, for as long as they are asked for.

        Whenever the connection breaks, it is made again, and nothing is lost or comes twice.

        Args:
            topic: Its name, or a pattern; `WAMP_BRIDGE_PREFIX` goes before one without a dot.
            match: How it matches.
            last_event_id: The `id` of the event behind which to begin; left out, the next ones
                come.

        Raises:
            EventsLost: Some are not kept any more. Go on with its `last_event_id`.
            Forbidden: The app may not follow it.
            BridgeUnreachable: The bridge is away from the beginning. One that goes away later is
                waited for.
            BridgeError: Anything else that the bridge answered.
        """
        return self._stream(following.follow, topic, match, last_event_id)

    def events_url(
        self,
        topic: str,
        *,
        match: Match = "exact",
        lifetime: float | None = None,
        origin: str | None = None,
    ) -> SignedURL:
        """Have a URL signed by which a browser's `EventSource` follows a topic with no token.

        Args:
            topic: Its name, or a pattern; `WAMP_BRIDGE_PREFIX` goes before one without a dot.
            match: How it matches.
            lifetime: Seconds in which it opens streams; 300 if left out. One that is open stays.
            origin: Scheme, host and port of the page, if it is for that one alone. It must be
                another than the bridge's.

        Raises:
            Forbidden: The app may not follow it.
            BridgeError: Anything else that the bridge answered.
        """
        return self._ask(following.events_url, topic, match, lifetime, origin)


class AsyncTopics(AsyncAsking):
    """What publishes and follows topics, and waits on its loop."""

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
        """As `Bridge.publish`, awaited."""
        return await self._ask(
            calls.publish,
            topic,
            args,
            kwargs,
            options=options,
            timeout=timeout,
            idempotency_key=idempotency_key,
        )

    async def publish_many(
        self,
        topic: str,
        events: Iterable[Sequence[Any] | Mapping[str, Any]],
        *,
        options: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        idempotency_key: str | None = None,
    ) -> list[Publication]:
        """As `Bridge.publish_many`, awaited."""
        return await self._ask(
            calls.publish_many,
            topic,
            events,
            options=options,
            timeout=timeout,
            idempotency_key=idempotency_key,
        )

    def events(
        self, topic: str, *, match: Match = "exact", last_event_id: str | None = None
    ) -> AsyncIterator[TopicEvent]:
        """As `Bridge.events`, for `async for`."""
        return self._stream(following.follow, topic, match, last_event_id)

    async def events_url(
        self,
        topic: str,
        *,
        match: Match = "exact",
        lifetime: float | None = None,
        origin: str | None = None,
    ) -> SignedURL:
        """As `Bridge.events_url`, awaited."""
        return await self._ask(following.events_url, topic, match, lifetime, origin)
