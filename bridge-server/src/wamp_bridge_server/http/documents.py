"""The bodies of the answers (protocol, section 1), as types from which their schemas are made.

A member with a default may be left out.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from wamp_bridge_server.backends.base import Invoke, Match
from wamp_bridge_server.services.table import State
from wamp_bridge_server.store.records import CallStatus, DeliveryType

Time = Annotated[float, Meta(description="Unix time in seconds.")]
Count = Annotated[int, Meta(description="A number of things.", extra_json_schema={"minimum": 0})]
Cursor = Annotated[str | None, Meta(description="Gets the next page; null where there is none.")]
Arguments = Annotated[list[Any], Meta(description="WAMP's positional arguments.")]
Keywords = Annotated[dict[str, Any], Meta(description="WAMP's keyword arguments.")]


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    """The body of an answer."""


class Problem(_Document):
    """A problem (RFC 9457). Where WAMP gave an error, its URI with args and kwargs."""

    type: Literal["about:blank"]
    title: Annotated[str, Meta(description="The status in words.")]
    status: Annotated[int, Meta(description="The HTTP status.")]
    detail: Annotated[str, Meta(description="What is wrong, for a person.")]
    request_id: Annotated[str, Meta(description="Stands in the bridge's log, too.")]
    error: Annotated[str, Meta(description="The URI of the WAMP error.")] | UnsetType = UNSET
    args: Arguments | UnsetType = UNSET
    kwargs: Keywords | UnsetType = UNSET


class _Entry(_Document):
    id: str
    uri: Annotated[str, Meta(description="The WAMP URI, or pattern.")]
    url: Annotated[str, Meta(description="The callback URL.")]
    match: Match
    state: Annotated[
        State, Meta(description="How it stands; only what is live or suspect is served.")
    ]
    reason: Annotated[str | None, Meta(description="Why it isn't live.")]
    since: Time
    source: Annotated[str | None, Meta(description="The id of the source that brought it.")]
    lease_expires_at: Annotated[
        float | None, Meta(description="Unix time in seconds; null where it stays.")
    ]
    concurrency: int | UnsetType = UNSET
    timeout: float | UnsetType = UNSET


class RegistrationEntry(_Entry):
    """A registration of the app."""

    invoke: Invoke | UnsetType = UNSET


class SubscriptionEntry(_Entry):
    """A subscription of the app."""

    ordered: bool | UnsetType = UNSET
    get_retained: bool | UnsetType = UNSET
    fanout: bool | UnsetType = UNSET
    schedule: list[float] | UnsetType = UNSET
    dead_letters: float | UnsetType = UNSET


class Registrations(_Document):
    """Registrations."""

    registrations: list[RegistrationEntry]


class Subscriptions(_Document):
    """Subscriptions."""

    subscriptions: list[SubscriptionEntry]


class RegistrationPage(Registrations):
    """A page of registrations."""

    cursor: Cursor


class SubscriptionPage(Subscriptions):
    """A page of subscriptions."""

    cursor: Cursor


class Unregistered(_Document):
    """The URIs that were taken back, and those that were not there."""

    unregistered: list[str]
    unknown: list[str]


class Unsubscribed(_Document):
    """The URIs that were taken back, and those that were not there."""

    unsubscribed: list[str]
    unknown: list[str]


class Renewed(_Document):
    """How many leases were renewed."""

    renewed: Count


class Result(_Document):
    """The result of a call."""

    result: Annotated[
        Any, Meta(description="The one positional result; the list of several; null for none.")
    ]
    args: Arguments
    kwargs: Keywords


class PendingCall(_Document):
    """A call that is made without being waited for."""

    id: str
    status: Literal["pending"]


class CallEntry(_Document):
    """An asynchronous call, with its outcome once it has ended."""

    id: str
    status: CallStatus
    result: Annotated[Any, Meta(description="Of a call that succeeded.")] | UnsetType = UNSET
    args: Arguments | UnsetType = UNSET
    kwargs: Keywords | UnsetType = UNSET
    error: Annotated[str, Meta(description="The WAMP error's URI.")] | UnsetType = UNSET
    error_status: Annotated[int, Meta(description="The HTTP status of the error.")] | UnsetType = (
        UNSET
    )


class PublishedOne(_Document):
    """What became of one of several events: its publication, or its problem."""

    publication: (
        Annotated[int | None, Meta(description="The router's id, where it was asked to say it.")]
        | UnsetType
    ) = UNSET
    type: Literal["about:blank"] | UnsetType = UNSET
    title: str | UnsetType = UNSET
    status: int | UnsetType = UNSET
    detail: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
    args: Arguments | UnsetType = UNSET
    kwargs: Keywords | UnsetType = UNSET


class Published(_Document):
    """A publication; or what became of several."""

    publication: Annotated[int, Meta(description="The router's id.")] | UnsetType = UNSET
    events: (
        Annotated[list[PublishedOne], Meta(description="In the order of the request.")] | UnsetType
    ) = UNSET


class SignedUrl(_Document):
    """A URL by which a browser follows a topic."""

    url: str
    expires_at: Annotated[int, Meta(description="Unix time in seconds.")]


class SourceEntry(_Document):
    """A dispatcher of the app."""

    id: str
    url: str
    state: State
    reason: str | None
    since: Time


class Announced(_Document):
    """The source that was announced."""

    source: SourceEntry


class Withdrawn(_Document):
    """How many endpoints went with the source."""

    withdrawn: Count


class SourcePage(_Document):
    """A page of sources."""

    sources: list[SourceEntry]
    cursor: Cursor


class _Letter(_Document):
    id: str
    endpoint: Annotated[str | None, Meta(description="The subscription that an event was for.")]
    callback: Annotated[str | None, Meta(description="The URL that an outcome was for.")]
    uri: str
    type: DeliveryType
    created_at: Time
    dead_at: Time
    size: Annotated[int, Meta(description="Bytes of its body.")]
    attempts: Count
    last_status: Annotated[int | None, Meta(description="Of the last answer, where there was one.")]
    error: Annotated[str | None, Meta(description="What went wrong the last time.")]


class DeadLetterEntry(_Letter):
    """A delivery that was given up."""


class Failure(_Document):
    """An attempt that failed."""

    attempt: int
    at: Time
    seconds: Annotated[float, Meta(description="How long it took.")]
    status: int | None
    error: str
    answer: Annotated[str | None, Meta(description="The first kilobyte of it.")]


class DeadLetterReport(_Letter):
    """A delivery that was given up, and how."""

    failures: list[Failure]


class DeadLetterPage(_Document):
    """A page of dead letters, the oldest first."""

    dead_letters: list[DeadLetterEntry]
    cursor: Cursor
    total: (
        Annotated[int, Meta(description="How many there are in all; on the first page.")]
        | UnsetType
    ) = UNSET


class Replayed(_Document):
    """How many wait again."""

    replayed: Count


class ReplayedSome(Replayed):
    """How many wait again, and how many have nowhere to go."""

    left: Count


class Deleted(_Document):
    """How many were deleted."""

    deleted: Count


class Live(_Document):
    """That the process serves."""

    status: Literal["live"]


class Report(_Document):
    """How the bridge is."""

    status: Literal["ready", "not ready"]
    router: Literal["joined", "away"]
    realms: dict[str, Literal["joined", "away"]]
    store: Literal["working", "failing"]
    phase: Literal["starting", "serving", "stopping"]
    endpoints: Count
    cut_off: Annotated[
        bool, Meta(description="No source can be reached: the fault is likely the bridge's own.")
    ]
    streams: Count
    deliveries_waiting: Count
    dead_letters: Count
    events_refused: Count


class _Held(_Document):
    id: Annotated[int, Meta(description="The router's id.")]
    uri: str
    match: Match
    created_at: Annotated[float | None, Meta(description="Unix time; null where it isn't told.")]


class ProcedureEntry(_Held):
    """A procedure at the router."""

    invoke: Annotated[str | None, Meta(description="Which of several callees serves a call.")]
    callees: Annotated[int | None, Meta(description="How many; null where it isn't told.")]


class TopicEntry(_Held):
    """A topic at the router that has subscribers."""

    subscribers: Annotated[int | None, Meta(description="How many; null where it isn't told.")]


class ProcedurePage(_Document):
    """A page of procedures."""

    procedures: list[ProcedureEntry]
    cursor: Cursor


class TopicPage(_Document):
    """A page of topics."""

    topics: list[TopicEntry]
    cursor: Cursor


class Publisher(_Document):
    """Who published, as far as that is disclosed."""

    publisher: Annotated[int, Meta(description="WAMP session id.")] | UnsetType = UNSET
    publisher_authid: str | UnsetType = UNSET
    publisher_authrole: str | UnsetType = UNSET


class PastEvent(_Document):
    """An event that was published."""

    publication: Annotated[int, Meta(description="The router's id.")]
    topic: str
    published_at: Time
    details: Publisher
    args: Arguments
    kwargs: Keywords
    unreadable: Annotated[str, Meta(description="Why its values aren't told.")] | UnsetType = UNSET


class History(_Document):
    """Past events, the newest first."""

    events: list[PastEvent]


class CrossbarResult(_Document):
    """A call's result as Crossbar.io's HTTP bridge gives it, or the WAMP error."""

    args: Arguments | UnsetType = UNSET
    kwargs: Keywords | UnsetType = UNSET
    error: Annotated[str, Meta(description="The WAMP error's URI.")] | UnsetType = UNSET


class CrossbarPublished(_Document):
    """A publication as Crossbar.io's HTTP bridge answers it, or the WAMP error."""

    id: Annotated[int | None, Meta(description="The router's id.")] | UnsetType = UNSET
    args: Arguments | UnsetType = UNSET
    kwargs: Keywords | UnsetType = UNSET
    error: Annotated[str, Meta(description="The WAMP error's URI.")] | UnsetType = UNSET


class CrossbarProblem(_Document):
    """What was wrong with a request, as Crossbar.io's HTTP bridge says it."""

    error: Annotated[str, Meta(description="What is wrong, for a person.")]
    args: list[Any]
    kwargs: dict[str, Any]
