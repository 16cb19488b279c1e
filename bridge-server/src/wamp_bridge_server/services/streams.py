"""Streams: who follows topics by `GET /events/` (protocol, section 1).

All streams of an app and a topic stand behind one log, which is one more of those that the topic is
subscribed for. It is kept for a while after its last stream went, and over restarts of the bridge,
so that who comes back misses nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from wamp_bridge_server.errors import Conflict, Forbidden, GoingDown, Unavailable
from wamp_bridge_server.store import StoreError
from wamp_bridge_server.tasks import lasting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wamp_bridge_server.backends.base import Match
    from wamp_bridge_server.clock import Clock
    from wamp_bridge_server.services.apps import App, Apps
    from wamp_bridge_server.services.logs import Log, Logs
    from wamp_bridge_server.services.reconciler import Reconciler
    from wamp_bridge_server.services.table import Group, Key, Table
    from wamp_bridge_server.store import EventRecord

SETTLE_SECONDS = 5.0
"""How long an answer waits for the router's word before it says `pending`."""

_CHECK_SECONDS = 0.5

log = structlog.get_logger("wamp_bridge.streams")


@dataclass(frozen=True, slots=True)
class Gap:
    """What a stream is told where events were lost to it.

    `place` is where it goes on from, `asked` where it wanted to.
    """

    place: str
    asked: str


class Stream:
    """One who follows a topic, and how far they have come. Made by `Streams.open`."""

    def __init__(self, streams: Streams, app: App, followed: Log, group: Group) -> None:
        self.app = app
        self.log = followed
        self.ended = False
        self._streams = streams
        self._group = group
        self._seq = followed.newest
        self._lost: str | None = None
        self._news = asyncio.Event()
        followed.join(self._news)

    @property
    def place(self) -> str:
        """How far it has come."""
        return self.log.place(self._seq)

    def resume(self, place: str) -> None:
        """Go on from a place; or from as near to it as can be, and say so."""
        seq = self.log.seq_of(place)
        if seq is None:
            self._lost = place
        else:
            self._seq = seq

    def described(self) -> dict[str, Any]:
        """What it follows, and whether the router holds that."""
        record, held = self.log.record, self._group.held is not None
        reason = None if held else self._group.delay or "the router does not hold it yet"
        state = "live" if held else "pending"
        return {"topic": record.uri, "match": record.match, "state": state, "reason": reason}

    def gap(self) -> Gap | None:
        """What was lost to it, where that is not told yet."""
        if self._lost is None and not self.log.has_all_behind(self._seq):
            self._lost, self._seq = self.place, self.log.floor
        if self._lost is None:
            return None
        asked, self._lost = self._lost, None
        return Gap(self.place, asked)

    async def next(self) -> Gap | list[EventRecord] | None:
        """Wait for what comes next: events, or that some were lost; None where it has ended.

        Raises:
            StoreError: What is kept can't be read now.
        """
        while not (self.ended or self.log.ended):
            if (gap := self.gap()) is not None:
                return gap
            self._news.clear()
            before = self._seq
            events = await self._streams.logs.behind(self.log, before)
            if not self.log.has_all_behind(before):
                continue  # deleted while they were read
            if events:
                self._seq = events[-1].seq
                return events
            await self._news.wait()
        return None

    def end(self) -> None:
        """Let go of it; `next` returns at once."""
        if not self.ended:
            self.ended = True
            self._news.set()
            self.log.part(self._news)
            self._streams.left(self)


