"""What the bridge holds for an app, as it tells of it: registrations, subscriptions, sources."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Registration:
    """A procedure that the bridge holds for this app, as the bridge tells of it.

    Attributes:
        id: The bridge's.
        uri: The procedure, or the pattern.
        url: What serves it.
        match: How `uri` matches.
        state: `pending`, `live`, `suspect`, `withdrawn` or `refused`.
        reason: Why it is in this state, where there is something to say.
        since: Unix time when that state began.
        lease_expires_at: Unix time at which it goes unless renewed; None for never.
        options: The rest of what the bridge said: `invoke`, `concurrency`, `timeout`, ...
    """

    id: str
    uri: str
    url: str
    match: str
    state: str
    reason: str | None = None
    since: float | None = None
    lease_expires_at: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subscription:
    """A topic that the bridge follows for this app; its attributes are as a registration's."""

    id: str
    uri: str
    url: str
    match: str
    state: str
    reason: str | None = None
    since: float | None = None
    lease_expires_at: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """A dispatcher that this app announced, as the bridge tells of it."""

    id: str
    url: str
    state: str
    reason: str | None = None
    since: float | None = None
