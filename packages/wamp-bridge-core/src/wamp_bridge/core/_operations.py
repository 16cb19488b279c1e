"""Each thing that an app asks of the bridge, as an exchange (protocol, section 1).

Both clients drive these, so that neither knows more than the other. Calls and publications have a
module of their own, `_calls`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode

from wamp_bridge.core import _arguments as arguments
from wamp_bridge.core._errors import ConfigurationError, ServerError
from wamp_bridge.core._messages import (
    Registration,
    Source,
    Subscription,
)
from wamp_bridge.core._requests import (
    Answer,
    Exchange,
    Outgoing,
    encoded,
    exchange,
    json_of,
)
from wamp_bridge.core._uris import escape_segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wamp_bridge.core._settings import Settings
    from wamp_bridge.core._uris import Match

_Entry = TypeVar("_Entry", Registration, Subscription)
_T = TypeVar("_T")

_PAGE: Final = 1000
_ENTRY_MEMBERS: Final = frozenset(
    {"id", "uri", "url", "match", "state", "reason", "since", "lease_expires_at"}
)


@dataclass(frozen=True, slots=True)
class Removed:
    """What `unregister` and `unsubscribe` did.

    Attributes:
        removed: The URIs that were taken back.
        unknown: Those that the app had not.
    """

    removed: tuple[str, ...]
    unknown: tuple[str, ...]


def register(
    settings: Settings, endpoints: Mapping[str, str | Mapping[str, Any]], lease: float | None
) -> Exchange[list[Registration]]:
    """Register procedures."""
    members = {"endpoints": _resolved(settings, endpoints), "lease": lease}

    def read(answer: Answer) -> list[Registration]:
        return [_entry(Registration, item) for item in listed(json_of(answer), "registrations")]

    return ask("POST", "register/", members, settings.timeout, read)


def subscribe(
    settings: Settings, endpoints: Mapping[str, str | Mapping[str, Any]], lease: float | None
) -> Exchange[list[Subscription]]:
    """Subscribe to topics."""
    members = {"endpoints": _resolved(settings, endpoints), "lease": lease}

    def read(answer: Answer) -> list[Subscription]:
        return [_entry(Subscription, item) for item in listed(json_of(answer), "subscriptions")]

    return ask("POST", "subscribe/", members, settings.timeout, read)


def unregister(
    settings: Settings, endpoints: Iterable[str] | Mapping[str, str], match: Match | None
) -> Exchange[Removed]:
    """Take registrations back."""
    return _remove(settings, "unregister/", endpoints, match, "unregistered")


def unsubscribe(
    settings: Settings, endpoints: Iterable[str] | Mapping[str, str], match: Match | None
) -> Exchange[Removed]:
    """Take subscriptions back."""
    return _remove(settings, "unsubscribe/", endpoints, match, "unsubscribed")


def registrations(settings: Settings) -> Exchange[list[Registration]]:
    """All registrations of the app."""
    return all_pages(settings, "registrations", lambda item: _entry(Registration, item))


def subscriptions(settings: Settings) -> Exchange[list[Subscription]]:
    """All subscriptions of the app."""
    return all_pages(settings, "subscriptions", lambda item: _entry(Subscription, item))


def sources(settings: Settings) -> Exchange[list[Source]]:
    """All sources of the app."""
    return all_pages(settings, "sources", _source)


def announce(settings: Settings, url: str | None, *, wait: bool) -> Exchange[Source]:
    """Announce a source."""
    members = {"url": url or own_url(settings), "wait": wait or None}

    def read(answer: Answer) -> Source:
        return _source(json_of(answer).get("source"))

    return ask("POST", "announce/", members, settings.timeout, read)


def withdraw(settings: Settings, url: str | None) -> Exchange[None]:
    """Withdraw a source."""
    members = {"url": url or own_url(settings)}
    return ask("POST", "withdraw/", members, settings.timeout, _nothing)


def heartbeat(settings: Settings, endpoints: Iterable[str] | None) -> Exchange[int]:
    """Renew leases: how many there were."""
    named = None
    if endpoints is not None:
        named = [settings.resolve(name) for name in arguments.names("endpoints", endpoints)]

    def read(answer: Answer) -> int:
        return int(json_of(answer).get("renewed", 0))

    return ask("POST", "heartbeat/", {"endpoints": named}, settings.timeout, read)


def callback_url(settings: Settings, callback: str) -> str:
    """The URL of a callback: as it is, or where the dispatcher serves the one of that name.

    Raises:
        ConfigurationError: A name is given, and where the dispatcher is mounted is not known.
    """
    if "://" in arguments.text("callback", callback):
        return callback
    return f"{own_url(settings)}callback/{escape_segment(callback)}/"


def own_url(settings: Settings) -> str:
    """Where the bridge reaches this app's dispatcher.

    Raises:
        ConfigurationError: That is not known.
    """
    if settings.callback_url is None:
        raise ConfigurationError(
            "WAMP_BRIDGE_CALLBACK_URL is not set: the bridge can't be told where this app's "
            "dispatcher is mounted"
        )
    return settings.callback_url


def budget(settings: Settings, timeout: float | None) -> float:
    """Seconds for a request: as given, or as the settings say.

    Raises:
        TypeError: It is no number.
        ValueError: It is none above 0.
    """
    if timeout is None:
        return settings.timeout
    if not (math.isfinite(arguments.seconds("timeout", timeout)) and timeout > 0):
        raise ValueError(f"timeout must be a number of seconds above 0, not {timeout!r}")
    return timeout


def ask(
    method: str,
    path: str,
    members: Mapping[str, Any] | None,
    seconds: float,
    read: Callable[[Answer], _T],
    *,
    repeatable: bool = True,
    headers: Mapping[str, str] | None = None,
) -> Exchange[_T]:
    """Ask for something, in so many seconds for all tries together."""
    body = None if members is None else encoded(members)
    return exchange(Outgoing(method, path, body, seconds, repeatable, headers or {}), read)


def _remove(
    settings: Settings,
    path: str,
    endpoints: Iterable[str] | Mapping[str, str],
    match: Match | None,
    name: str,
) -> Exchange[Removed]:
    named: Any = (
        _resolved(settings, endpoints)
        if isinstance(endpoints, Mapping)
        else [settings.resolve(name) for name in arguments.names("endpoints", endpoints)]
    )

    def read(answer: Answer) -> Removed:
        members = json_of(answer)
        return Removed(tuple(listed(members, name)), tuple(listed(members, "unknown")))

    return ask("POST", path, {"endpoints": named, "match": match}, settings.timeout, read)


def all_pages(settings: Settings, name: str, make: Callable[[Any], _T]) -> Exchange[list[_T]]:
    """All that the bridge lists, page by page."""
    found: list[_T] = []
    query: dict[str, Any] = {"limit": _PAGE}
    while True:
        path = f"{name}/?{urlencode(query)}"
        page = yield from ask("GET", path, None, settings.timeout, json_of)
        found += [make(item) for item in listed(page, name)]
        query["cursor"] = page.get("cursor")
        if query["cursor"] is None:
            return found


def _resolved(settings: Settings, endpoints: Mapping[str, Any]) -> dict[str, Any]:
    return {
        settings.resolve(name): served
        for name, served in arguments.endpoints("endpoints", endpoints).items()
    }


def _nothing(_answer: Answer) -> None:
    return None


def _entry(kind: type[_Entry], item: Any) -> _Entry:
    if not isinstance(item, dict):
        raise _unlike()
    return kind(
        id=str(item.get("id")),
        uri=str(item.get("uri")),
        url=str(item.get("url")),
        match=str(item.get("match")),
        state=str(item.get("state")),
        reason=item.get("reason"),
        since=item.get("since"),
        lease_expires_at=item.get("lease_expires_at"),
        options={name: value for name, value in item.items() if name not in _ENTRY_MEMBERS},
    )


def _source(item: Any) -> Source:
    if not isinstance(item, dict):
        raise _unlike()
    return Source(
        id=str(item.get("id")),
        url=str(item.get("url")),
        state=str(item.get("state")),
        reason=item.get("reason"),
        since=item.get("since"),
    )


def listed(members: Mapping[str, Any], name: str) -> list[Any]:
    """The list that an answer has under a name.

    Raises:
        ServerError: It has none, so that what answers may be no bridge.
    """
    value = members.get(name)
    if not isinstance(value, list):
        raise _unlike()
    return value


def _unlike() -> ServerError:
    return ServerError.explained("the answer is none of a bridge; is WAMP_BRIDGE_URL one?")