class Streams:
    """The streams of all apps.

    Args:
        logs: What they read.
        table: Has the topics that they follow.
        reconciler: Subscribes to those.
        apps: What each may.
        clock: What time it is.
        most: How many there may be, of all apps together.
    """

    def __init__(
        self,
        logs: Logs,
        table: Table,
        reconciler: Reconciler,
        apps: Apps,
        clock: Clock,
        most: int,
    ) -> None:
        self.logs = logs
        self._table = table
        self._reconciler = reconciler
        self._apps = apps
        self._clock = clock
        self._most = most
        self._open: dict[Log, set[Stream]] = defaultdict(set)
        self._by_app: Counter[str] = Counter()
        self._changes: Counter[str] = Counter()
        self._credentials: dict[str, bytes] = {}
        self._ends_at: dict[Log, float] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._closed = False
        self._watching: asyncio.Task[None] | None = None

    @property
    def number(self) -> int:
        """How many are open."""
        return self._by_app.total()

    async def take_in(self) -> None:
        """Take in what was followed; who comes back has the whole time for it, from now on.

        To be done before any session joins. What apps follow that the configuration doesn't name
        is held by nobody.

        Raises:
            StoreError: It can't be read.
        """
        await self.logs.start()
        for each in self.logs.by_id.values():
            if each.record.app not in self._apps.by_name:
                self._table.set_gone(each.record.app, gone=True)
            self._table.follow(each.record)
            self._linger(each)

    def start(self) -> None:
        """Follow it, and let go in time of what nobody comes back to."""
        for app in {each.record.app for each in self.logs.by_id.values()}:
            self.touch(app)
        self._watching = lasting(self._watch, "streams")

    def stop(self) -> None:
        """End all streams, and open no more; what they follow is kept for the next bridge."""
        self._closed = True
        self._end_streams(self.logs.by_id.values())

    async def close(self) -> None:
        """Look after nothing any more."""
        self.stop()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    async def open(self, app: App, topic: str, match: Match, place: str | None) -> Stream:
        """Follow a topic.

        Args:
            app: Who asks.
            topic: A URI or a pattern, checked.
            match: How it matches.
            place: After which event; None for those to come.

        Raises:
            Forbidden: The app isn't allowed to.
            Unavailable: There are as many streams as may be.
            Conflict: The router refuses the subscription.
            StoreError: Nothing can be kept now.
        """
        app.permissions.check("subscribe", topic, match)
        self._check_room(app)
        changes = self._changes[app.name]
        async with self._locks[app.name]:
            self._check_room(app)
            followed = await self._followed(app, topic, match)
            if changes != self._changes[app.name]:
                raise Unavailable("The configuration of this app has just changed.")
            self._check_room(app)
            group = self._table.groups[_key(followed)]
            stream = Stream(self, app, followed, group)
            self._open[followed].add(stream)
            self._by_app[app.name] += 1
            if app.name not in self._credentials:
                self._credentials[app.name] = app.credentials(self._clock.time())
            self._ends_at.pop(followed, None)
            if place:
                stream.resume(place)
            self._reconciler.touch([group])
        try:
            await self._reconciler.settle([group], SETTLE_SECONDS)
        except BaseException:
            stream.end()
            raise
        if group.held is None and group.refusal is not None:
            stream.end()
            if followed not in self._open:
                self._ends_at[followed] = self._clock.time()
            raise Conflict(f"The router does not let this app follow it: {group.refusal}.")
        return stream

    def left(self, stream: Stream) -> None:
        """Note that a stream has ended; with the last one, what it followed is kept for a while."""
        streams = self._open[stream.log]
        streams.discard(stream)
        self._by_app[stream.app.name] -= 1
        if not streams:
            del self._open[stream.log]
            if not stream.log.ended:
                self._linger(stream.log)

    def touch(self, app: str) -> list[Group]:
        """Have the router hold what an app follows, as far as it should; what that is."""
        groups = [group for group in self._table.groups_of(app) if group.log is not None]
        self._reconciler.touch(groups)
        return groups

    async def changed(self, app: App) -> None:
        """An app's section of the configuration is another: its streams have to ask anew.

        What it may not follow any more is let go of.
        """
        self._changes[app.name] += 1
        ours = self._logs_of(app.name)
        self._end_streams(ours)
        for each in ours:
            try:
                app.permissions.check("subscribe", each.record.uri, each.record.match)
            except Forbidden:
                self._ends_at[each] = self._clock.time()
        await self._end_those_due()

    def _linger(self, followed: Log) -> None:
        policy = self.logs.policy_of(followed.record.app)
        self._ends_at[followed] = self._clock.time() + policy.linger

    def _end_streams(self, logs: Iterable[Log]) -> None:
        for each in logs:
            for stream in list(self._open.get(each, ())):
                stream.end()

    def _check_room(self, app: App) -> None:
        if self._closed:
            raise GoingDown
        most = app.config.streams.at_once
        if self._by_app[app.name] >= most:
            raise Unavailable(f"This app has {most} streams open already.")
        if self.number >= self._most:
            raise Unavailable("The bridge has as many streams open as it takes.")

    async def _followed(self, app: App, topic: str, match: Match) -> Log:
        """The log of a topic, a new one where there is none; the app's lock is held.

        A new one ends at once where no stream is opened.
        """
        group = self._table.groups.get((app.name, "topic", topic, match))
        known = self.logs.by_id.get(group.log.id) if group is not None and group.log else None
        if known is not None and not known.ended:
            return known
        if known is not None:
            await self._end(known)
        ours = len(self._logs_of(app.name))
        if ours >= app.config.streams.topics:
            raise Unavailable(f"This app follows {ours} topics already.")
        made = await self.logs.open(app.name, topic, match)
        self._table.follow(made.record)
        self._ends_at[made] = self._clock.time()  # where the request is refused all the same
        return made

    async def _watch(self) -> None:
        while True:
            await self._clock.sleep(_CHECK_SECONDS)
            self._end_expired()
            await self._end_those_due()

    def _end_expired(self) -> None:
        """Have those ask anew whose app has lost a token or secret that was good for a time."""
        now, known = self._clock.time(), self._credentials
        following = [app for name, app in self._apps.by_name.items() if self._by_app[name]]
        self._credentials = {app.name: app.credentials(now) for app in following}
        for name, credentials in self._credentials.items():
            if known.get(name, credentials) != credentials:
                self._end_streams(self._logs_of(name))

    def _logs_of(self, app: str) -> list[Log]:
        return [each for each in self.logs.by_id.values() if each.record.app == app]

    async def _end_those_due(self) -> None:
        now = self._clock.time()
        for each in [each for each, at in self._ends_at.items() if at <= now]:
            async with self._locks[each.record.app]:
                if self._ends_at.get(each, now + 1) > now or each in self._open:
                    continue  # somebody came back
                try:
                    await self._end(each)
                except StoreError as error:
                    log.warning("a log can't be ended now", reason=str(error))

    async def _end(self, followed: Log) -> None:
        """Follow a topic no longer, and forget its events. Raises `StoreError`."""
        record = followed.record
        group = self._table.groups.get(_key(followed))
        if group is not None and not followed.ended:
            log.info("not followed any more", app=record.app, topic=record.uri)
        await self.logs.end(followed)
        self._ends_at.pop(followed, None)
        if group is not None:
            group.log = None
            self._reconciler.touch([group])


def _key(followed: Log) -> Key:
    """The group of a log."""
    record = followed.record
    return record.app, "topic", record.uri, record.match
