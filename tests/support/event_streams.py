"""Server-sent events, read as WHATWG HTML says (section 9.2.6): of topics, and of calls."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import httpx

WITHIN = 10.0


@dataclass(frozen=True)
class Message:
    """One event of a stream."""

    event: str
    data: Any
    id: str


@dataclass
class Stream:
    """An open stream. `comments` counts what was sent to keep it open."""

    response: httpx.Response
    last_id: str = ""
    retry: int | None = None
    comments: int = 0
    _lines: AsyncIterator[str] = field(init=False)

    def __post_init__(self) -> None:
        self._lines = self.response.aiter_lines()

    async def next(self, *, within: float = WITHIN) -> Message | None:
        """The next event, None at the end."""
        async with asyncio.timeout(within):
            return await self._next()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        came = await self.next()
        if came is None:
            raise StopAsyncIteration
        return came

    async def ready(self) -> Self:
        """Wait until the topic is followed."""
        came = await self.next()
        assert came is not None
        assert came.event == "ready"
        return self

    async def args(self, number: int) -> list[Any]:
        """The positional arguments of so many events."""
        found: list[Any] = []
        for _ in range(number):
            came = await self.next()
            assert came is not None, f"the stream ended after {found}"
            assert came.event == "message", came
            found.append(came.data["args"])
        return found

    async def _next(self) -> Message | None:
        event, identifier = "", self.last_id
        data: list[str] = []
        async for line in self._lines:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                self.last_id = identifier
                if data:
                    return Message(event or "message", json.loads("\n".join(data)), self.last_id)
                event = ""
            elif not name:
                self.comments += 1
            elif name == "id":
                identifier = value
            elif name == "event":
                event = value
            elif name == "data":
                data.append(value)
            elif name == "retry":
                self.retry = int(value)
        return None


@asynccontextmanager
async def following(
    http: httpx.AsyncClient,
    path: str,
    last_id: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[Stream]:
    """Follow a topic, by a stream that must be given."""
    sent = {**(headers or {}), **({"Last-Event-ID": last_id} if last_id else {})}
    async with _open(http, "GET", path, headers=sent, timeout=30) as stream:
        yield stream


@asynccontextmanager
async def streamed(
    http: httpx.AsyncClient, path: str, body: Any = None, **options: Any
) -> AsyncIterator[Stream]:
    """Call a procedure as a stream, which must be given."""
    headers = {"Accept": "text/event-stream", **options.pop("headers", {})}
    async with _open(http, "POST", path, json=body or {}, headers=headers, **options) as stream:
        yield stream


@asynccontextmanager
async def _open(
    http: httpx.AsyncClient, method: str, path: str, **options: Any
) -> AsyncIterator[Stream]:
    async with http.stream(method, path, **options) as response:
        if response.status_code != 200:
            raise AssertionError(f"{response.status_code}: {(await response.aread()).decode()}")
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield Stream(response)
