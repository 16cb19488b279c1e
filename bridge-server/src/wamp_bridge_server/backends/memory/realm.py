"""What the sessions of a memory backend share: who registered and subscribed what."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from wamp_bridge_server.backends.base import WampError
from wamp_bridge_server.backends.memory.matching import Patterns
from wamp_bridge_server.backends.values import GREATEST_ID
from wamp_bridge_server.errors import (
    ALREADY_SUBSCRIBED,
    INVALID_URI,
    NO_SUCH_PROCEDURE,
    NO_SUCH_REGISTRATION,
    NO_SUCH_SUBSCRIPTION,
    OTHER_POLICY,
    PROCEDURE_EXISTS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wamp_bridge_server.backends.base import Invoke, Match

RESERVED: Final = "wamp."


@dataclass(frozen=True, slots=True)
class Party:
    """A session, as the others know it. The authid of an app is its name."""

    session: int
    app: str
    authrole: str = "app"

    @property
    def authid(self) -> str:
        """As whom it joined."""
        return self.app


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class Registration:
    """A procedure and those who serve it, in the order in which they came."""

    id: int
    uri: str
    match: Match
    invoke: Invoke
    callees: list[Party] = field(default_factory=list)
    turn: int = 0
    created: str = field(default_factory=_now)

    def choose(self) -> Party:
        """Whose turn it is to serve a call."""
        if self.invoke == "roundrobin":
            self.turn += 1
            return self.callees[(self.turn - 1) % len(self.callees)]
        if self.invoke == "random":
            return random.choice(self.callees)  # noqa: S311 - no secret
        return self.callees[-1 if self.invoke == "last" else 0]


@dataclass(slots=True)
class Subscription:
    """A topic and those who subscribed to it."""

    id: int
    uri: str
    match: Match
    subscribers: list[Party] = field(default_factory=list)
    created: str = field(default_factory=_now)


def new_id() -> int:
    """Draw an id of WAMP's global scope."""
    return random.randint(1, GREATEST_ID)  # noqa: S311 - no secret


class Realm:
    """The registrations and subscriptions of all sessions."""

    def __init__(self) -> None:
        self.procedures: Patterns[Registration] = Patterns()
        self.topics: Patterns[Subscription] = Patterns()
        self.registrations: dict[int, Registration] = {}
        self.subscriptions: dict[int, Subscription] = {}

    def register(self, party: Party, uri: str, match: Match, invoke: Invoke) -> int:
        """Let a session serve a procedure; the registration's id. Raises `WampError`."""
        check_not_reserved(uri)
        held = self.procedures.get(uri, match)
        if held is None:
            held = Registration(new_id(), uri, match, invoke)
            self.procedures.put(uri, match, held)
            self.registrations[held.id] = held
        elif held.invoke == "single" or party in held.callees:
            raise WampError(PROCEDURE_EXISTS, [f"{uri} is registered already."])
        elif held.invoke != invoke:
            text = f"{uri} is registered already, with invoke {held.invoke}."
            raise WampError(OTHER_POLICY, [text])
        held.callees.append(party)
        return held.id

    def unregister(self, party: Party, registration: int) -> None:
        """Take it back. Raises `WampError`."""
        held = self.registrations.get(registration)
        if held is None or party not in held.callees:
            raise WampError(NO_SUCH_REGISTRATION, [f"There is no registration {registration}."])
        held.callees.remove(party)
        if not held.callees:
            self.procedures.remove(held.uri, held.match)
            del self.registrations[registration]

    def subscribe(self, party: Party, uri: str, match: Match) -> int:
        """Let a session have the events of a topic; the subscription's id. Raises `WampError`."""
        held = self.topics.get(uri, match)
        if held is None:
            held = Subscription(new_id(), uri, match)
            self.topics.put(uri, match, held)
            self.subscriptions[held.id] = held
        elif party in held.subscribers:
            raise WampError(ALREADY_SUBSCRIBED, [f"This session holds {uri} already."])
        held.subscribers.append(party)
        return held.id

    def unsubscribe(self, party: Party, subscription: int) -> None:
        """Take it back. Raises `WampError`."""
        held = self.subscriptions.get(subscription)
        if held is None or party not in held.subscribers:
            raise WampError(NO_SUCH_SUBSCRIPTION, [f"There is no subscription {subscription}."])
        held.subscribers.remove(party)
        if not held.subscribers:
            self.topics.remove(held.uri, held.match)
            del self.subscriptions[subscription]

    def leave(self, party: Party) -> None:
        """Take back all that a session holds."""
        for registration in [r for r in self.registrations.values() if party in r.callees]:
            self.unregister(party, registration.id)
        for subscription in [s for s in self.subscriptions.values() if party in s.subscribers]:
            self.unsubscribe(party, subscription.id)

    def callee(self, procedure: str) -> tuple[Registration, Party]:
        """Who serves a call. Raises `WampError` where nobody does."""
        held = self.procedures.best(procedure)
        if held is None:
            raise WampError(NO_SUCH_PROCEDURE, [f"Nobody serves {procedure}."])
        return held, held.choose()

    def subscriptions_of(self, topic: str) -> Iterator[Subscription]:
        """The subscriptions that an event is for."""
        return self.topics.all(topic)


def check_not_reserved(uri: str) -> None:
    """Refuse what is the router's own. Raises `WampError`."""
    if uri.startswith(RESERVED):
        raise WampError(INVALID_URI, [f"{RESERVED}* is reserved."])
