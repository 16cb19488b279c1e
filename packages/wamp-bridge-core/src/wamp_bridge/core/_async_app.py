"""`AsyncWampBridgeBase`: all of wamp-bridge for an app whose code waits on a loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar

from wamp_bridge.core._bridge_app import BridgeApp
from wamp_bridge.core._callables import check_off_loop
from wamp_bridge.core._calling import AsyncCalling

if TYPE_CHECKING:
    from wamp_bridge.core._calling import Operation
    from wamp_bridge.core._messages import Source

_P = ParamSpec("_P")
_T = TypeVar("_T")


class AsyncWampBridgeBase(BridgeApp, AsyncCalling):
    """A `BridgeApp` whose code waits on its loop for what it asks of the bridge.

    Code in a thread has `bridge`, which asks the same and waits there.
    """

    @staticmethod
    def check_wait() -> None:
        """Refuse to wait in `bridge` where a loop runs: it is the server's, as `call` awaits it.

        Raises:
            BlockedLoop: One runs in this thread.
        """
        check_off_loop("`await call(...)` or `await publish(...)`")

    async def _ask(self, operation: Operation[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await self.async_bridge._ask(operation, *args, **kwargs)  # noqa: SLF001 - of our kind

    async def announce(self, *, wait: bool = False) -> Source:
        """Announce this app now; see `AsyncBridge.announce`. `announcer` does it by itself."""
        return await self.async_bridge.announce(wait=wait)

    async def withdraw(self) -> None:
        """Take back all that this app serves, and announce it no more by itself."""
        self.announcer.stop()
        await self.async_bridge.withdraw()
