"""What there is at the router, as its meta API tells: procedures, topics, and who holds them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, get_args
from weakref import WeakValueDictionary

from wamp_bridge_server.backends.base import Match
from wamp_bridge_server.errors import TIMEOUT, CallFailed, Forbidden, NotOffered, Problem
from wamp_bridge_server.services import meta
from wamp_bridge_server.services.meta import Gone

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from wamp_bridge_server.backends.base import Backend, Session
    from wamp_bridge_server.config import Action
    from wamp_bridge_server.services.apps import App
    from wamp_bridge_server.store.records import Kind

S = TypeVar("S")
T = TypeVar("T")

MOST_LOOKED_AT = 2000
"""Of so many entries it is seen for one page whether the app may know them; each is a call."""

_AT_ONCE = 32
_PAGE_SECONDS = 30.0
_HOLDER_SECONDS = 2.0
_ACTIONS: Final[dict[Kind, Action]] = {"procedure": "call", "topic": "subscribe"}
_WORDS: Final[dict[Kind, tuple[str, str]]] = {
    "procedure": ("registration", "callees"),
    "topic": ("subscription", "subscribers"),
}


@dataclass(frozen=True, slots=True)
class Held:
    """A registration or subscription that the router holds.

    Attributes:
        id: The router's.
        uri: The procedure, the topic, or the pattern.
        match: How it matches.
        invoke: How one of several callees is chosen; None of a topic.
        created_at: Unix time in seconds; None where the router doesn't say.
        holders: How many sessions hold it; None where the router doesn't say.
    """

    id: int
    uri: str
    match: Match
    invoke: str | None
    created_at: float | None
    holders: int | None


class Directory:
    """Asks the router what it holds, of what an app may call and subscribe to.

    All of it in the app's own session, so that none learns more than the router lets it; and no
    more than so much of an app's at once, so that a router with many registrations has other things
    to do, and no app waits for another one's pages.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def page(
        self, app: App, kind: Kind, after: int, limit: int
    ) -> tuple[list[Held], int | None]:
        """A page of what the app may know, sorted by id, and the id that the next begins after.

        A page has fewer than `limit` where much was looked at that is not for this app.

        Raises:
            Forbidden: The router doesn't let the app's session ask.
            NotOffered: The router has no meta API.
            CallFailed: Any other error of the router; also where it takes too long.
            Unavailable: There is no router.
        """
        session = self._backend.session(app.name)
        try:
            async with asyncio.timeout(_PAGE_SECONDS):
                return await self._page(session, app, kind, after, limit)
        except TimeoutError:
            text = f"The router did not tell all within {_PAGE_SECONDS:g} s."
            raise CallFailed(TIMEOUT, [text], {}) from None

    async def holder(self, app: str, procedure: str, match: Match) -> str:
        """Who holds a procedure that an app can't have, in brackets; nothing if that isn't told.

        Of several the first one.
        """
        session = self._backend.session(app)
        try:
            async with asyncio.timeout(_HOLDER_SECONDS):
                number = await meta.ask(
                    session, "wamp.registration.lookup", procedure, {"match": match}
                )
                [holder, *_] = await meta.ask(session, "wamp.registration.list_callees", number)
                return f" (session {int(holder)}{await _identity(session, holder)})"
        except (Gone, Problem, TimeoutError, TypeError, ValueError):
            return ""

    async def _page(
        self, session: Session, app: App, kind: Kind, after: int, limit: int
    ) -> tuple[list[Held], int | None]:
        turns = self._turns.setdefault(app.name, asyncio.Semaphore(_AT_ONCE))
        noun, _ = _WORDS[kind]
        numbers = _numbers(await meta.ask(session, f"wamp.{noun}.list"), after)
        found: list[Held] = []
        looked = 0
        while looked < min(len(numbers), MOST_LOOKED_AT) and len(found) < limit:
            batch = numbers[looked : looked + limit]
            looked += len(batch)
            told = await _each(turns, partial(self._one, session, kind), batch)
            found += [
                held
                for held in told
                if held is not None and app.permissions.shows(_ACTIONS[kind], held.uri, held.match)
            ]
        more = looked < len(numbers) or len(found) > limit
        found = found[:limit]
        # With as many as asked for, what was looked at behind them is for the next page.
        last = found[-1].id if len(found) == limit else numbers[looked - 1] if looked else after
        ids = [held.id for held in found]
        counts = await _each(turns, partial(self._holders, session, kind), ids)
        counted = [_counted(held, count) for held, count in zip(found, counts, strict=True)]
        return counted, last if more else None

    async def _one(self, session: Session, kind: Kind, number: int) -> Held | None:
        try:
            told = await meta.ask(session, f"wamp.{_WORDS[kind][0]}.get", number)
        except Gone:
            return None
        return _held(told, number)

    async def _holders(self, session: Session, kind: Kind, number: int) -> int | None:
        noun, holders = _WORDS[kind]
        try:
            count = await meta.ask(session, f"wamp.{noun}.count_{holders}", number)
        except (Gone, Forbidden, NotOffered):
            return None
        return count if isinstance(count, int) else None


async def _each(
    turns: asyncio.Semaphore, ask: Callable[[S], Awaitable[T]], about: Iterable[S]
) -> list[T]:
    """What is answered about each, asked in turn; nothing more is asked once that fails."""

    async def in_turn(one: S) -> T:
        async with turns:
            return await ask(one)

    tasks = [asyncio.ensure_future(in_turn(one)) for one in about]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def _identity(session: Session, number: int) -> str:
    """As whom a session has joined, as far as the router tells."""
    try:
        told = await meta.ask(session, "wamp.session.get", number)
    except (Gone, Problem):
        return ""
    if not isinstance(told, dict):
        return ""
    known = [(name, told.get(name)) for name in ("authid", "authrole")]
    return "".join(f', {name} "{text}"' for name, text in known if isinstance(text, str))


def _numbers(told: Any, after: int) -> Sequence[int]:
    """The ids behind one, of the lists that a router gives for each way to match."""
    lists = told.values() if isinstance(told, dict) else ()
    return sorted(
        number
        for numbers in lists
        if isinstance(numbers, list)
        for number in numbers
        if isinstance(number, int) and number > after
    )


def _held(told: Any, number: int) -> Held | None:
    if not isinstance(told, dict) or not isinstance(told.get("uri"), str):
        return None
    match = told.get("match") or "exact"
    if match not in get_args(Match):
        return None
    invoke = told.get("invoke")
    return Held(
        number,
        told["uri"],
        cast("Match", match),
        invoke if isinstance(invoke, str) else None,
        _unix_time(told.get("created")),
        None,
    )


def _counted(held: Held, count: int | None) -> Held:
    return Held(held.id, held.uri, held.match, held.invoke, held.created_at, count)


def _unix_time(written: Any) -> float | None:
    try:
        return datetime.fromisoformat(written).timestamp()
    except (TypeError, ValueError):
        return None
