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
