"""Calls as streams (protocol, section 2): their progress as it comes, and how they ended.

What the events mean is said once, in `Reading`; a synchronous and an asynchronous iterator feed it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeAlias

from wamp_bridge.core import _calls as calls
from wamp_bridge.core._errors import BridgeUnreachable
from wamp_bridge.core._requests import Answer, error_in, json_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
    from types import TracebackType

    from wamp_bridge.core._messages import CallResult
    from wamp_bridge.core._requests import Send
    from wamp_bridge.core._settings import Settings

_P = ParamSpec("_P")
Beginning: TypeAlias = "Callable[Concatenate[Settings, _P], Send]"


class Reading:
    """What has come of a stream, and what it means. Pure."""

    def __init__(self) -> None:
        self.result: CallResult | None = None
        self._events: deque[tuple[str, bytes]] = deque()
        self._buffer = bytearray()
        self._over = False
        self._name = ""
        self._data = b""

    def answered(self, answer: Answer) -> None:
        """Take an answer in one piece, as it is where something was refused.

        Raises:
            BridgeError: It is an error.
        """
        error = error_in(answer)
        if error is not None:
            raise error
        if answer.headers.get("content-type", "").startswith(calls.EVENT_STREAM):
            self.feed(answer.body)
        else:  # of a bridge that has no streams
            self._events.append(("result", answer.body))

    @property
    def wants_more(self) -> bool:
        """Whether there is nothing to be taken, and there may be."""
        return not self._events and self.result is None and not self._over

    def feed(self, chunk: bytes | None) -> None:
        """Take some of the events' octets; None where no more come."""
        if chunk is None:
            self._over = True
            return
        self._buffer += chunk
        *lines, rest = self._buffer.split(b"\n")
        self._buffer = rest
        for line in lines:
            self._read(bytes(line).rstrip(b"\r"))

    def take(self) -> CallResult | None:
        """The next step; None at the end, and where none was fed.

        Raises:
            BridgeError: How the call failed, or that it didn't come to its end.
        """
        while self._events:
            name, data = self._events.popleft()
            answer = Answer(200, {}, data)
            if name == "progress":
                return calls.result_in(json_of(answer))
            if name == "result":
                self.result = calls.result_in(json_of(answer))
            elif name == "error":
                status = json_of(answer).get("status")
                error = error_in(Answer(status if isinstance(status, int) else 500, {}, data))
                if error is not None:
                    raise error
        if self._over and self.result is None:
            raise BridgeUnreachable.explained("the bridge ended the stream before the call's end")
        return None

    def _read(self, line: bytes) -> None:
        """Take a line of server-sent events (WHATWG HTML, section 9.2.6)."""
        if not line:
            if self._data:
                self._events.append((self._name, self._data))
            self._name, self._data = "", b""
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = value.decode("utf-8", "replace")
        elif field == b"data":
            self._data = self._data + b"\n" + value if self._data else value


class _Steps:
    """What both kinds have in common."""

    def __init__(self, reading: Reading, *, full: bool) -> None:
        self._reading = reading
        self._full = full
        self._closed = False

    @property
    def result(self) -> Any:
        """The result, as `call` would have returned it.

        Raises:
            RuntimeError: There is none: not all steps were taken, or the call failed.
        """
        if self._reading.result is None:
            raise RuntimeError("there is a result when all steps were taken")
        return self._shown(self._reading.result)

    def _shown(self, result: CallResult) -> Any:
        return result if self._full else result.value


class Steps(_Steps):
    """The progress of a call, step by step, for code that waits in its thread.

    An iterator, and a context manager. The call is made when the first step is asked for. Who
    closes it before its end, or lets go of it, cancels the call.
    """

    def __init__(
        self, chunks: Generator[bytes, None, None], reading: Reading, *, full: bool
    ) -> None:
        super().__init__(reading, full=full)
        self._chunks = chunks

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        if self._closed:
            raise StopIteration
        try:
            while (step := self._reading.take()) is None and self._reading.wants_more:
                self._reading.feed(next(self._chunks, None))
        except BaseException:
            self.close()
            raise
        if step is None:
            self.close()
            raise StopIteration
        return self._shown(step)

    def close(self) -> None:
        """Take no more steps; a call that has not ended is cancelled."""
        self._closed = True
        self._chunks.close()


class AsyncSteps(_Steps):
    """The progress of a call, step by step, for code that waits on a loop.

    As `Steps`, with `async for` and `async with`.
    """

    def __init__(
        self, chunks: AsyncGenerator[bytes, None], reading: Reading, *, full: bool
    ) -> None:
        super().__init__(reading, full=full)
        self._chunks = chunks

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        if self._closed:
            raise StopAsyncIteration
        try:
            while (step := self._reading.take()) is None and self._reading.wants_more:
                self._reading.feed(await anext(self._chunks, None))
        except BaseException:
            await self.aclose()
            raise
        if step is None:
            await self.aclose()
            raise StopAsyncIteration
        return self._shown(step)

    async def aclose(self) -> None:
        """Take no more steps; a call that has not ended is cancelled."""
        self._closed = True
        await self._chunks.aclose()


class Streaming(ABC):
    """What makes calls as streams, for code that waits in its thread."""

    @abstractmethod
    def _chunks(
        self, reading: Reading, begin: Beginning[_P], *args: _P.args, **kwargs: _P.kwargs
    ) -> Generator[bytes, None, None]:
        """Send a request when this is first asked; what is answered goes to `reading` or comes."""

    def stream(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        options: Mapping[str, Any] | None = None,
        full: bool = False,
    ) -> Steps:
        """Call a procedure, and take its progress as it comes.

        ::

            steps = bridge.stream("com.shop.import", [1000])
            for done in steps:
                print(done)
            print(steps.result)

        Args:
            procedure: As for `call`.
            args: As for `call`.
            kwargs: As for `call`.
            timeout: Seconds to wait for the result, as for `call`.
            options: WAMP's options of the call.
            full: Give each step, and the result, as a `CallResult`.

        Returns:
            What is to be iterated over. That raises what `call` raises, and has the `result` at
            its end.
        """
        reading = Reading()
        asked: dict[str, Any] = {"timeout": timeout, "options": options}
        chunks = self._chunks(reading, calls.stream, procedure, args, kwargs, **asked)
        return Steps(chunks, reading, full=full)


class AsyncStreaming(ABC):
    """What makes calls as streams, for code that waits on a loop."""

    @abstractmethod
    def _chunks(
        self, reading: Reading, begin: Beginning[_P], *args: _P.args, **kwargs: _P.kwargs
    ) -> AsyncGenerator[bytes, None]:
        """As in `Streaming`."""

    def stream(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        options: Mapping[str, Any] | None = None,
        full: bool = False,
    ) -> AsyncSteps:
        """As `Bridge.stream`, for `async for`; not to be awaited."""
        reading = Reading()
        asked: dict[str, Any] = {"timeout": timeout, "options": options}
        chunks = self._chunks(reading, calls.stream, procedure, args, kwargs, **asked)
        return AsyncSteps(chunks, reading, full=full)
