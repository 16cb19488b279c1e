"""Whether somebody listens where callbacks go (protocol, sections 3 and 4).

What is sent tells. A connection that is refused makes a place suspect; one that is cut off or
answered too late is only a reason to look. A place in doubt is probed by a TCP connection each
second: after three failures its plain endpoints are withdrawn, at the first success they are live
again. The sources there are asked for their manifests meanwhile, which decide about them.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import structlog

from wamp_bridge_server.callbacks.probes import CannotTell, Nobody, place_of
from wamp_bridge_server.callbacks.sender import Failure
from wamp_bridge_server.services.source import STEADY_SECONDS
from wamp_bridge_server.tasks import lasting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wamp_bridge_server.callbacks.sender import Sender
    from wamp_bridge_server.clock import Clock
    from wamp_bridge_server.services.endpoints import Endpoints
    from wamp_bridge_server.services.sources import Sources
    from wamp_bridge_server.services.table import Endpoint, Place, State, Table

PROBE_SECONDS = 1.0
FAILURES_TO_WITHDRAW = 3
PROBES_A_SECOND = 200
"""At withdrawn places, all together; where more of them are, each is probed less often."""

_SIGNS = frozenset(
    {Failure.REFUSED, Failure.UNRESOLVED, Failure.UNREACHABLE, Failure.CUT, Failure.LATE}
)

_SILENT = "it gave no answer before the bridge was started"

log = structlog.get_logger("wamp_bridge.liveness")


@dataclass(slots=True, eq=False)
class _Trouble:
    """A place where something went wrong, until all has been well there for a while."""

    place: Place
    state: State = "live"
    reason: str = ""
    failures: int = 0
    returned_at: float = -math.inf
    doubted: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Liveness:
    """Watches the places where something went wrong, each in a task of its own."""

    def __init__(
        self, table: Table, endpoints: Endpoints, sources: Sources, sender: Sender, clock: Clock
    ) -> None:
        self._table = table
        self._endpoints = endpoints
        self._sources = sources
        self._sender = sender
        self._clock = clock
        self._troubles: dict[Place, _Trouble] = {}
        self._withdrawn = 0
        self._closed = False

    def doubt(self, lanes: Iterable[tuple[str, str]]) -> None:
        """Look whether those are there that gave no answer before the bridge was started.

        What failed then is due at once when they are seen, as it is when they were seen to go.

        Args:
            lanes: The app and the id of each.
        """
        for app, lane in lanes:
            endpoint = self._table.endpoints.get(lane)
            if endpoint is None or endpoint.app != app or endpoint.resting:
                continue
            if endpoint.plain:
                trouble = self._troubles.get(endpoint.place) or self._watch(endpoint.place)
                self._become(trouble, "suspect", _SILENT)
            elif endpoint.record.source is not None:
                endpoint.suspected = _SILENT  # until its manifest is read
            endpoint.rested = True

    async def close(self) -> None:
        """Stop watching."""
        self._closed = True
        tasks = [trouble.task for trouble in self._troubles.values() if trouble.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def failed(self, app: str, url: str, failure: Failure) -> None:
        """Take note of a POST that got no answer.

        Those that get one tell nothing: they may have begun before the app stopped listening.
        """
        if self._closed or failure not in _SIGNS:
            return
        place = (app, *place_of(url))
        trouble = self._troubles.get(place)
        if trouble is None:
            if not any(each.url == url for each in self._concerned(place)):
                return  # a manifest, or the outcome of a call
            trouble = self._watch(place)
        if failure is Failure.REFUSED and trouble.state == "live":
            self._become(trouble, "suspect", failure.value)
        trouble.doubted.set()

    def _concerned(self, place: Place) -> list[Endpoint]:
        """The endpoints there that are sent to, and have no lease that would tell."""
        return [
            each
            for each in self._table.at(place)
            if each.record.lease is None and each.barred is None and not each.group.gone
        ]

    def _watch(self, place: Place) -> _Trouble:
        trouble = self._troubles[place] = _Trouble(place)
        name = f"liveness of {place[0]} at {place[1]}:{place[2]}"
        trouble.task = lasting(partial(self._run, trouble), name)
        return trouble

    async def _run(self, trouble: _Trouble) -> None:
        while trouble.state != "live" or await self._clock.wait(trouble.doubted, STEADY_SECONDS):
            trouble.doubted.clear()
            if trouble.state == "live":  # as far as anybody knows
                await self._probe(trouble)
            while trouble.state != "live":
                await self._clock.sleep(self._pause(trouble))
                await self._probe(trouble)
            await self._clock.sleep(PROBE_SECONDS)  # however many doubt it
        del self._troubles[trouble.place]

    def _pause(self, trouble: _Trouble) -> float:
        if trouble.state != "withdrawn":
            return PROBE_SECONDS
        return max(PROBE_SECONDS, self._withdrawn / PROBES_A_SECOND)

    async def _probe(self, trouble: _Trouble) -> None:
        if not self._concerned(trouble.place):
            self._is_back(trouble)  # it is nobody's any more
            return
        try:
            await self._sender.probe(*trouble.place, within=PROBE_SECONDS)
        except CannotTell as error:
            log.warning("can't probe", place=_named(trouble.place), reason=str(error))
        except Nobody as error:
            self._failed(trouble, str(error))
        else:
            self._is_back(trouble)

    def _failed(self, trouble: _Trouble, reason: str) -> None:
        trouble.failures += 1
        if trouble.failures <= FAILURES_TO_WITHDRAW:
            self._sources.doubt(self._sources_at(trouble.place))
        long_enough = self._clock.monotonic() - trouble.returned_at >= STEADY_SECONDS
        gone = trouble.failures >= FAILURES_TO_WITHDRAW and long_enough
        given_up = trouble.state == "withdrawn" or (gone and not self._sources.cut_off)
        self._become(trouble, "withdrawn" if given_up else "suspect", reason)

    def _is_back(self, trouble: _Trouble) -> None:
        trouble.failures = 0
        if trouble.state == "live":
            return
        if trouble.state == "withdrawn":
            trouble.returned_at = self._clock.monotonic()
        self._become(trouble, "live", "")
        self._sources.recheck(self._sources_at(trouble.place))

    def _become(self, trouble: _Trouble, state: State, reason: str) -> None:
        before, trouble.state, trouble.reason = trouble.state, state, reason
        changed = self._mark(trouble)
        self._endpoints.changed(changed)
        if state != before:
            self._withdrawn += (state == "withdrawn") - (before == "withdrawn")
            (log.info if state == "live" else log.warning)(
                "place changed",
                app=trouble.place[0],
                place=_named(trouble.place),
                state=state,
                reason=reason or None,
                endpoints=len(changed),
            )

    def _mark(self, trouble: _Trouble) -> list[Endpoint]:
        """Have the plain endpoints there be as the place is; those that changed by it."""
        changed = []
        for endpoint in self._table.at(trouble.place):
            if endpoint.record.source is not None:
                continue
            bad = trouble.state != "live" and endpoint.plain
            suspected = trouble.reason if bad else None
            withdrawn = suspected if trouble.state == "withdrawn" else None
            if (endpoint.suspected is None) != (suspected is None) or (
                endpoint.withdrawn is None
            ) != (withdrawn is None):
                changed.append(endpoint)
            endpoint.suspected, endpoint.withdrawn = suspected, withdrawn
        return changed

    def _sources_at(self, place: Place) -> set[str]:
        sources = (endpoint.record.source for endpoint in self._table.at(place))
        return {source for source in sources if source is not None}


def _named(place: Place) -> str:
    _, host, port = place
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
