"""`call` and `publish`, which clients and apps have alike: in a thread, and on a loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeAlias, TypeVar, overload

from wamp_bridge.core import _operations as operations

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wamp_bridge.core._messages import CallResult, PendingCall
    from wamp_bridge.core._requests import Exchange
    from wamp_bridge.core._settings import Settings

_P = ParamSpec("_P")
_T = TypeVar("_T")
Operation: TypeAlias = "Callable[Concatenate[Settings, _P], Exchange[_T]]"
"""One of `_operations`."""


class Calling(ABC):
    """What calls and publishes, and waits in its thread for what comes of it."""

    @abstractmethod
    def _ask(self, operation: Operation[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Ask this of the bridge, and wait for the outcome."""

    def checked_callback(self, callback: str | None) -> str | None:
        """The callback of a call; whoever knows which there are refuses another."""
        return callback

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
            options: WAMP's options of the call.
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
            operations.call,
            procedure,
            args,
            kwargs,
            timeout=timeout,
            callback=self.checked_callback(callback),
            options=options,
            full=full,
        )

    def publish(
        self,
        topic: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        options: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> int | None:
        """Publish an event.

        Args:
            topic: Its name; `WAMP_BRIDGE_PREFIX` goes before one without a dot.
            args: Positional arguments, or keyword arguments where it is a mapping.
            kwargs: Keyword arguments.
            options: `acknowledge`, `exclude_me`, `exclude`, `eligible`, `retain` and the rest of
                WAMP's.
            timeout: Seconds to wait for the bridge; `WAMP_BRIDGE_TIMEOUT` if left out.

        Returns:
            The publication's id; None where `acknowledge` is false.

        Raises:
            Unavailable: The bridge or its router is away.
            BridgeError: Anything else that the bridge answered.
        """
        return self._ask(operations.publish, topic, args, kwargs, options=options, timeout=timeout)


class AsyncCalling(ABC):
    """What calls and publishes, and waits on its loop for what comes of it."""

    @abstractmethod
    async def _ask(self, operation: Operation[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Ask this of the bridge, and await the outcome."""

    def checked_callback(self, callback: str | None) -> str | None:
        """As in `Calling`."""
        return callback

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
        full: bool = False,
    ) -> Any:
        """As `Bridge.call`, awaited."""
        return await self._ask(
            operations.call,
            procedure,
            args,
            kwargs,
            timeout=timeout,
            callback=self.checked_callback(callback),
            options=options,
            full=full,
        )

    async def publish(
        self,
        topic: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        options: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> int | None:
        """As `Bridge.publish`, awaited."""
        return await self._ask(
            operations.publish, topic, args, kwargs, options=options, timeout=timeout
        )
