"""What was promised and what arrived, kept by one who stands outside and outlives every part."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Arrival:
    """A delivery that reached the app, as the app wrote it down before it answered."""

    lane: str
    message: str
    """Its `webhook-id`."""
    about: int | str
    """The publication, or the call, that it is of."""
    number: int | None
    """What the publisher counted, in an event."""

    def line(self) -> str:
        """As a line of the app's book."""
        return json.dumps([self.lane, self.message, self.about, self.number])


class Book:
    """Arrivals in a file, in their order; what is written there outlives who wrote it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, arrival: Arrival) -> None:
        """Write one down."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(arrival.line() + "\n")

    def __iter__(self) -> Iterator[Arrival]:
        """Read them all, but a line that a killed writer didn't end."""
        if not self._path.exists():
            return
        for line in self._path.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):
                yield Arrival(*json.loads(line))


@dataclass
class Reckoning:
    """What came of it all."""

    published: int = 0
    """Events that the router acknowledged while the bridge was subscribed; each lane's count."""
    committed: int = 0
    """Events that the bridge put into its store."""
    uncommitted: int = 0
    """Of those published, the ones that the bridge died, or was cut off, before it stored."""
    accepted: int = 0
    """Calls that were answered 202."""
    arrived: int = 0
    """Different events and outcomes that reached the app."""
    repeated: int = 0
    """Arrivals of what was there already, under the same `webhook-id`."""
    rewound: int = 0
    """Of those in order, repetitions that came after a later one."""
    lost_events: list[str] = field(default_factory=list)
    """Committed, and never arrived."""
    lost_calls: list[str] = field(default_factory=list)
    """Answered 202, and the outcome never arrived."""
    renamed: list[str] = field(default_factory=list)
    """What arrived under more than one `webhook-id`."""
    disordered: list[str] = field(default_factory=list)
    """What came after a later one for the first time, in order."""
    called_twice: list[int] = field(default_factory=list)
    """Calls that were made more than once."""

    @property
    def owed(self) -> int:
        """How many events and outcomes must still arrive."""
        return len(self.lost_events) + len(self.lost_calls)

    @property
    def faults(self) -> dict[str, int]:
        """How many of each kind there must be none of."""
        return {
            name: len(found)
            for name in ("lost_events", "lost_calls", "renamed", "disordered", "called_twice")
            if (found := getattr(self, name))
        }


class Ledger:
    """Told of each promise when it is made; reckons in the end.

    Args:
        ordered: The lanes whose events come in order.
    """

    def __init__(self, ordered: Iterable[str] = ()) -> None:
        self._ordered = frozenset(ordered)
        self.publications: dict[str, dict[int, int]] = defaultdict(dict)
        """By lane, the publications that the router acknowledged, with their numbers."""
        self.unheard: set[int] = set()
        """Publications made while nobody was subscribed for sure."""
        self.accepted: list[str] = []
        """Calls that were answered 202, in this order."""
        self.made: Counter[int] = Counter()
        """How often the callee was asked for each call, by its number."""

    def published(self, lane: str, number: int, publication: int, *, heard: bool) -> None:
        """The router has acknowledged a publication."""
        self.publications[lane][publication] = number
        if not heard:
            self.unheard.add(publication)

    def reckon(self, arrivals: Iterable[Arrival], committed: Mapping[str, set[int]]) -> Reckoning:
        """Hold what arrived against what was promised.

        Args:
            arrivals: In their order.
            committed: By lane, the publications that were put into the bridge's store.
        """
        result = Reckoning(accepted=len(self.accepted))
        came: defaultdict[str, _Lane] = defaultdict(_Lane)
        for arrival in arrivals:
            came[arrival.lane].take(arrival, result, ordered=arrival.lane in self._ordered)
        for lane, known in self.publications.items():
            heard, promised = known.keys() - self.unheard, committed.get(lane, set())
            missing = sorted(promised - came[lane].messages.keys())
            result.published += len(heard)
            result.committed += len(promised)
            result.uncommitted += len(heard - promised)
            result.lost_events += [f"{lane} {known.get(each, each)}" for each in missing]
        outcomes = {about for lane in came.values() for about in lane.messages}
        result.lost_calls = [call for call in self.accepted if call not in outcomes]
        result.called_twice = sorted(number for number, times in self.made.items() if times > 1)
        return result


class _Lane:
    """What has arrived for one recipient so far."""

    def __init__(self) -> None:
        self.messages: dict[int | str, str] = {}
        self._highest = -1

    def take(self, arrival: Arrival, result: Reckoning, *, ordered: bool) -> None:
        """Count an arrival for what it is."""
        number = arrival.number if arrival.number is not None else -1
        late = ordered and number < self._highest
        self._highest = max(self._highest, number)
        name = f"{arrival.lane} {arrival.about if arrival.number is None else number}"
        known = self.messages.get(arrival.about)
        if known is None:
            self.messages[arrival.about] = arrival.message
            result.arrived += 1
            result.disordered += [name] * late
        elif known == arrival.message:
            result.repeated += 1
            result.rewound += late
        else:
            result.renamed.append(name)
