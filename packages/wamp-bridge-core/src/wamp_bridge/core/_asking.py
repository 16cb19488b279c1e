"""How clients and apps ask something of the bridge: for an answer, and for a stream of events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from wamp_bridge.core._event_streams import Flow
    from wamp_bridge.core._requests import Exchange
    from wamp_bridge.core._settings import Settings

_P = ParamSpec("_P")
_T = TypeVar("_T")
Operation: TypeAlias = "Callable[Concatenate[Settings, _P], Exchange[_T]]"
"""One of `_calls`, `_operations` or their like."""
Streaming: TypeAlias = "Callable[Concatenate[Settings, _P], Flow[_T]]"
"""What begins a flow: to follow a topic, or the steps of a call."""


class Asking(ABC):
    """What asks, and waits in its thread."""

    @abstractmethod
    def _ask(self, operation: Operation[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Ask this of the bridge, and wait for the outcome."""

    @abstractmethod
    def _stream(
        self, streaming: Streaming[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> Generator[_T, None, None]:
        """What a stream delivers; it is asked for when the first of it is."""


class AsyncAsking(ABC):
    """What asks, and waits on its loop."""

    @abstractmethod
    async def _ask(self, operation: Operation[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Ask this of the bridge, and await the outcome."""

    @abstractmethod
    def _stream(
        self, streaming: Streaming[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> AsyncGenerator[_T, None]:
        """What a stream delivers; it is asked for when the first of it is."""
