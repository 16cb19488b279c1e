"""`/dead-letters/`: listed, replayed and deleted, by what is asked of them."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from wamp_bridge_server.errors import Unprocessable
from wamp_bridge_server.http import bodies
from wamp_bridge_server.http.answers import answer, empty
from wamp_bridge_server.http.paging import Paging
from wamp_bridge_server.store import DeadLetters

if TYPE_CHECKING:
    from aiohttp import web

    from wamp_bridge_server.http.asking import Asking
    from wamp_bridge_server.services.dead_letters import DeadLetterOffice
    from wamp_bridge_server.store import DeadLetter, FailedAttempt

_FILTER = ("endpoint", "uri", "since", "until", "error")


class DeadLetterRequests:
    """Answers what apps ask of their dead letters."""

    def __init__(self, office: DeadLetterOffice) -> None:
        self._office = office

    async def list(self, ask: Asking) -> web.Response:
        """`GET /dead-letters/`."""
        paging = Paging.asked(ask.request.query)
        meant = _meant(ask, _queried(ask))
        found = await self._office.page(meant, paging.after_number, paging.limit + 1)
        letters, cursor = paging.cut(found, lambda letter: str(letter.seq))
        document: dict[str, Any] = {
            "dead_letters": [_described(each) for each in letters],
            "cursor": cursor,
        }
        if not paging.after:
            document["total"] = await self._office.count(meant)
        return answer(document)

    async def one(self, ask: Asking) -> web.Response:
        """`GET /dead-letters/ID/`."""
        letter, attempts = await self._office.one(ask.app, ask.name)
        told = [_attempt(attempt) for attempt in attempts]
        return answer({**_described(letter), "failures": told})

    async def replay_one(self, ask: Asking) -> web.Response:
        """`POST /dead-letters/ID/replay/`."""
        ask.body(bodies.nothing)
        replayed = await self._office.replay_one(ask.app, ask.name)
        return answer({"replayed": replayed}, HTTPStatus.ACCEPTED)

    async def replay(self, ask: Asking) -> web.Response:
        """`POST /dead-letters/replay/`."""
        body = ask.body(bodies.dead_letters)
        meant = _meant(ask, {name: getattr(body, name) for name in _FILTER})
        replayed, left = await self._office.replay(meant, _checked_limit(body.limit))
        return answer({"replayed": replayed, "left": left}, HTTPStatus.ACCEPTED)

    async def delete_one(self, ask: Asking) -> web.Response:
        """`DELETE /dead-letters/ID/`."""
        await self._office.delete_one(ask.app, ask.name)
        return empty(HTTPStatus.NO_CONTENT)

    async def delete(self, ask: Asking) -> web.Response:
        """`DELETE /dead-letters/`."""
        query = ask.request.query
        limit = Paging.asked(query).limit if "limit" in query else None
        deleted = await self._office.delete(_meant(ask, _queried(ask)), limit)
        return answer({"deleted": deleted})


def _queried(ask: Asking) -> dict[str, Any]:
    """The filter in a query; a mistyped name would mean more than was meant."""
    query = ask.request.query
    if unknown := sorted(set(query) - {*_FILTER, "limit", "cursor"}):
        raise Unprocessable(
            f'"{unknown[0]}" is nothing to choose dead letters by; '
            f"known are {', '.join(_FILTER)}, limit and cursor."
        )
    asked: dict[str, Any] = dict(query)
    for name in ("since", "until"):
        if name in asked:
            asked[name] = _seconds(name, asked[name])
    return {name: asked.get(name) for name in _FILTER}


def _seconds(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Unprocessable(f'"{name}" must be a Unix time in seconds.') from None


def _meant(ask: Asking, asked: dict[str, Any]) -> DeadLetters:
    for name in ("since", "until"):
        if asked[name] is not None and not math.isfinite(asked[name]):
            raise Unprocessable(f'"{name}" must be a Unix time in seconds.')
    for name in ("endpoint", "uri", "error"):
        if "\0" in (asked[name] or ""):  # which not every store can be asked for
            raise Unprocessable(f'"{name}" must not hold U+0000.')
    return DeadLetters(app=ask.app.name, **asked)


def _checked_limit(limit: int | None) -> int | None:
    if limit is not None and limit < 1:
        raise Unprocessable('"limit" must be a whole number from 1.')
    return limit


def _described(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "endpoint": letter.lane if letter.type == "event" else None,
        "callback": None if letter.type == "event" else letter.lane,
        "uri": letter.uri,
        "type": letter.type,
        "created_at": letter.created_at,
        "dead_at": letter.dead_at,
        "size": letter.size,
        "attempts": letter.attempts,
        "last_status": letter.last_status,
        "error": letter.error,
    }


def _attempt(attempt: FailedAttempt) -> dict[str, Any]:
    return {
        "attempt": attempt.number,
        "at": attempt.at,
        "seconds": attempt.seconds,
        "status": attempt.status,
        "error": attempt.error,
        "answer": None if attempt.answer is None else attempt.answer.decode("utf-8", "replace"),
    }
