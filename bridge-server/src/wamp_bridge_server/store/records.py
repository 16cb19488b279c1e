"""What the store keeps, as the rest of the bridge sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["procedure", "topic"]
Match = Literal["exact", "prefix", "wildcard"]
CallStatus = Literal["pending", "succeeded", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRecord:
    """A registration (kind `procedure`) or a subscription (kind `topic`) with its callback URL.

    `source` is the id of the source that it belongs to, None for a plain endpoint. `options` are
    those of its kind (invoke, concurrency, timeout; ordered, concurrency, fanout), JSON values.
    `lease` is in seconds, `lease_expires_at` and `created_at` in Unix seconds; `absences` counts
    the manifests running that did not name it.
    """

    id: str
    app: str
    kind: Kind
    uri: str
    match: Match
    url: str
    source: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    lease: float | None = None
    lease_expires_at: float | None = None
    absences: int = 0
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord:
    """The URL where an app mounted its dispatcher. Times are Unix seconds.

    `seen_at` is when its manifest was last read, None before the first time.
    """

    id: str
    app: str
    url: str
    created_at: float
    seen_at: float | None = None


Record = EndpointRecord | SourceRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """An asynchronous call and, when it has ended, its outcome. Times are Unix seconds.

    `error` is the URI of the WAMP error in which it ended, where it did. `outcome` is JSON,
    `{"args": [...], "kwargs": {...}}`, of the result or of the error.
    """

    id: str
    app: str
    procedure: str
    callback: str | None = None
    status: CallStatus = "pending"
    error: str | None = None
    outcome: bytes | None = None
    created_at: float
    expires_at: float | None = None


DeliveryType = Literal["event", "result", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """One body that must arrive at a callback URL. Times are Unix seconds.

    `id` is its `webhook-id`. `lane` is who gets it: the id of the endpoint that an event is for,
    or the callback URL that an outcome is for. `uri` and `match` are the endpoint's, or the
    procedure and None. `seq`, the order of arrival, is given by the store. `attempts` counts those
    that failed, `due_at` says from when on the next is made, `dead_at` since when it is a dead
    letter.
    """

    id: str
    app: str
    lane: str
    type: DeliveryType
    uri: str
    match: Match | None = None
    body: bytes
    created_at: float
    due_at: float = 0.0
    attempts: int = 0
    last_status: int | None = None
    last_error: str | None = None
    dead_at: float | None = None
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A delivery to be kept; what it brought, where it may come again.

    Of a `publication`, one is kept for each `subscription`: for an endpoint's id where each
    endpoint has its own, or for what stands for all those of which one is to have it.
    """

    delivery: DeliveryRecord
    subscription: str | None = None
    publication: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """A topic whose events are kept in a log, for streams to follow (protocol, section 1).

    All of its events behind `floor`, a `seq`, are kept. `created_at` is in Unix seconds.
    """

    id: str
    app: str
    uri: str
    match: Match
    created_at: float
    floor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """One event of a log. `seq`, the order of arrival, is given by the store.

    `body` is JSON, as streams send it; `created_at` is in Unix seconds.
    """

    log: str
    app: str
    topic: str
    publication: int
    body: bytes
    created_at: float
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAttempt:
    """An attempt of a delivery that failed, and what becomes of it.

    `number` counts from 1. `at` is when it began, in Unix seconds, and `seconds` how long it took;
    `answer` is the beginning of what the app answered. `due_at` is when the next one is made, None
    where there is none: then the delivery is a dead letter.
    """

    delivery: int
    number: int
    at: float
    seconds: float
    status: int | None
    error: str
    answer: bytes | None
    due_at: float | None


@dataclass(frozen=True, slots=True)
class LaneCount:
    """How much waits in a lane: deliveries, and the bytes of their bodies."""

    app: str
    lane: str
    number: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """Which dead letters of an app are meant: those that all that is given holds for.

    `since` (included) and `until` (left out) are Unix seconds of their creation; `error` is a part
    of the last attempt's, in any case of letters.
    """

    app: str
    id: str | None = None
    endpoint: str | None = None
    uri: str | None = None
    since: float | None = None
    until: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A dead letter as it is listed, without its body. Times are Unix seconds, sizes bytes."""

    seq: int
    id: str
    app: str
    lane: str
    type: DeliveryType
    uri: str
    match: Match | None
    size: int
    created_at: float
    dead_at: float
    attempts: int
    last_status: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class DeadLetterGroup:
    """For whom some dead letters were, and how many they are."""

    lane: str
    type: DeliveryType
    uri: str
    match: Match | None
    number: int
