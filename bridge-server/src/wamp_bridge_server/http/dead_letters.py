"""`/dead-letters/`: listed, replayed and deleted, by what is asked of them."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from wamp_bridge_server.errors import Unprocessable
from wamp_bridge_server.http import bodies, documents
from wamp_bridge_server.http.answers import empty
from wamp_bridge_server.http.paging import PAGE, Paging
from wamp_bridge_server.http.routes import Answer, Parameter, Route, identifier
from wamp_bridge_server.store import DeadLetters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp import web

    from wamp_bridge_server.http.asking import Asking
    from wamp_bridge_server.services.dead_letters import DeadLetterOffice
    from wamp_bridge_server.store import DeadLetter, FailedAttempt

_FILTER_PARAMETERS = (
    Parameter("endpoint", str, "Those of a subscription.", "sub_01k0000000000000000000000b"),
    Parameter("uri", str, "Those of a topic, or of a procedure.", "com.shop.sold"),
    Parameter("since", float, "Those made then or later, Unix seconds.", 1700000000),
    Parameter("until", float, "Those made before, Unix seconds.", 1700086400),
    Parameter("error", str, "Those whose last error has this in it, in any case.", "refused"),
)
_FILTER = tuple(parameter.name for parameter in _FILTER_PARAMETERS)
_ID = identifier("msg_01k0000000000000000000000d")
_LETTER = {
    "id": _ID.example,
    "endpoint": "sub_01k0000000000000000000000b",
    "callback": None,
    "uri": "com.shop.sold",
    "type": "event",
    "created_at": 1700000000.0,
    "dead_at": 1700100000.0,
    "size": 180,
    "attempts": 8,
    "last_status": 500,
    "error": "answered 500",
}
_FAILURE = {
    "attempt": 8,
    "at": 1700100000.0,
    "seconds": 0.01,
    "status": 500,
    "error": "answered 500",
    "answer": "Internal Server Error",
}


class DeadLetterRequests:
    """Answers what apps ask of their dead letters."""

    def __init__(self, office: DeadLetterOffice) -> None:
        self._office = office

    def routes(self) -> list[Route]:
        """The requests that are answered here."""
        return [*self._of_one(), *self._of_many()]

    def _of_one(self) -> Iterator[Route]:
        path, errors = (
            "/dead-letters/{id}/",
            (HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
        )
        yield Route(
            name="read_dead_letter",
            method="GET",
            path=path,
            handler=self.one,
            summary="Read a dead letter, with all that failed",
            parameters=(_ID,),
            answers=(
                Answer("Itself.", documents.DeadLetterReport, {**_LETTER, "failures": [_FAILURE]}),
            ),
            errors=errors,
        )
        yield Route(
            name="delete_dead_letter",
            method="DELETE",
            path=path,
            handler=self.delete_one,
            summary="Delete a dead letter",
            parameters=(_ID,),
            answers=(Answer("Gone.", status=HTTPStatus.NO_CONTENT),),
            errors=errors,
        )
        yield Route(
            name="replay_dead_letter",
            method="POST",
            path=f"{path}replay/",
            handler=self.replay_one,
            summary="Have a dead letter wait again",
            description="It keeps its id. Where its subscription is gone, the app's present one "
            "of that topic gets it.",
            body=bodies.Nothing,
            example={},
            parameters=(_ID,),
            answers=(
                Answer("It waits.", documents.Replayed, {"replayed": 1}, HTTPStatus.ACCEPTED),
            ),
            errors=(*errors, HTTPStatus.CONFLICT),
        )

    def _of_many(self) -> Iterator[Route]:
        path, errors = "/dead-letters/", (HTTPStatus.UNPROCESSABLE_ENTITY,)
        yield Route(
            name="list_dead_letters",
            method="GET",
            path=path,
            handler=self.list,
            summary="List the app's dead letters",
            description="The oldest first; all, or those that are meant.",
            parameters=(*PAGE, *_FILTER_PARAMETERS),
            answers=(
                Answer(
                    "A page of them.",
                    documents.DeadLetterPage,
                    {"dead_letters": [_LETTER], "cursor": None, "total": 1},
                    links=dict.fromkeys(
                        ("read_dead_letter", "replay_dead_letter", "delete_dead_letter"),
                        "/dead_letters/0/id",
                    ),
                ),
            ),
            errors=errors,
        )
        yield Route(
            name="delete_dead_letters",
            method="DELETE",
            path=path,
            handler=self.delete,
            summary="Delete dead letters",
            description="All, or those that are meant.",
            parameters=(*PAGE, *_FILTER_PARAMETERS),
            answers=(Answer("Gone.", documents.Deleted, {"deleted": 1}),),
            errors=errors,
        )
        yield Route(
            name="replay_dead_letters",
            method="POST",
            path=f"{path}replay/",
            handler=self.replay,
            summary="Have dead letters wait again",
            description="All, or those that are meant. Each keeps its id.",
            body=bodies.DeadLetters,
            example={"uri": "com.shop.sold"},
            answers=(
                Answer(
                    "They wait.",
                    documents.ReplayedSome,
                    {"replayed": 1, "left": 0},
                    HTTPStatus.ACCEPTED,
                ),
            ),
            errors=(*errors, HTTPStatus.CONFLICT),
        )

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
        return ask.answer(document)

    async def one(self, ask: Asking) -> web.Response:
        """`GET /dead-letters/ID/`."""
        letter, attempts = await self._office.one(ask.app, ask.name)
        told = [_attempt(attempt) for attempt in attempts]
        return ask.answer({**_described(letter), "failures": told})

    async def replay_one(self, ask: Asking) -> web.Response:
        """`POST /dead-letters/ID/replay/`."""
        ask.body(bodies.Nothing)
        replayed = await self._office.replay_one(ask.app, ask.name)
        return ask.answer({"replayed": replayed}, HTTPStatus.ACCEPTED)

    async def replay(self, ask: Asking) -> web.Response:
        """`POST /dead-letters/replay/`."""
        body = ask.body(bodies.DeadLetters)
        meant = _meant(ask, {name: getattr(body, name) for name in _FILTER})
        replayed, left = await self._office.replay(meant, _checked_limit(body.limit))
        return ask.answer({"replayed": replayed, "left": left}, HTTPStatus.ACCEPTED)

    async def delete_one(self, ask: Asking) -> web.Response:
        """`DELETE /dead-letters/ID/`."""
        await self._office.delete_one(ask.app, ask.name)
        return empty(HTTPStatus.NO_CONTENT)

    async def delete(self, ask: Asking) -> web.Response:
        """`DELETE /dead-letters/`."""
        query = ask.request.query
        limit = Paging.asked(query).limit if "limit" in query else None
        deleted = await self._office.delete(_meant(ask, _queried(ask)), limit)
        return ask.answer({"deleted": deleted})


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
