"""What a router tells of itself (WAMP, "Registration Meta API" and "Subscription Meta API").

As much of it as the bridge asks; the answers are as Crossbar's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

from wamp_bridge_server.backends.base import Match, WampError
from wamp_bridge_server.errors import NO_SUCH_REGISTRATION, NO_SUCH_SUBSCRIPTION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wamp_bridge_server.backends.memory.matching import Patterns
    from wamp_bridge_server.backends.memory.realm import Realm, Registration, Subscription

T = TypeVar("T", "Registration", "Subscription")


def _registrations(realm: Realm) -> dict[str, list[int]]:
    return _listed(realm.procedures)


def _subscriptions(realm: Realm) -> dict[str, list[int]]:
    return _listed(realm.topics)


def _registration(realm: Realm, number: int) -> dict[str, Any]:
    held = _one(realm.registrations, number, NO_SUCH_REGISTRATION)
    return {**_described(held), "invoke": held.invoke}


def _subscription(realm: Realm, number: int) -> dict[str, Any]:
    return _described(_one(realm.subscriptions, number, NO_SUCH_SUBSCRIPTION))


def _callees(realm: Realm, number: int) -> list[int]:
    held = _one(realm.registrations, number, NO_SUCH_REGISTRATION)
    return [party.session for party in held.callees]


def _subscribers(realm: Realm, number: int) -> list[int]:
    held = _one(realm.subscriptions, number, NO_SUCH_SUBSCRIPTION)
    return [party.session for party in held.subscribers]


def _lookup(patterns: Patterns[T], uri: str, options: Mapping[str, Any] | None) -> int | None:
    held = patterns.get(uri, (options or {}).get("match", "exact"))
    return None if held is None else held.id


def _listed(patterns: Patterns[T]) -> dict[str, list[int]]:
    return {match: [held.id for held in patterns.patterns(match)] for match in get_args(Match)}


def _one(held: Mapping[int, T], number: int, error: str) -> T:
    found = held.get(number)
    if found is None:
        raise WampError(error, [f"There is none with the id {number}."])
    return found


def _described(held: Registration | Subscription) -> dict[str, Any]:
    return {"id": held.id, "uri": held.uri, "match": held.match, "created": held.created}


META: Final[Mapping[str, Callable[..., Any]]] = {
    "wamp.registration.list": _registrations,
    "wamp.registration.get": _registration,
    "wamp.registration.lookup": lambda realm, uri, options=None: _lookup(
        realm.procedures, uri, options
    ),
    "wamp.registration.list_callees": _callees,
    "wamp.registration.count_callees": lambda realm, number: len(_callees(realm, number)),
    "wamp.subscription.list": _subscriptions,
    "wamp.subscription.get": _subscription,
    "wamp.subscription.lookup": lambda realm, uri, options=None: _lookup(
        realm.topics, uri, options
    ),
    "wamp.subscription.match": lambda realm, topic: (
        [held.id for held in realm.subscriptions_of(topic)] or None
    ),
    "wamp.subscription.list_subscribers": _subscribers,
    "wamp.subscription.count_subscribers": lambda realm, number: len(_subscribers(realm, number)),
}
"""Procedures that the realm itself serves, with positional arguments."""
