"""The endpoints of all apps in memory, grouped as the network sees them.

An app holds a URI once there, however many URLs serve it, or streams follow it: they form a
`Group`, behind one REGISTER or one SUBSCRIBE. What is wanted of a group is derived from its
endpoints and its log; what the router holds of it is noted by the reconciler alone.
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal

from wamp_bridge_server.callbacks.probes import place_of
from wamp_bridge_server.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wamp_bridge_server.backends.base import Event, Invoke, Match
    from wamp_bridge_server.store.records import EndpointRecord, Kind, LogRecord

State = Literal["pending", "live", "suspect", "withdrawn", "refused"]
Key = tuple[str, "Kind", str, "Match"]
Place = tuple[str, str, int]
"""Where callbacks of an app are dialled: the app, the host and the port."""

DEFAULT_CONCURRENCY = 10
DEFAULT_INVOCATIONS = 1_000
GONE = "the configuration does not name the app any more"


def key_of(record: EndpointRecord) -> Key:
    """The group that a record belongs to."""
    return record.app, record.kind, record.uri, record.match


@dataclass(slots=True, eq=False)
class Endpoint:
    """A record with what is known of it at run time.

    Also a `callbacks.recipients.Recipient` and a `callbacks.invocations.Callee`.

    `suspected`, `withdrawn`, `declined` and `barred` are reasons: why its app may be gone, why it
    is taken for gone, how it said that it wants nothing more of this, why it may not be held.
    `noted` is the state that it was last seen in, `since` the Unix time when that began; `rested`
    says whether its deliveries waited then. `retained` is whether the event that the router retains
    is to be asked for, or was; None where there is nothing to come any more.
    """

    record: EndpointRecord
    group: Group
    place: Place
    since: float
    suspected: str | None = None
    withdrawn: str | None = None
    declined: str | None = None
    barred: str | None = None
    busy: int = 0
    noted: State = "pending"
    rested: bool = False
    retained: Literal["due", "asked"] | None = None

    @property
    def lane(self) -> str:
        """Its id."""
        return self.record.id

    @property
    def subscription(self) -> str:
        """What gets a publication once: itself, or all of those of which one gets it."""
        return self.record.id if self.alone else "\n".join(self.group.key)

    @property
    def alone(self) -> bool:
        """Whether it gets each event of its own; else, one of its like gets it."""
        return self.record.source is None or bool(self.record.options.get("fanout"))

    @property
    def app(self) -> str:
        """The app that owns it."""
        return self.record.app

    @property
    def url(self) -> str:
        """Its callback URL."""
        return self.record.url

    @property
    def resting(self) -> bool:
        """Whether its deliveries wait."""
        return self.down is not None or self.barred is not None

    @property
    def down(self) -> str | None:
        """Why it is withdrawn, where it is."""
        return GONE if self.group.gone else self.declined or self.withdrawn

    @property
    def ordered(self) -> bool:
        """Whether its events go one at a time, in order."""
        return bool(self.record.options.get("ordered"))

    @property
    def concurrency(self) -> int:
        """How many events go to it at once."""
        return int(self.record.options.get("concurrency") or DEFAULT_CONCURRENCY)

    @property
    def timeout(self) -> float | None:
        """Seconds that its registration allows for a call; None where it says nothing."""
        return self.record.options.get("timeout")

    @property
    def has_room(self) -> bool:
        """Whether it serves fewer calls now than its registration, or the bridge, allows."""
        return self.busy < int(self.record.options.get("concurrency") or DEFAULT_INVOCATIONS)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """While it serves a call."""
        self.busy += 1
        try:
            yield
        finally:
            self.busy -= 1

    @property
    def up(self) -> bool:
        """Whether it can serve."""
        return not self.resting

    @property
    def state(self) -> tuple[State, str | None]:
        """Its state (protocol, section 1) and the reason for it."""
        if self.barred is not None:
            return "refused", self.barred
        if self.down is not None:
            return "withdrawn", self.down
        if self.group.refusal is not None:
            return "refused", self.group.refusal
        if self.group.held is None:
            return "pending", self.group.delay or "the router does not hold it yet"
        if self.suspected is not None:
            return "suspect", self.suspected
        return "live", None

    @property
    def plain(self) -> bool:
        """Whether nothing but what is sent to it tells that it is there."""
        return self.record.source is None and self.record.lease is None

    def described(self) -> dict[str, Any]:
        """Itself as answers show it (protocol, section 1)."""
        state, reason = self.state
        return {
            "id": self.record.id,
            "uri": self.record.uri,
            "url": self.record.url,
            "match": self.record.match,
            "state": state,
            "reason": reason,
            "since": self.since,
            **self.record.options,
            "source": self.record.source,
            "lease_expires_at": self.record.lease_expires_at,
        }


@dataclass(slots=True, eq=False)
class Group:
    """The endpoints of one app for one URI and match.

    `held` is the router's id for it, `held_as` the policy it was registered with, `delay`
    why the router can't be asked, `refusal` why
    the router would not have it, `conflict` whether because another holds it; while `matching`,
    the router is being asked. `gone`: the configuration doesn't name the app. `held_back` has the
    events that came while a gap before them is being filled; None where none is. `log` is where
    its events are kept for streams; None where no stream follows it, or comes back to it.
    """

    app: str
    kind: Kind
    uri: str
    match: Match
    endpoints: list[Endpoint] = field(default_factory=list)
    held: int | None = None
    held_as: Invoke = "single"
    delay: str | None = None
    refusal: str | None = None
    conflict: bool = False
    matching: bool = False
    gone: bool = False
    held_back: list[Event] | None = None
    log: LogRecord | None = None
    turn: int = 0

    @property
    def key(self) -> Key:
        """What tells this group from every other."""
        return self.app, self.kind, self.uri, self.match

    @property
    def invoke(self) -> Invoke:
        """The policy to register with: the newest that has several serve, else `single`."""
        for endpoint in reversed(self.endpoints):
            policy: Invoke = endpoint.record.options.get("invoke", "single")
            if policy != "single":
                return policy
        return "single"

    @property
    def wanted(self) -> bool:
        """Whether the router should hold it.

        A procedure that nobody serves is given back, so that others take over; a topic's events go
        on being kept for who comes back.
        """
        if self.gone:
            return False
        if self.kind == "procedure":
            return any(endpoint.up for endpoint in self.endpoints)
        return self.log is not None or any(e.barred is None for e in self.endpoints)

    def with_retained(self, state: Literal["due", "asked"]) -> list[Endpoint]:
        """The endpoints whose retained event is to be asked for, or was."""
        return [e for e in self.endpoints if e.retained == state and e.barred is None]

    def was_wanted(self, before: float) -> bool:
        """Whether any of those that it is for was there before a Unix time in seconds."""
        made = [endpoint.record.created_at for endpoint in self.endpoints]
        if self.log is not None:
            made.append(self.log.created_at)
        return any(at < before for at in made)

    def callees(self) -> list[Endpoint]:
        """The endpoints for the next invocation, by the policy, each in case those before can't.

        Those whose app may be gone come last.
        """
        return sorted(self._in_turn(), key=lambda endpoint: endpoint.suspected is not None)

    def _in_turn(self) -> list[Endpoint]:
        up = [endpoint for endpoint in self.endpoints if endpoint.up]
        if len(up) <= 1:
            return up
        match self.invoke:
            case "first":
                return up
            case "last":
                return up[::-1]
            case "random":
                random.shuffle(up)
                return up
            case _:
                self.turn += 1
                at = self.turn % len(up)
                return up[at:] + up[:at]

    def recipients(self) -> list[Endpoint]:
        """Who gets the next event.

        Each plain endpoint; of the sources those that fan out, and one of the others: a live one
        in turn or, where none is, one for which the event is kept.
        """
        chosen: list[Endpoint] = []
        replicas: list[Endpoint] = []
        for endpoint in self.endpoints:
            if endpoint.barred is not None:
                continue
            if endpoint.alone:
                chosen.append(endpoint)
            else:
                replicas.append(endpoint)
        if replicas:
            live = [endpoint for endpoint in replicas if endpoint.up] or replicas
            self.turn += 1
            chosen.append(live[self.turn % len(live)])
        return chosen


class Table:
    """All endpoints, by id and by group."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self.groups: dict[Key, Group] = {}
        self.endpoints: dict[str, Endpoint] = {}
        self.leased: dict[str, Endpoint] = {}
        self._by_app: dict[str, dict[str, Endpoint]] = {}
        self._groups_by_app: dict[str, dict[Key, Group]] = {}
        self._by_uri: dict[tuple[Kind, str, Match], dict[str, Group]] = {}
        self._by_place: dict[Place, dict[str, Endpoint]] = {}
        self._gone: set[str] = set()

    def put(self, record: EndpointRecord) -> Endpoint:
        """Take a record in, or replace the one with its id; which keeps its state and place."""
        endpoint = self.endpoints.get(record.id) or self._new(record)
        endpoint.record = record
        self._settle_at(endpoint, (record.app, *place_of(record.url)))
        if record.lease is not None:
            self.leased[record.id] = endpoint
        else:
            self.leased.pop(record.id, None)
        return endpoint

    def _new(self, record: EndpointRecord) -> Endpoint:
        group = self._group(key_of(record))
        endpoint = Endpoint(record, group, (record.app, "", 0), self._clock.time())
        group.endpoints.append(endpoint)
        self.endpoints[record.id] = endpoint
        self._by_app.setdefault(record.app, {})[record.id] = endpoint
        return endpoint

    def _group(self, key: Key) -> Group:
        group = self.groups.get(key)
        if group is None:
            group = self.groups[key] = Group(*key, gone=key[0] in self._gone)
            self._groups_by_app.setdefault(key[0], {})[key] = group
            self._by_uri.setdefault(key[1:], {})[key[0]] = group
        return group

    def follow(self, log: LogRecord) -> Group:
        """Have the events of a topic kept in a log."""
        group = self._group((log.app, "topic", log.uri, log.match))
        group.log = log
        return group

    def _settle_at(self, endpoint: Endpoint, place: Place) -> None:
        self._leave(endpoint)
        endpoint.place = place
        self._by_place.setdefault(place, {})[endpoint.record.id] = endpoint

    def _leave(self, endpoint: Endpoint) -> None:
        there = self._by_place.get(endpoint.place, {})
        there.pop(endpoint.record.id, None)
        if not there:
            self._by_place.pop(endpoint.place, None)

    def remove(self, endpoint: Endpoint) -> None:
        """Take an endpoint out. Its group stays until the router holds nothing of it."""
        if self.endpoints.pop(endpoint.record.id, None) is None:
            return
        self.leased.pop(endpoint.record.id, None)
        self._leave(endpoint)
        self._by_app[endpoint.app].pop(endpoint.record.id)
        endpoint.group.endpoints.remove(endpoint)
        self.forget_if_empty(endpoint.group)

    def forget_if_empty(self, group: Group) -> None:
        """Let go of a group that is for nobody and that the router has nothing of."""
        if group.endpoints or group.log or group.held is not None or group.matching:
            return
        if self.groups.get(group.key) is group:  # and no other that came after it
            del self.groups[group.key]
            self._groups_by_app[group.app].pop(group.key)
            self._by_uri[group.key[1:]].pop(group.app)

    def set_gone(self, app: str, *, gone: bool) -> None:
        """Note whether the configuration doesn't name an app."""
        (self._gone.add if gone else self._gone.discard)(app)
        for group in self.groups_of(app):
            group.gone = gone

    def note(self, group: Group) -> None:
        """Note since when the endpoints of a group are in the state that they are in."""
        for endpoint in group.endpoints:
            state, _ = endpoint.state
            if state != endpoint.noted:
                endpoint.noted, endpoint.since = state, self._clock.time()

    def at(self, place: Place) -> list[Endpoint]:
        """The endpoints whose callbacks are dialled at a place."""
        return list(self._by_place.get(place, {}).values())

    def of_app(self, app: str, kind: Kind) -> list[Endpoint]:
        """An app's endpoints of one kind, the oldest first."""
        return sorted(
            (e for e in self._by_app.get(app, {}).values() if e.record.kind == kind),
            key=attrgetter("record.id"),
        )

    def groups_of(self, app: str) -> Iterable[Group]:
        """An app's groups, those included that are held at the router and no longer wanted."""
        return self._groups_by_app.get(app, {}).values()

    def other_holders(self, app: str, uri: str, match: Match) -> Iterable[Group]:
        """The groups in which other apps of this bridge serve a procedure."""
        holders = self._by_uri.get(("procedure", uri, match), {})
        return [group for holder, group in holders.items() if holder != app and group.wanted]
