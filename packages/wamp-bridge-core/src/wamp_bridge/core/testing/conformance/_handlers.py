"""The handlers that the suite has an adapter serve."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from wamp_bridge.core._deliveries import current_details
from wamp_bridge.core._errors import ApplicationError, ConfigurationError, Forbidden, Unavailable
from wamp_bridge.core._messages import CallResult, EventDetails, InvocationDetails

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

Kind = Literal["sync", "async"]

SECRET_WORD: Final = "hunter2"  # noqa: S105 - what no answer may tell
DEADLINE: Final = 60.0
"""Seconds for what takes none, on a machine that has other things to do."""

NAMES: Final = ("echo", "give", "about", "mine", "fail", "steps", "meet")
UNUSUAL_NAMES: Final = ("com.größe.☃", "com.a//b", "http://x.y/z", "com.a%20b", "~.x", "com.a+b&c")


class Declares(Protocol):
    """What handlers are declared on: a `WampBridge`, or something that looks like one."""

    def rpc(self, *args: Any, **options: Any) -> Any:
        """Return what declares a function as a procedure; see `Registry.rpc`."""

    def sub(self, *args: Any, **options: Any) -> Any:
        """Return what declares a function as a topic's receiver; see `Registry.sub`."""

    def callback(self, *args: Any, **options: Any) -> Any:
        """Return what declares a function as a receiver of outcomes; see `Registry.callback`."""


class Handlers:
    """Functions to be served, of one kind, and what they have seen.

    Args:
        kind: Whether they are `async` functions.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind
        self.seen: list[Any] = []
        self._meeting = threading.Barrier(2)

    def declare(self, app: Declares) -> None:
        """Declare all of them."""
        named: list[tuple[str, Callable[..., Any]]] = [
            ("echo", self._echo),
            ("give", self._give),
            ("about", self._about),
            ("mine", self._mine),
            ("fail", self._fail),
            ("steps", self._steps_async if self.kind == "async" else self._steps),
            ("meet", self._meet_async if self.kind == "async" else self._meet),
            *((name, self._answer) for name in UNUSUAL_NAMES),
        ]
        for name, function in named:
            app.rpc(name)(self._of_kind(function))
        app.rpc("com.pattern", match="prefix")(self._of_kind(self._about))
        app.rpc("com..wild", match="wildcard")(self._of_kind(self._about))
        app.rpc("...", match="wildcard")(self._of_kind(self._about))
        app.rpc("several", invoke="roundrobin", concurrency=4, timeout=2.5)(
            self._of_kind(self._answer)
        )
        app.sub("com.news", match="prefix", ordered=True)(self._of_kind(self._heard))
        app.sub("sold")(self._of_kind(self._heard))
        app.sub("failing")(self._of_kind(self._fail))
        for name in ("done", "größe"):
            app.callback(name)(self._of_kind(self._receiver(name)))
        app.callback("watching", progress=True)(self._of_kind(self._receiver("watching")))

    def _of_kind(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if self.kind == "sync" or inspect.iscoroutinefunction(function):
            return function
        if inspect.isasyncgenfunction(function):
            return function

        async def run(*args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(0)
            return function(*args, **kwargs)

        return functools.update_wrapper(run, function)

    def _echo(self, /, *args: Any, **kwargs: Any) -> CallResult:
        self.seen.append((args, kwargs))
        return CallResult(args, kwargs)

    def _give(self, what: str) -> Any:
        self.seen.append(what)
        return {
            "none": None,
            "one": 12,
            "text": "größe ☃ 😀",
            "tuple": (1, 2),
            "bytes": b"\0\xff",
            "several": CallResult([1, "b"], {"c": b"\0"}),
            "no result": CallResult(),
            "nan": float("nan"),
            "object": {"secret": object()},
            "key": {1: SECRET_WORD},
        }[what]

    def _answer(self) -> str:
        self.seen.append("answer")
        return "answer"

    def _about(self, /, *args: Any, details: InvocationDetails) -> str:
        self.seen.append((args, details, current_details()))
        return details.procedure

    def _mine(self, number: int, details: InvocationDetails) -> list[Any]:
        current = current_details()
        assert current is not None
        return [number, details.delivery_id, current.delivery_id]

    def _fail(self, how: str) -> None:
        self.seen.append(how)
        busy = Unavailable()
        busy.retry_after = 2.5
        raise {
            "application": ApplicationError("com.example.sold_out", "größe", left=0),
            "forbidden": Forbidden("not you"),
            "busy": busy,
            "bug": RuntimeError(SECRET_WORD),
            "type": TypeError(f"missing 1 required argument {SECRET_WORD}"),
            "end": StopIteration(SECRET_WORD),
            "cancelled": asyncio.CancelledError(SECRET_WORD),
            "setting": ConfigurationError(SECRET_WORD),
            "group": ExceptionGroup(SECRET_WORD, [RuntimeError(SECRET_WORD)]),
            "no json": ApplicationError("com.example.odd", object(), SECRET_WORD),
        }[how]

    def _meet(self) -> int:
        return self._meeting.wait(DEADLINE)

    async def _meet_async(self) -> int:
        # In a thread, because each request may have a loop of its own.
        return await asyncio.to_thread(self._meeting.wait, DEADLINE)

    def _steps(self, wanted: int, then: str = "return") -> Generator[Any, None, str]:
        try:
            for number in range(wanted):
                self.seen.append(number)
                yield self._step(number)
            self._then(then)
        except GeneratorExit:
            self.seen.append("closed")
            raise
        return "done"

    async def _steps_async(self, wanted: int, then: str = "return") -> AsyncGenerator[Any, None]:
        try:
            for number in range(wanted):
                await asyncio.sleep(0)
                self.seen.append(number)
                yield self._step(number)
            self._then(then)
        except (GeneratorExit, asyncio.CancelledError):
            self.seen.append("closed")
            raise
        yield "done"

    def _step(self, number: int) -> CallResult:
        current = current_details()
        assert isinstance(current, InvocationDetails)
        return CallResult([number], {"of": current.procedure})

    def _then(self, how: str) -> None:
        if how != "return":
            self._fail(how)

    def _heard(self, /, *args: Any, details: EventDetails, **kwargs: Any) -> None:
        self.seen.append((args, kwargs, details))

    def _receiver(self, name: str) -> Callable[[Any], None]:
        def receive(outcome: Any) -> None:
            self.seen.append((name, outcome))

        return receive
