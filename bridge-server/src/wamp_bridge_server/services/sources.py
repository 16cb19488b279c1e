"""Sources: the URLs where apps mounted their dispatchers, kept in step with their manifests.

A manifest is read after an announcement and every 20 seconds, and is the app's sign of life: after
three failures the source is withdrawn, and the next success restores it (protocol, section 4).
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING

import structlog

from wamp_bridge_server.errors import BadSource, Problem, Unprocessable
from wamp_bridge_server.identifiers import new_id
from wamp_bridge_server.services import manifests
from wamp_bridge_server.services.endpoints import PREFIXES
from wamp_bridge_server.services.source import Source
from wamp_bridge_server.store import EndpointRecord, SourceRecord, StoreError
from wamp_bridge_server.tasks import lasting

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from wamp_bridge_server.callbacks.sender import Sender
    from wamp_bridge_server.clock import Clock
    from wamp_bridge_server.services.apps import App, Apps
    from wamp_bridge_server.services.endpoints import Endpoints
    from wamp_bridge_server.services.manifests import Wanted
    from wamp_bridge_server.services.table import Endpoint, Table
    from wamp_bridge_server.store import Store

ROUND_SECONDS = 20.0
ABSENCES_TO_REMOVE = 3
SILENT_TOGETHER = 3
"""So many sources at least, and more than half, are silent where the bridge may be cut off."""

SOURCES_AN_APP = 100
"""Each is asked every 20 s. Those that the configuration names are not counted."""

_OTHERS_ASKED = 8
"""How many others are asked when one seems to be gone, to see whether it is that one alone."""

_RECENTLY_SECONDS = 5.0

log = structlog.get_logger("wamp_bridge.sources")


class Sources:
    """All sources, each with a task that reads its manifest."""

    def __init__(
        self,
        apps: Apps,
        table: Table,
        endpoints: Endpoints,
        store: Store,
        sender: Sender,
        clock: Clock,
    ) -> None:
        self._apps = apps
        self._table = table
        self._endpoints = endpoints
        self._store = store
        self._sender = sender
        self._clock = clock
        self._said_cut_off = False
        self._sources: dict[tuple[str, str], Source] = {}
        self._parked: dict[str, list[SourceRecord]] = {}
        self._announcing = asyncio.Lock()

    @property
    def cut_off(self) -> bool:
        """Whether sources are kept though they are silent, because most are."""
        return any(source.held for source in self._sources.values())

    async def start(self, configured: Iterable[tuple[App, str]]) -> None:
        """Take in the sources that the store kept and those that the configuration names."""
        for record in await self._store.sources():
            self._parked.setdefault(record.app, []).append(record)
        for app in self._apps.by_name.values():
            self.unpark(app)
        for app, url in configured:
            await self.announce(app, url)

    async def close(self) -> None:
        """Stop watching."""
        tasks = [source.task for source in self._sources.values() if source.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for source in self._sources.values():
            self._answer(source, BadSource("The bridge is going down."))

    async def announce(self, app: App, url: str) -> Source:
        """Take a source, or ask one again that is known; its manifest is read at once.

        Raises:
            Unprocessable: The app has as many as it may.
            StoreError: It could not be kept.
        """
        async with self._announcing:  # several workers of an app announce it at once
            source = self._sources.get((app.name, url))
            if source is None:
                self._check_number(app, url)
                source = await self._take(app, url)
        source.hurry()
        return source

    def _check_number(self, app: App, url: str) -> None:
        named = app.config.sources
        announced = [source for source in self.all_of(app) if source.record.url not in named]
        if url not in named and len(announced) >= SOURCES_AN_APP:
            raise Unprocessable(f"An app has at most {SOURCES_AN_APP} sources.")

    async def _take(self, app: App, url: str) -> Source:
        record = SourceRecord(
            id=new_id("src"), app=app.name, url=url, created_at=self._clock.time()
        )
        await self._store.apply(put=[record])
        source = Source(app, record, self._clock)
        self._watch(source)
        log.info("source announced", app=app.name, url=url)
        return source

    async def in_force(self, source: Source) -> None:
        """Wait until the source's manifest, read from now on, is in force.

        Raises:
            BadSource: The source is unreachable, or has no valid manifest.
            SourceTimeout: It answers too late.
        """
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        source.waiters.append(waiter)
        source.asked.set()
        await waiter

    async def withdraw(self, app: App, url: str) -> int:
        """Forget a source and all that it brought; how many endpoints that was."""
        source = self._sources.get((app.name, url))
        if source is None:
            return 0
        if source.task is not None:
            source.task.cancel()
            await asyncio.gather(source.task, return_exceptions=True)
        endpoints = self._endpoints_of(source)
        try:
            await self._forget(source, "it was withdrawn by its app")
        except StoreError:
            self._watch(source)  # it stays, for it could not be taken out
            raise
        self._answer(source, BadSource("The source was withdrawn meanwhile."))
        return len(endpoints)

    async def park(self, app: str) -> None:
        """Ask an app's sources no more, and keep them: the configuration doesn't name the app."""
        sources = [source for source in self._sources.values() if source.record.app == app]
        async with self._endpoints.lock(app):  # none is taking in a manifest meanwhile
            for source in sources:
                del self._sources[source.key]
                if source.task is not None:
                    source.task.cancel()
                    await asyncio.gather(source.task, return_exceptions=True)
        self._parked[app] = [source.record for source in sources]
        for source in sources:
            self._answer(source, BadSource("The bridge does not know this app any more."))

    def unpark(self, app: App) -> None:
        """Ask an app's sources again that were kept."""
        for record in self._parked.pop(app.name, ()):
            self._watch(Source.restored(app, record, self._clock))

    def doubt(self, identifiers: Collection[str]) -> None:
        """Ask sources at once whose apps refuse what is sent to them, and see how others are."""
        doubted = [each for each in self._sources.values() if each.record.id in identifiers]
        for source in doubted:
            source.asked.set()
        if any(source.failures == 0 for source in doubted):
            since = self._clock.monotonic() - _RECENTLY_SECONDS
            others = [
                each
                for each in self._sources.values()
                if each.known and each.asked_at < since and each not in doubted
            ]
            for source in random.sample(others, min(len(others), _OTHERS_ASKED)):
                source.asked.set()

    def recheck(self, identifiers: Collection[str]) -> None:
        """Ask those sources at once that are not live: somebody listens there."""
        for source in self._sources.values():
            if source.record.id in identifiers and source.state != "live":
                source.asked.set()

    def all_of(self, app: App) -> list[Source]:
        """The app's sources, the oldest first."""
        mine = (source for source in self._sources.values() if source.app.name == app.name)
        return sorted(mine, key=attrgetter("record.id"))

    def _watch(self, source: Source) -> None:
        self._sources[source.key] = source
        source.task = lasting(partial(self._run, source), f"source {source.record.id}")

    async def _run(self, source: Source) -> None:
        asked = True
        while self._sources.get(source.key) is source:
            waiters, source.waiters = source.waiters, []
            source.asked.clear()
            began = self._clock.monotonic()
            self._answer_to(waiters, await self._round(source, count_absences=not asked))
            took = self._clock.monotonic() - began
            pause = max(0.0, source.pause(ROUND_SECONDS) - took)
            asked = await self._clock.wait(source.asked, pause)

    async def _round(self, source: Source, *, count_absences: bool) -> Problem | None:
        """Read the manifest once; what was wrong with that.

        Nothing that goes wrong ends the task, or the source would be asked no more and stay what
        it seemed to be.
        """
        try:
            try:
                await self._read(source, count_absences=count_absences)
            except Problem as problem:
                await self._failed(source, problem)
                return problem
        except StoreError as error:
            log.error("source not kept", url=source.record.url, reason=str(error))  # noqa: TRY400
            return BadSource("The bridge's store can't be used now.")
        except Exception:
            log.exception("source not read", app=source.app.name, url=source.record.url)
            return BadSource("The bridge failed to take the manifest in; its log says why.")
        return None

    async def _read(self, source: Source, *, count_absences: bool) -> None:
        manifest = await manifests.read(self._sender, source.app, source.record.url)
        async with self._endpoints.lock(source.app.name):
            # Of an app's manifests one is gone through at a time, and none that is too long.
            room = self._endpoints.room_of(source.app.name, source.record.id)
            wanted = manifests.wanted(manifest, source.app, source.record.url, room)
            put, remove, barred = self._difference(source, wanted, count_absences=count_absences)
            await self._endpoints.replace_source(put, remove)
            changed = self._succeeded(source)
            for identifier, reason in barred.items():
                endpoint = self._table.endpoints[identifier]
                if endpoint.barred != reason:
                    endpoint.barred = reason
                    changed.append(endpoint)
        self._endpoints.changed(changed)
        if source.record.seen_at is None:
            source.record = replace(source.record, seen_at=self._clock.time())
            await self._store.apply(put=[source.record])
        await self._endpoints.settle(self._endpoints_of(source))

    def _difference(
        self, source: Source, wanted: Sequence[Wanted], *, count_absences: bool
    ) -> tuple[list[EndpointRecord], list[Endpoint], dict[str, str | None]]:
        """What to put, what to remove, and for each that stays why it is barred, if it is."""
        known = {
            (e.record.kind, e.record.uri, e.record.match): e for e in self._endpoints_of(source)
        }
        put: list[EndpointRecord] = []
        barred: dict[str, str | None] = {}
        for entry in wanted:
            wished = entry.wish
            endpoint = known.pop((wished.kind, wished.uri, wished.match), None)
            if endpoint is None:
                record = EndpointRecord(
                    id=new_id(PREFIXES[wished.kind]),
                    app=source.app.name,
                    kind=wished.kind,
                    uri=wished.uri,
                    match=wished.match,
                    url=wished.url,
                    source=source.record.id,
                    options=wished.options,
                    created_at=self._clock.time(),
                )
                put.append(record)
            else:
                record = replace(
                    endpoint.record, url=wished.url, options=wished.options, absences=0
                )
                if record != endpoint.record:
                    put.append(record)
                    endpoint.declined = None
            barred[record.id] = entry.barred
        remove: list[Endpoint] = []
        for endpoint in known.values() if count_absences else ():
            if endpoint.record.absences + 1 >= ABSENCES_TO_REMOVE:
                remove.append(endpoint)
            else:
                put.append(replace(endpoint.record, absences=endpoint.record.absences + 1))
        return put, remove, barred

    def _succeeded(self, source: Source) -> list[Endpoint]:
        """Note that a source lives; the endpoints that are back with it."""
        if source.state != "live":
            log.info("source live", app=source.app.name, url=source.record.url)
        source.succeeded()
        self._look_around()
        back = []
        for endpoint in self._endpoints_of(source):
            if endpoint.suspected is not None:
                back.append(endpoint)
            endpoint.suspected = endpoint.withdrawn = None
        return back

    async def _failed(self, source: Source, problem: Problem) -> None:
        before = source.state
        source.failed(problem.detail)
        if source.overdue and source.pardonable and self._is_silence_common(source):
            source.hold()
        elif source.overdue:
            source.give_up()
        self._look_around()
        endpoints = self._endpoints_of(source)
        for endpoint in endpoints:
            endpoint.suspected = source.reason
            endpoint.withdrawn = source.reason if source.state == "withdrawn" else None
        if source.state != before:
            log.warning(
                "source changed",
                state=source.state,
                app=source.app.name,
                url=source.record.url,
                reason=source.reason,
            )
            self._endpoints.changed(endpoints)
        if source.outlived:
            await self._forget(source, "it was withdrawn for a day")

    def _is_silence_common(self, source: Source) -> bool:
        """Whether most of those that were asked since a source fell silent are silent too."""
        asked = [
            each
            for each in self._sources.values()
            if each is source or (each.known and each.asked_at >= source.silent_since)
        ]
        silent = sum(each.failures > 0 for each in asked)
        return silent >= SILENT_TOGETHER and 2 * silent > len(asked)

    def _look_around(self) -> None:
        """Say when the bridge seems to be cut off, and when not any more."""
        if self.cut_off == self._said_cut_off:
            return
        self._said_cut_off = self.cut_off
        if self.cut_off:
            log.error("the bridge may be cut off: most sources are silent, and are kept")
        else:
            log.info("the bridge is not cut off any more")

    async def _forget(self, source: Source, why: str) -> None:
        async with self._endpoints.lock(source.app.name):
            await self._endpoints.replace_source([], self._endpoints_of(source))
        await self._store.apply(delete=[source.record.id])
        self._sources.pop(source.key, None)
        log.info("source forgotten", app=source.app.name, url=source.record.url, reason=why)

    def _endpoints_of(self, source: Source) -> list[Endpoint]:
        return [
            endpoint
            for kind in ("procedure", "topic")
            for endpoint in self._table.of_app(source.app.name, kind)
            if endpoint.record.source == source.record.id
        ]

    def _answer(self, source: Source, problem: Problem | None) -> None:
        waiters, source.waiters = source.waiters, []
        self._answer_to(waiters, problem)

    @staticmethod
    def _answer_to(waiters: Iterable[asyncio.Future[None]], problem: Problem | None) -> None:
        for waiter in waiters:
            if waiter.done():
                continue
            if problem is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(type(problem)(problem.detail))
