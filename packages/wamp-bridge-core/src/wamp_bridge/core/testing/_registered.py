"""What an app has registered and subscribed to by name at a fake bridge, URL by URL."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any, Final

from wamp_bridge.core._uris import check_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Answered = Mapping[str, Any]

_REGISTRATIONS: Final = "registrations"
_SUBSCRIPTIONS: Final = "subscriptions"


class Registered:
    """Plain endpoints, kept as a bridge keeps them (protocol, section 1). Nothing is sent there."""

    def __init__(self) -> None:
        self._kept: dict[str, list[dict[str, Any]]] = {_REGISTRATIONS: [], _SUBSCRIPTIONS: []}
        self._leases: dict[str, float | None] = {}
        self._numbers = itertools.count(1)
        self.actions: Mapping[str, Callable[[Mapping[str, Any]], Answered]] = {
            "register": lambda members: self._add(_REGISTRATIONS, members),
            "subscribe": lambda members: self._add(_SUBSCRIPTIONS, members),
            "unregister": lambda members: self._remove(_REGISTRATIONS, "unregistered", members),
            "unsubscribe": lambda members: self._remove(_SUBSCRIPTIONS, "unsubscribed", members),
            "heartbeat": self._renew,
        }
        """What answers the body of each request."""

    def listed(self, kind: str) -> list[dict[str, Any]]:
        """All of a kind; nothing of a kind that is no endpoint's."""
        return list(self._kept.get(kind, ()))

    def _add(self, kind: str, members: Mapping[str, Any]) -> Answered:
        """Take all of them, or raise `InvalidURI` and take none."""
        lease = members.get("lease")
        wanted = [_entry(uri, asked) for uri, asked in members["endpoints"].items()]
        for entry in wanted:
            check_uri(entry["uri"], entry["match"])
        taken = []
        for entry in wanted:
            same = [each for each in self._kept[kind] if _is_same(each, entry, kind)]
            for other in same:
                self._kept[kind].remove(other)
            entry["id"] = same[0]["id"] if same else f"{kind[:3]}_{next(self._numbers)}"
            entry["lease_expires_at"] = None if lease is None else time.time() + lease
            self._kept[kind].append(entry)
            self._leases[entry["id"]] = lease
            taken.append(entry)
        return {kind: taken}

    def _remove(self, kind: str, done: str, members: Mapping[str, Any]) -> Answered:
        named, match = members["endpoints"], members.get("match")
        removed: list[str] = []
        unknown: list[str] = []
        for uri in named:
            url = named[uri] if isinstance(named, dict) else None
            found = [
                entry
                for entry in self._kept[kind]
                if entry["uri"] == uri
                and url in (None, entry["url"])
                and match in (None, entry["match"])
            ]
            for entry in found:
                self._kept[kind].remove(entry)
            (removed if found else unknown).append(uri)
        return {done: removed, "unknown": unknown}

    def _renew(self, members: Mapping[str, Any]) -> Answered:
        named = members.get("endpoints")
        renewed = 0
        for entry in itertools.chain.from_iterable(self._kept.values()):
            lease = self._leases[entry["id"]]
            if lease is not None and (named is None or entry["uri"] in named):
                entry["lease_expires_at"] = time.time() + lease
                renewed += 1
        return {"renewed": renewed}


def _entry(uri: str, asked: Any) -> dict[str, Any]:
    options = {"url": asked} if isinstance(asked, str) else dict(asked)
    return {"match": "exact", "state": "live", "reason": None, **options, "uri": uri}


def _is_same(kept: Mapping[str, Any], entry: Mapping[str, Any], kind: str) -> bool:
    """Whether an endpoint takes the other's place: another URL is another subscription."""
    several = kind == _SUBSCRIPTIONS or entry.get("invoke", "single") != "single"
    names = ("uri", "match", "url") if several else ("uri", "match")
    return all(kept[name] == entry[name] for name in names)
