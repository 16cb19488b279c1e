"""`call` and its like, of clients and apps alike: in a thread, and on a loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from wamp_bridge.core import _calls as calls
from wamp_bridge.core._streamed_calls import AsyncStreamedCalls, StreamedCalls
from wamp_bridge.core._topics import AsyncTopics, Topics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wamp_bridge.core._messages import CallResult, CallState, PendingCall
    from wamp_bridge.core._uris import CancelMode


class Calling(Topics, StreamedCalls):
    """What calls and publishes, and waits in its thread for what comes of it."""

    def checked_callback(self, callback: str | None) -> str | None:
        """The callback of a call; whoever knows which there are refuses another."""
        return callback

    def call_options(
        self, callback: str | None, options: Mapping[str, Any] | None
    ) -> Mapping[str, Any] | None:
        """The options of a call; whoever knows that its callback takes progress asks for that."""
        del callback
        return options

    @overload
    def call(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        callback: None = None,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        full: Literal[False] = False,
    ) -> Any: ...

    @overload
    def call(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        callback: None = None,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        full: Literal[True],
    ) -> CallResult: ...

    @overload
    def call(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        callback: str,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        full: bool = False,
    ) -> PendingCall: ...

    def call(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        callback: str | None = None,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        full: bool = False,
    ) -> Any:
        """Call a procedure.

        Args:
            procedure: Its name; `WAMP_BRIDGE_PREFIX` goes before one without a dot.
            args: Positional arguments, or keyword arguments where it is a mapping.
            kwargs: Keyword arguments.
            timeout: Seconds to wait for the result; `WAMP_BRIDGE_TIMEOUT` if left out.
            callback: Don't wait; the outcome goes to this URL, or to the `callback` handler of
                this name.
            options: WAMP's options of the call: `cancel_mode` (`skip`, `kill`, `killnowait`), and
                `receive_progress` where there is a callback, which a `callback` handler that is
                declared with `progress` asks for by itself.
            idempotency_key: Of 1 to 255 ASCII characters, and for this call alone: with it, the
                bridge makes the call once and keeps its answer for a day. A request that was cut
                off is sent again, and so may you ask again after an error, with the same key.
            full: Return the `CallResult`, with keyword results.

        Returns:
            The one positional result, the list where there are several, None where there is
            none; a `PendingCall` where a callback is given.

        Raises:
            NoSuchProcedure: Nobody serves it.
            InvalidArgument: It doesn't take these arguments.
            CallTimeout: There was no result in time.
            ApplicationError: It failed with an error of its own.
            Unavailable: The bridge, its router or the callee is away.
            BridgeError: Anything else that the bridge answered.
        """
        return self._ask(
            calls.call,
            procedure,
            args,
            kwargs,
            timeout=timeout,
            callback=self.checked_callback(callback),
            options=self.call_options(callback, options),
            idempotency_key=idempotency_key,
            full=full,
        )

    def start_call(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        callback: str | None = None,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> PendingCall:
        """Begin a call without waiting for its end; `read_call` tells of it.

        Args:
            procedure: As for `call`.
            args: As for `call`.
            kwargs: As for `call`.
            timeout: Seconds that the call may take; an hour if left out, a day at most.
            callback: Where the outcome goes too, as for `call`.
            options: WAMP's options of the call.
            idempotency_key: As for `call`: the same key, the same `PendingCall`.

        Raises:
            Unavailable: The bridge is away, or takes no more calls of this app now.
            BridgeError: Anything else that the bridge answered.
        """
        return self._ask(
            calls.start_call,
            procedure,
            args,
            kwargs,
            timeout=timeout,
            callback=self.checked_callback(callback),
            options=self.call_options(callback, options),
            idempotency_key=idempotency_key,
        )

    def read_call(self, call: PendingCall | str) -> CallState:
        """How a call stands that is not waited for.

        Args:
            call: What began it returned, or its id.

        Raises:
            NotFound: This app has made no such call, or it ended too long ago.
            BridgeError: Anything else that the bridge answered.
        """
        return self._ask(calls.read_call, call)

    def cancel_call(self, call: PendingCall | str, mode: CancelMode | None = None) -> CallState:
        """Cancel a call that is not waited for; how it stands then. One that has ended stays so.

        Args:
            call: What began it returned, or its id.
            mode: `skip` leaves the callee alone, `kill` waits until it has ended, `killnowait` does
                not; the last, or what the call's options say, if left out.
        """
        return self._ask(calls.cancel_call, call, mode)


class AsyncCalling(AsyncTopics, AsyncStreamedCalls):
    """What calls and publishes, and waits on its loop for what comes of it."""

    def checked_callback(self, callback: str | None) -> str | None:
        """As in `Calling`."""
        return callback

    def call_options(
        self, callback: str | None, options: Mapping[str, Any] | None
    ) -> Mapping[str, Any] | None:
        """As in `Calling`."""
        del callback
        return options

    @overload
    async def call(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        callback: None = None,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        full: Literal[False] = False,
    ) -> Any: ...

    @overload
    async def call(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        callback: None = None,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        full: Literal[True],
    ) -> CallResult: ...

    @overload
    async def call(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        callback: str,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        full: bool = False,
    ) -> PendingCall: ...

    async def call(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        callback: str | None = None,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        full: bool = False,
    ) -> Any:
        """As `Bridge.call`, awaited."""
        return await self._ask(
            calls.call,
            procedure,
            args,
            kwargs,
            timeout=timeout,
            callback=self.checked_callback(callback),
            options=self.call_options(callback, options),
            idempotency_key=idempotency_key,
            full=full,
        )

    async def start_call(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        callback: str | None = None,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> PendingCall:
        """As `Bridge.start_call`, awaited."""
        return await self._ask(
            calls.start_call,
            procedure,
            args,
            kwargs,
            timeout=timeout,
            callback=self.checked_callback(callback),
            options=self.call_options(callback, options),
            idempotency_key=idempotency_key,
        )

    async def read_call(self, call: PendingCall | str) -> CallState:
        """As `Bridge.read_call`, awaited."""
        return await self._ask(calls.read_call, call)

    async def cancel_call(
        self, call: PendingCall | str, mode: CancelMode | None = None
    ) -> CallState:
        """As `Bridge.cancel_call`, awaited."""
        return await self._ask(calls.cancel_call, call, mode)
