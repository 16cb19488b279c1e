"""What a session has asked the router and waits to hear, and what it holds there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from wamp_bridge_server.backends.base import WampError

if TYPE_CHECKING:
    from collections.abc import Callable

    from autobahn.wamp.message import Message

    from wamp_bridge_server.backends.base import Match


@dataclass(slots=True)
class _Request:
    future: asyncio.Future[Any]
    reply: type[Message]
    accept: Callable[[Any], Any]
    undo: Callable[[Any], None] | None
    refuse: Callable[[WampError], None] | None
    progress: Callable[[Any], None] | None


class Requests:
    """Requests under way, by their ids.

    Args:
        send: Sends a message; what it raises, the request raises.
    """

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._next = 1
        self._waiting: dict[int, _Request] = {}

    @property
    def futures(self) -> list[asyncio.Future[Any]]:
        """Those of the requests under way."""
        return [request.future for request in self._waiting.values()]

    def tell(self, build: Callable[[int], Message]) -> None:
        """Send a request that is not answered."""
        # Ids are used without gaps (WAMP, "IDs"), so none is used up by what isn't sent.
        self._send(build(self._next))
        self._next += 1

    def ask(
        self,
        build: Callable[[int], Message],
        reply: type[Message],
        accept: Callable[[Any], Any],
        *,
        undo: Callable[[Any], None] | None = None,
        refuse: Callable[[WampError], None] | None = None,
        progress: Callable[[Any], None] | None = None,
    ) -> tuple[int, asyncio.Future[Any]]:
        """Send a request; its id, and the future that its answer resolves.

        Args:
            build: Makes the message of the request's id.
            reply: The kind of a good answer.
            accept: Makes the future's value of a good answer, as soon as it is there.
            undo: Is given that value where nobody waits for it any more.
            refuse: Is told the error of a bad answer, as soon as it is there.
            progress: Takes what `accept` makes of each good answer that isn't the last.
        """
        number = self._next
        self.tell(build)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = _Request(future, reply, accept, undo, refuse, progress)
        return number, future

    def forget(self, number: int) -> asyncio.Future[Any] | None:
        """Give a request up; its future where it was still under way."""
        request = self._waiting.pop(number, None)
        return None if request is None else request.future

    def renew(self, number: int) -> asyncio.Future[Any] | None:
        """Wait for a request's answer by another future, where the first was cancelled."""
        request = self._waiting.get(number)
        if request is None:
            return None
        request.future = asyncio.get_running_loop().create_future()
        return request.future

    def answered(self, number: int, msg: Message) -> None:
        """Take a good answer. One that comes late is ignored."""
        request = self._waiting.get(number)
        if request is None or type(msg) is not request.reply:
            return
        del self._waiting[number]
        value = request.accept(msg)
        if not request.future.done():
            request.future.set_result(value)
        elif request.undo is not None:
            request.undo(value)

    def progressed(self, number: int, msg: Message) -> None:
        """Take a good answer that isn't the last. One that nobody waits for is ignored."""
        request = self._waiting.get(number)
        if request is None or type(msg) is not request.reply or request.future.done():
            return
        if request.progress is not None:
            request.progress(request.accept(msg))

    def refused(self, number: int, error: WampError) -> None:
        """Take a bad answer. One that comes late is ignored."""
        request = self._waiting.pop(number, None)
        if request is None:
            return
        if request.refuse is not None:
            request.refuse(error)
        if not request.future.done():
            request.future.set_exception(error)

    def fail_all(self, make: Callable[[], Exception]) -> None:
        """Fail everything under way."""
        waiting, self._waiting = self._waiting, {}
        for request in waiting.values():
            if not request.future.done():
                request.future.set_exception(make())


class Pattern(NamedTuple):
    """A URI with how it matches."""

    uri: str
    match: Match


class Holdings:
    """The registrations, or the subscriptions, of a session.

    A router answers a second request for the same URI with the first one's id, and what was then
    taken back once would be gone for both. So each is held once.

    Args:
        conflict: The error's URI where one is asked for a second time.
        unknown: The error's URI where one is taken back that isn't held.
    """

    def __init__(self, conflict: str, unknown: str) -> None:
        self._conflict = conflict
        self._unknown = unknown
        self._claimed: set[Pattern] = set()
        self._held: dict[int, Pattern] = {}

    def __len__(self) -> int:
        return len(self._held)

    def claim(self, pattern: Pattern) -> None:
        """Note that it is being asked for. Raises `WampError` where it is held already."""
        if pattern in self._claimed:
            raise WampError(self._conflict, [f"This session holds {pattern.uri} already."])
        self._claimed.add(pattern)

    def release(self, pattern: Pattern) -> None:
        """Note that it was refused."""
        self._claimed.discard(pattern)

    def keep(self, number: int, pattern: Pattern) -> int:
        """Note the router's id for it."""
        self._held[number] = pattern
        return number

    def get(self, number: int) -> Pattern | None:
        """What the router's id stands for."""
        return self._held.get(number)

    def holds(self, pattern: Pattern) -> bool:
        """Whether the router holds it."""
        return pattern in self._held.values()

    def require(self, number: int) -> Pattern:
        """What the router's id stands for. Raises `WampError` where it isn't held."""
        pattern = self._held.get(number)
        if pattern is None:
            raise WampError(self._unknown, [f"This session does not hold {number}."])
        return pattern

    def drop(self, number: int) -> None:
        """Note that it was taken back."""
        pattern = self._held.pop(number, None)
        if pattern is not None:
            self._claimed.discard(pattern)
