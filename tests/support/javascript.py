"""A WAMP client of another make, autobahn-js from npm, to talk with the bridge through a router."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from support.peers import ApplicationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

__all__ = ["ApplicationError", "JavaScriptPeer", "joined_by_javascript"]

PATIENCE = 15.0


class JavaScriptPeer:
    """A joined session of autobahn-js, in a process of its own. Bytes are `{"bytes": BASE64}`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.id = 0
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.invocations: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._process = process
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._progress: dict[int, Callable[[Any], None]] = {}
        self._joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def call(self, procedure: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call; the result if it is one value, else what autobahn-js has as args and kwargs.

        A task that is cancelled cancels the call.

        Raises:
            ApplicationError: The call's error.
        """
        return await self._call({"uri": procedure, "args": args, "kwargs": kwargs})

    async def call_in_steps(
        self, procedure: str, /, *args: Any, on_progress: Callable[[Any], None]
    ) -> Any:
        """As `call`; its progressive results are handed on as they come, each as a result is."""
        request = {"uri": procedure, "args": args, "options": {"receive_progress": True}}
        return await self._call(request, on_progress)

    async def release(self) -> None:
        """Have its `count` go on to the last step."""
        await self._ask("release")

    async def _call(
        self, request: dict[str, Any], on_progress: Callable[[Any], None] | None = None
    ) -> Any:
        number = next(self._numbers)
        if on_progress is not None:
            self._progress[number] = on_progress
        try:
            return _shown(await self._ask("call", number, **request))
        except asyncio.CancelledError:
            await self._ask("cancel", call=number)
            raise
        finally:
            self._progress.pop(number, None)

    async def publish(
        self,
        topic: str,
        /,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> int:
        """Publish, and wait for the acknowledgement; the publication's id."""
        number: int = await self._ask(
            "publish", uri=topic, args=args, kwargs=kwargs or {}, options=options
        )
        return number

    async def register(self, procedure: str, does: str = "echo", **options: Any) -> None:
        """Register one of the procedures of `peer.cjs`, whose invocations are in `invocations`."""
        await self._ask("register", uri=procedure, does=does, options=options)

    async def subscribe(self, topic: str, **options: Any) -> None:
        """Subscribe; what arrives is in `events`."""
        await self._ask("subscribe", uri=topic, options=options)

    async def event(self) -> dict[str, Any]:
        """The next event, with its `args`, `kwargs` and `details`."""
        async with asyncio.timeout(PATIENCE):
            return await self.events.get()

    async def _ask(self, action: str, number: int | None = None, **request: Any) -> Any:
        number = next(self._numbers) if number is None else number
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        line = json.dumps({"id": number, "action": action, **request})
        self._process.stdin.write(line.encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            return await answer

    async def has_joined(self) -> None:
        """Wait until it has joined."""
        async with asyncio.timeout(PATIENCE):
            await self._joined

    async def listen(self) -> None:
        """Take what the process tells, until its end."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            if line.startswith(b"{"):
                self._take(json.loads(line))
        gone = ConnectionError("autobahn-js has ended")
        for future in [self._joined, *self._waiting.values()]:
            if not future.done():
                future.set_exception(gone)
                future.exception()  # taken note of; nobody may wait for it

    def _take(self, told: dict[str, Any]) -> None:
        match told:
            case {"joined": number}:
                self.id = number
                self._joined.set_result(None)
            case {"event": event}:
                self.events.put_nowait(event)
            case {"invocation": invocation}:
                self.invocations.put_nowait(invocation)
            case {"progress": number, "step": step}:
                if (take := self._progress.get(number)) is not None:
                    take(_shown(step))
            case {"id": number, "answer": answer}:
                if not (asked := self._waiting.pop(number)).done():
                    asked.set_result(answer)
            case {"id": number, "error": error}:
                failure = ApplicationError(error["uri"], *error["args"], **error["kwargs"])
                if not (asked := self._waiting.pop(number)).done():
                    asked.set_exception(failure)
            case _:
                pass


def _shown(result: dict[str, Any]) -> Any:
    only = len(result["args"]) == 1 and not result["kwargs"]
    return result["args"][0] if only else result


@asynccontextmanager
async def joined_by_javascript(
    package: Path, url: str, *, realm: str = "realm1", serializer: str = "json"
) -> AsyncIterator[JavaScriptPeer]:
    """Join a router by autobahn-js.

    Args:
        package: Where npm has installed what `peer.cjs` needs.
        url: The router's, for WebSocket.
        realm: Name of the realm.
        serializer: `cbor`, `msgpack` or `json`.
    """
    process = await asyncio.create_subprocess_exec(
        *("node", "peer.cjs", url, realm, serializer),
        cwd=package,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    peer = JavaScriptPeer(process)
    listening = asyncio.create_task(peer.listen())
    try:
        await peer.has_joined()
        yield peer
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await listening
