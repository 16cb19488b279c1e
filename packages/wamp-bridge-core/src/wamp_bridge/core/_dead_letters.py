"""Dead letters, as an app asks for them (protocol, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypedDict
from urllib.parse import urlencode

from wamp_bridge.core import _arguments as arguments
from wamp_bridge.core._errors import Conflict, ServerError
from wamp_bridge.core._requests import Answer, Exchange, Outgoing, encoded, exchange, json_of
from wamp_bridge.core._uris import escape_segment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wamp_bridge.core._settings import Settings

_BITE: Final = 1000
"""So many are asked for at once, so that no answer takes long."""


class DeadLetterFilter(TypedDict, total=False):
    """Which dead letters are meant: those that all that is given holds for; all if nothing is.

    Attributes:
        endpoint: The id of the subscription that they were for.
        uri: Its topic, or the procedure whose outcome they are.
        since: Unix time in seconds; those that came then or later.
        until: Unix time in seconds; those that came before.
        error: A part of the last error, in any case of letters.
        limit: How many at most.
    """

    endpoint: str | None
    uri: str | None
    since: float | None
    until: float | None
    error: str | None
    limit: int | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A delivery that the bridge has given up, until it is replayed or deleted.

    Attributes:
        id: The `webhook-id` that it had in each attempt, and has when it is replayed.
        type: `event`, `result` or `error`.
        uri: The topic as it was subscribed, or the procedure whose outcome it is.
        endpoint: The id of the subscription that an event was for.
        callback: The URL that an outcome was for.
        created_at: Unix time at which it came.
        dead_at: Unix time at which it was given up.
        attempts: How many were made.
        last_status: The HTTP status of the last answer, where there was one.
        error: Why it was given up.
        size: Bytes of its body.
    """

    id: str
    type: str
    uri: str
    endpoint: str | None
    callback: str | None
    created_at: float
    dead_at: float
    attempts: int
    last_status: int | None
    error: str | None
    size: int


def dead_letters(settings: Settings, chosen: DeadLetterFilter) -> Exchange[list[DeadLetter]]:
    """Those that are meant, the oldest first."""
    query = _given(chosen)
    limit = query.pop("limit", None)
    found: list[DeadLetter] = []
    while limit is None or len(found) < limit:
        query["limit"] = _BITE if limit is None else min(_BITE, limit - len(found))
        page = yield from _ask(settings, "GET", f"dead-letters/?{urlencode(query)}")
        found += [_letter(item) for item in _list(page)]
        query["cursor"] = page.get("cursor")
        if query["cursor"] is None:
            break
    return found


def count(settings: Settings, chosen: DeadLetterFilter) -> Exchange[int]:
    """How many are meant."""
    query = urlencode({**_given(chosen), "limit": 1})
    page = yield from _ask(settings, "GET", f"dead-letters/?{query}")
    return _number(page, "total")


def replay(settings: Settings, identifier: str | None, chosen: DeadLetterFilter) -> Exchange[int]:
    """Have one, or those that are meant, wait again; how many."""
    if identifier is not None:
        path = f"dead-letters/{escape_segment(_text(identifier))}/replay/"
        return _number((yield from _ask(settings, "POST", path, {})), "replayed")
    members = _given(chosen)
    limit = members.pop("limit", None)
    done = 0
    while limit is None or done < limit:
        members["limit"] = _BITE if limit is None else min(_BITE, limit - done)
        try:
            answer = yield from _ask(settings, "POST", "dead-letters/replay/", members)
        except Conflict:
            if done:
                break  # what is left is for nobody any more
            raise
        done += _number(answer, "replayed")
        if _number(answer, "replayed") < members["limit"]:
            break
    return done


def delete(settings: Settings, identifier: str | None, chosen: DeadLetterFilter) -> Exchange[int]:
    """Delete one, or those that are meant; how many."""
    if identifier is not None:
        path = f"dead-letters/{escape_segment(_text(identifier))}/"
        request = Outgoing("DELETE", path, None, settings.timeout, repeatable=True)
        yield from exchange(request, _nothing)
        return 1
    query = _given(chosen)
    limit = query.pop("limit", None)
    done = 0
    while limit is None or done < limit:
        query["limit"] = _BITE if limit is None else min(_BITE, limit - done)
        answer = yield from _ask(settings, "DELETE", f"dead-letters/?{urlencode(query)}")
        done += _number(answer, "deleted")
        if _number(answer, "deleted") < query["limit"]:
            break
    return done


def _ask(
    settings: Settings, method: str, path: str, members: Mapping[str, Any] | None = None
) -> Exchange[dict[str, Any]]:
    body = None if members is None else encoded(members)
    return exchange(Outgoing(method, path, body, settings.timeout, repeatable=True), json_of)


def _text(identifier: str) -> str:
    return arguments.text("identifier", identifier)


def _given(chosen: DeadLetterFilter) -> dict[str, Any]:
    return {name: value for name, value in chosen.items() if value is not None}


def _nothing(_answer: Answer) -> None:
    return None


def _number(members: Mapping[str, Any], name: str) -> int:
    value = members.get(name)
    if not isinstance(value, int):
        raise _unlike()
    return value


def _list(members: Mapping[str, Any]) -> list[Any]:
    value = members.get("dead_letters")
    if not isinstance(value, list):
        raise _unlike()
    return value


def _letter(item: Any) -> DeadLetter:
    if not isinstance(item, dict):
        raise _unlike()
    return DeadLetter(
        id=str(item.get("id")),
        type=str(item.get("type")),
        uri=str(item.get("uri")),
        endpoint=item.get("endpoint"),
        callback=item.get("callback"),
        created_at=float(item.get("created_at") or 0),
        dead_at=float(item.get("dead_at") or 0),
        attempts=int(item.get("attempts") or 0),
        last_status=item.get("last_status"),
        error=item.get("error"),
        size=int(item.get("size") or 0),
    )


def _unlike() -> ServerError:
    return ServerError.explained("the answer is none of a bridge; is WAMP_BRIDGE_URL one?")
