"""What was published while an app's session was away, read from the router where it keeps history.

A router that keeps the history of a topic (WAMP, "Event History") is asked for it when the topic is
subscribed again. What was received before is told by the store, which keeps a publication once. So
that events stay in order, what arrives meanwhile is held back until the gap is filled.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import structlog

from wamp_bridge_server.backends.base import Details, Event, Unavailable, Undeliverable, WampError
from wamp_bridge_server.backends.values import GREATEST_ID
from wamp_bridge_server.errors import (
    AUTHORIZATION_FAILED,
    NO_SUCH_PROCEDURE,
    NOT_AUTHORIZED,
    TIMEOUT,
)
from wamp_bridge_server.store import StoreError
from wamp_bridge_server.tasks import lasting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wamp_bridge_server.backends.base import Match, Session
    from wamp_bridge_server.config import DeliveryConfig
    from wamp_bridge_server.services.table import Group
    from wamp_bridge_server.store import Store

GET_EVENTS = "wamp.subscription.get_events"
NO_HISTORY = frozenset({NO_SUCH_PROCEDURE, NOT_AUTHORIZED, AUTHORIZATION_FAILED})
"""With these the router says that it has no history at all for this session."""

MARGIN_SECONDS = 1800.0
"""How much further back than the session's end one looks: for clocks that differ, and a connection
that was dead before that was noticed. The store knows for longer what was received."""

MOST_HELD_BACK = 5_000
READ_SECONDS = 10.0
PAUSE_SECONDS = 1.0
HOLD_SECONDS = 60.0
"""For so long a router that is late is asked again; longer than that no event is held back."""

FIRST_READ = 1_000
_MORE = 4
NOTE_SECONDS = 60.0
_AT_ONCE = 16

log = structlog.get_logger("wamp_bridge.history")


class History:
    """Fills the gaps that an absence made.

    Args:
        store: Keeps until when each app's session was there.
        policy_of: How many events an app would have read.
        take: Takes an event of an app, and when it was published, in Unix seconds.
        calm: Waits until not too much is taken for an app that isn't kept yet.
        clock: Unix seconds.
    """

    def __init__(
        self,
        store: Store,
        policy_of: Callable[[str], DeliveryConfig],
        take: Callable[[str, Event, float | None], None],
        calm: Callable[[str], Awaitable[None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._policy_of = policy_of
        self._take = take
        self._calm = calm
        self._clock = clock
        self._until: dict[str, float] = {}
        self._since: dict[str, float] = {}
        self._joined: dict[str, float] = {}
        self._without: set[str] = set()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._filling: dict[tuple[str, str, str], asyncio.Task[None]] = {}
        self._held: dict[tuple[str, str, str], Group] = {}
        self._noting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Learn until when the sessions were there, before they join. Raises `StoreError`."""
        self._until = await self._store.sessions_until()
        self._noting = lasting(self._note_now_and_then, "sessions")

    async def close(self) -> None:
        """Read no more; note until when the sessions were there; take what is held back."""
        tasks = [*self._tasks, *([self._noting] if self._noting is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._note()
        for group in [*self._held.values()]:
            self.let_go(group)

    def joined(self, app: str) -> None:
        """An app's session has joined, and subscribes next."""
        self._joined[app] = self._clock()
        self._without.discard(app)
        # Where that wasn't noted, the bridge was killed soon after its session was opened.
        self._since[app] = self._until.get(app, self._joined[app])

    def left(self, app: str) -> None:
        """An app's session is gone."""
        if app in self._joined:
            del self._joined[app]
            self._until[app] = self._without_gap_until(app)

    def hold_back(self, group: Group) -> bool:
        """Whether a topic that is being subscribed has a gap to be filled; then its events wait."""
        if not self._has_gap(group):
            self.let_go(group)
            return False
        if group.held_back is None:
            group.held_back = []
            self._held[_key(group)] = group
        # Where an earlier gap is being filled still, what is read from now on has that, too.
        earlier = self._filling.pop(_key(group), None)
        if earlier is not None:
            earlier.cancel()
        return True

    def fill(self, session: Session, group: Group, subscription: int) -> None:
        """Read what was published meanwhile, and then let go what was held back."""
        task = asyncio.create_task(self._fill(session, group, subscription), name="history")
        self._filling[_key(group)] = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def let_go(self, group: Group) -> None:
        """Take what was held back."""
        self._held.pop(_key(group), None)
        events, group.held_back = group.held_back or [], None
        for event in events:
            self._take(group.app, event, None)

    def _without_gap_until(self, app: str) -> float:
        """Now; or since when its events are missing, where a gap is not filled yet."""
        held = any(group.app == app for group in self._held.values())
        return self._since[app] if held else self._clock()

    def _has_gap(self, group: Group) -> bool:
        joined = self._joined.get(group.app)
        if group.kind != "topic" or joined is None or group.app in self._without:
            return False
        if not self._policy_of(group.app).history:
            return False
        return group.was_wanted(joined)

    async def _fill(self, session: Session, group: Group, subscription: int) -> None:
        try:
            async with self._turns:
                events = await self._read(session, group, subscription)
        except Unavailable:
            return  # what is held back waits for the next session, which reads all of the gap
        since = self._since.get(group.app, 0.0) - MARGIN_SECONDS
        for published, event in events:
            if published > since:
                await self._calm(group.app)
                self._take(group.app, event, published)
        while group.held_back:
            await self._calm(group.app)
            if group.held_back:  # and they were not too many meanwhile
                self._take(group.app, group.held_back.pop(0), None)
        self.let_go(group)

    async def _read(
        self, session: Session, group: Group, subscription: int
    ) -> list[tuple[float, Event]]:
        """Ask for more and more, until it reaches back to before the session's end."""
        most = self._policy_of(group.app).history
        enough = self._since.get(group.app, 0.0) - MARGIN_SECONDS
        late = time.monotonic() + HOLD_SECONDS
        limit = min(FIRST_READ, most)
        while group.app not in self._without:
            found = await self._ask(session, group, subscription, limit, late)
            if found is None:
                break
            events = _events(group, found)
            reaches_back = len(found) < limit or (bool(events) and events[0][0] < enough)
            if reaches_back or limit == most:
                if not reaches_back:
                    log.warning("history may not reach back far enough", **_named(group))
                return events
            limit = min(limit * _MORE, most)
        return []

    async def _ask(
        self, session: Session, group: Group, subscription: int, limit: int, late: float
    ) -> list[Any] | None:
        """What the router has, the newest first, with an entry for each who got it; None for none.

        It is asked again when that takes long, until it is `late`: what is let go before the gap is
        filled has overtaken what is read later.
        """
        while True:
            try:
                result = await session.call(
                    GET_EVENTS, [subscription], {"limit": limit}, timeout=READ_SECONDS
                )
            except Unavailable:
                if not session.joined:
                    raise
                reason = "the router takes no more now"
            except (WampError, Undeliverable) as error:
                reason = str(error)
                if not isinstance(error, WampError) or error.uri != TIMEOUT:
                    if isinstance(error, WampError) and error.uri in NO_HISTORY:
                        self._without.add(group.app)
                    log.debug("no history", **_named(group), reason=reason)
                    return None
            else:
                return result.args[0] if result.args and isinstance(result.args[0], list) else []
            if time.monotonic() > late:
                log.warning("history came too late", **_named(group), reason=reason)
                return None
            await asyncio.sleep(PAUSE_SECONDS)

    async def _note_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(NOTE_SECONDS)
            await self._note()

    async def _note(self) -> None:
        self._until.update({app: self._without_gap_until(app) for app in self._joined})
        try:
            await self._store.note_sessions(self._until)
        except StoreError as error:
            log.warning("sessions can't be noted now", reason=str(error))


def _key(group: Group) -> tuple[str, str, str]:
    return group.app, group.uri, group.match


def _named(group: Group) -> dict[str, str]:
    return {"app": group.app, "topic": group.uri}


def _events(group: Group, found: list[Any]) -> list[tuple[float, Event]]:
    """The events in what the router has, each once, the oldest first; and when it got them."""
    events: dict[int, tuple[float, Event]] = {}
    for entry in reversed(found):
        event = event_of(entry, group.uri, group.match)
        if event is not None:
            events.setdefault(event[1].publication, event)
    return [*events.values()]


def event_of(entry: Any, uri: str, match: Match) -> tuple[float, Event] | None:
    """An event as Crossbar's history has it, and when it was published; None for anything else.

    Args:
        entry: What the router answered.
        uri: The topic or pattern of the subscription whose history it is.
        match: How that matches.
    """
    if not isinstance(entry, dict):
        return None
    publication, published = entry.get("publication"), entry.get("time_ns")
    if not isinstance(publication, int) or not isinstance(published, int):
        return None
    if not 0 < publication <= GREATEST_ID:  # the store would not take it, nor what is with it
        return None
    details = Details(
        session=entry.get("session_id"), authid=entry.get("authid"), authrole=entry.get("authrole")
    )
    topic = entry.get("topic") or uri
    args, kwargs = entry.get("args") or [], entry.get("kwargs") or {}
    return published / 1e9, Event(uri, match, topic, publication, args, kwargs, details)
