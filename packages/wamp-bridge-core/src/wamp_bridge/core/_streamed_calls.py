"""Calls as streams (protocol, section 2): their progress as it comes, and how they ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from wamp_bridge.core import _arguments as arguments
from wamp_bridge.core._asking import Asking, AsyncAsking
from wamp_bridge.core._calls import result_in, segment
from wamp_bridge.core._errors import BridgeUnreachable
from wamp_bridge.core._event_streams import EVENT_STREAM, Deliver, Open, Reader, Receive
from wamp_bridge.core._operations import budget
from wamp_bridge.core._requests import (
    GRACE_SECONDS,
    Answer,
    Failure,
    Outgoing,
    encoded,
    error_in,
    error_of_failure,
    json_of,
    payload,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
    from types import TracebackType

    from wamp_bridge.core._event_streams import Flow
    from wamp_bridge.core._messages import CallResult
    from wamp_bridge.core._settings import Settings


@dataclass(frozen=True, slots=True)
class Ended:
    """The last that comes of a call: its result."""

    result: CallResult


def call(
    settings: Settings,
    procedure: str,
    args: Sequence[Any] | Mapping[str, Any] | None,
    kwargs: Mapping[str, Any] | None,
    *,
    timeout: float | None,
    options: Mapping[str, Any] | None,
) -> Flow[CallResult | Ended]:
    """Call a procedure as a stream: its steps, and its result. It is sent once.

    Raises:
        BridgeError: How the call failed, or that it didn't come to its end.
    """
    seconds = budget(settings, timeout)
    members = payload(args, kwargs)
    members["options"] = None if options is None else arguments.mapping("options", options)
    members["timeout"] = seconds
    path, within = f"call/{segment(settings, 'procedure', procedure)}/", seconds + GRACE_SECONDS
    headers = {"accept": EVENT_STREAM}
    return _flow(
        Outgoing("POST", path, encoded(members), within, repeatable=False, headers=headers)
    )


def _flow(request: Outgoing) -> Flow[CallResult | Ended]:
    came = yield Open(request, silence=request.budget)
    if came is not True:
        yield Deliver(Ended(_result(came)))  # of a bridge that has no streams
        return
    reader = Reader()
    while isinstance(came := (yield Receive()), bytes):
        for message in reader.feed(came):
            answer = Answer(200, {}, message.data)
            if message.event == "progress":
                yield Deliver(_result(answer))
            elif message.event == "result":
                yield Deliver(Ended(_result(answer)))
                return
            elif message.event == "error":
                status = json_of(answer).get("status")
                _result(Answer(status if isinstance(status, int) else 500, {}, message.data))
    if isinstance(came, Failure):
        raise error_of_failure(came)
    raise BridgeUnreachable.explained("the bridge ended the stream before the call's end")


def _result(came: object) -> CallResult:
    """The result in an answer.

    Raises:
        BridgeError: It is an error, or there is none.
    """
    if isinstance(came, Failure):
        raise error_of_failure(came)
    assert isinstance(came, Answer)  # noqa: S101 - what an Open is answered with
    error = error_in(came)
    if error is not None:
        raise error
    return result_in(json_of(came))


class _Steps:
    """What both kinds have in common."""

    def __init__(self, *, full: bool) -> None:
        self._result: CallResult | None = None
        self._full = full
        self._closed = False

    @property
    def result(self) -> Any:
        """The result, as `call` would have returned it.

        Raises:
            RuntimeError: There is none: not all steps were taken, or the call failed.
        """
        if self._result is None:
            raise RuntimeError("there is a result when all steps were taken")
        return self._shown(self._result)

    def _shown(self, result: CallResult) -> Any:
        return result if self._full else result.value


class Steps(_Steps):
    """The progress of a call, step by step, for code that waits in its thread.

    An iterator, and a context manager. The call is made when the first step is asked for. Who
    closes it before its end, or lets go of it, cancels the call.
    """

    def __init__(self, came: Generator[CallResult | Ended, None, None], *, full: bool) -> None:
        super().__init__(full=full)
        self._came = came

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
            step = next(self._came)
        except BaseException:
            self.close()
            raise
        if isinstance(step, Ended):
            self._result = step.result
            self.close()
            raise StopIteration
        return self._shown(step)

    def close(self) -> None:
        """Take no more steps; a call that has not ended is cancelled."""
        self._closed = True
        self._came.close()


class AsyncSteps(_Steps):
    """The progress of a call, step by step, for code that waits on a loop.

    As `Steps`, with `async for` and `async with`.
    """

    def __init__(self, came: AsyncGenerator[CallResult | Ended, None], *, full: bool) -> None:
        super().__init__(full=full)
        self._came = came

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
            step = await anext(self._came)
        except BaseException:
            await self.aclose()
            raise
        if isinstance(step, Ended):
            self._result = step.result
            await self.aclose()
            raise StopAsyncIteration
        return self._shown(step)

    async def aclose(self) -> None:
        """Take no more steps; a call that has not ended is cancelled."""
        self._closed = True
        await self._came.aclose()


class StreamedCalls(Asking):
    """What makes calls as streams, and waits in its thread."""

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
        came = self._stream(call, procedure, args, kwargs, timeout=timeout, options=options)
        return Steps(came, full=full)


class AsyncStreamedCalls(AsyncAsking):
    """What makes calls as streams, and waits on its loop."""

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
        came = self._stream(call, procedure, args, kwargs, timeout=timeout, options=options)
        return AsyncSteps(came, full=full)
