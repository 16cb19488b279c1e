"""Handlers that answer in steps: generators, and the lines that are made of what they yield.

Each step is one line of newline-delimited JSON, and so is how it ended (protocol, section 3). What
a line is made of is said once, in `_Step`; a synchronous and an asynchronous iterator ask for it.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias, TypeVar

from wamp_bridge.core._callables import is_cancelled, is_on_a_loop
from wamp_bridge.core._errors import InvalidValue
from wamp_bridge.core._json import AROUND, dumps
from wamp_bridge.core._messages import CallResult

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterator
    from contextlib import AbstractContextManager
    from types import TracebackType

_T = TypeVar("_T")
Run: TypeAlias = "Callable[[Callable[[], Any]], Awaitable[Any]]"

STREAM_TYPE: Final = "application/x-ndjson"


def is_steps(value: Any) -> bool:
    """Whether a handler returned a generator."""
    return inspect.isgenerator(value) or inspect.isasyncgen(value)


def result_of(steps: Generator[Any, Any, _T]) -> _T:
    """Run a generator to its end: what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            value: _T = end.value
            return value


async def last_of(steps: AsyncGenerator[Any, Any]) -> Any:
    """Run an asynchronous generator to its end: the last that it yields, as it can't return."""
    value: Any = None
    async for step in steps:
        value = step
    return value


def line_of(kind: str, value: Any) -> bytes:
    """A step, or the result, as a line.

    Raises:
        InvalidValue: It is none of JSON.
    """
    result = value if isinstance(value, CallResult) else CallResult([value])
    members = {"args": list(result.args), "kwargs": dict(result.kwargs)}
    return dumps({kind: members}, around=AROUND) + b"\n"


class Stepping:
    """A handler's generator on its way to become lines.

    Args:
        steps: What the handler returned.
        within: What its code is run in.
        failed: Makes a line of what it raised; or, where the second is false, of what is wrong with
            what it yielded.
        left: Called when it is closed before its end.
    """

    def __init__(
        self,
        steps: Any,
        within: Callable[[], AbstractContextManager[object]],
        failed: Callable[[Exception, bool], bytes],
        left: Callable[[], object],
    ) -> None:
        self.steps = steps
        self.within = within
        self.failed = failed
        self.ended = False
        self.last: Any = None
        self._left = left
        # A step of a synchronous one may be under way in a thread while it is closed.
        self._lock = threading.Lock()

    @property
    def is_async(self) -> bool:
        """Whether it is an asynchronous generator."""
        return inspect.isasyncgen(self.steps)

    def advance(self) -> bytes | None:
        """Run a synchronous one on to its next line; None at the end."""
        with self._lock:
            if self.ended:
                return None
            with _Step(self) as step:
                step.value = next(self.steps)
            if self.ended:
                with self._cleaning_up():
                    self.steps.close()
        return step.line

    async def advance_async(self) -> bytes | None:
        """Run an asynchronous one on to its next line; None at the end."""
        if self.ended:
            return None
        with _Step(self) as step:
            step.value = await anext(self.steps)
        if self.ended:
            with self._cleaning_up():
                await self.steps.aclose()
        return step.line

    def close(self) -> None:
        """Have a synchronous one clean up after itself: `GeneratorExit` where it stands."""
        self._leave()
        with self._lock, self._cleaning_up():
            self.ended = True
            self.steps.close()

    async def close_async(self) -> None:
        """Have an asynchronous one clean up after itself."""
        self._leave()
        self.ended = True
        with self._cleaning_up():
            await self.steps.aclose()

    def _leave(self) -> None:
        if not self.ended:
            self._left()

    @contextmanager
    def _cleaning_up(self) -> Iterator[None]:
        """Within, its end is made known to it. What goes wrong then is logged, for nobody waits."""
        try:
            with self.within():
                yield
        except Exception as error:  # noqa: BLE001 - whatever a handler raises
            self.failed(error, False)


class _Step:
    """One run of a generator, to be entered while it runs; then there is a line."""

    def __init__(self, stepping: Stepping) -> None:
        self._of = stepping
        self._within = stepping.within()
        self.value: Any = None
        self.line: bytes | None = None

    def __enter__(self) -> Self:
        self._within.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self._within.__exit__(None, None, None)
        of = self._of
        if isinstance(error, asyncio.CancelledError) and not is_cancelled():
            cause, error = error, RuntimeError("the handler awaited what was cancelled")
            error.__cause__ = cause
        try:
            if error is None:
                of.last = self.value
                self.line = line_of("progress", self.value)
            elif isinstance(error, StopIteration):
                of.ended, self.line = True, line_of("result", error.value)
            elif isinstance(error, StopAsyncIteration):
                of.ended, self.line = True, line_of("result", of.last)
        except InvalidValue as unsuited:
            of.ended, self.line = True, of.failed(unsuited, False)
        if self.line is None:
            of.ended = True
            if not isinstance(error, Exception):
                return False  # a cancelled task or an interpreter that ends
            self.line = of.failed(error, True)
        return True


class Lines:
    """The lines of a generator, for code that waits in its thread.

    An asynchronous one runs on a loop of its own, from its first step to its end.
    """

    def __init__(self, stepping: Stepping) -> None:
        self._stepping = stepping
        self._loop = _Loop() if stepping.is_async else None
        self._closed = False

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> bytes:
        if self._closed:
            raise StopIteration
        loop, stepping = self._loop, self._stepping
        line = stepping.advance() if loop is None else loop.run(stepping.advance_async)
        if line is None:
            self.close()
            raise StopIteration
        return line

    def close(self) -> None:
        """Make no more; the generator cleans up after itself."""
        if self._closed:
            return
        self._closed = True
        if self._loop is None:
            self._stepping.close()
        else:
            self._loop.run(self._stepping.close_async)
            self._loop.close()


class AsyncLines:
    """The lines of a generator, for code that waits on a loop.

    Args:
        stepping: The generator.
        run: What runs the steps of a synchronous one.
    """

    def __init__(self, stepping: Stepping, run: Run) -> None:
        self._stepping = stepping
        self._run = run

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        stepping = self._stepping
        try:
            while True:
                if stepping.is_async:
                    line = await stepping.advance_async()
                else:
                    line = await self._run(stepping.advance)
                if line is None:
                    return
                yield line
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Make no more; the generator cleans up after itself. Does no harm when done twice."""
        if self._stepping.is_async:
            await self._stepping.close_async()
        else:
            await self._run(self._stepping.close)


class _Loop:
    """A loop for several calls one after the other: in this thread, where it has none already."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._thread: ThreadPoolExecutor | None = None

    def run(self, function: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        if self._thread is None and is_on_a_loop():
            self._thread = ThreadPoolExecutor(1)
        if self._thread is None:
            return self._runner.run(function())
        return self._thread.submit(lambda: self._runner.run(function())).result()

    def close(self) -> None:
        if self._thread is None:
            self._runner.close()
        else:
            self._thread.submit(self._runner.close).result()
            self._thread.shutdown()
