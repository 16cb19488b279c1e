"""Server-sent events as a test reads them."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx


@dataclass(frozen=True)
class Told:
    """An event: its name, its id, and its data, decoded."""

    name: str
    id: str | None
    data: Any


@asynccontextmanager
async def streamed(
    http: httpx.AsyncClient, path: str, body: Any = None, **options: Any
) -> AsyncIterator[AsyncIterator[Told]]:
    """Call a procedure as a stream; its events as they come."""
    headers = {"Accept": "text/event-stream", **options.pop("headers", {})}
    async with http.stream("POST", path, json=body or {}, headers=headers, **options) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield _events(response)


async def _events(response: httpx.Response) -> AsyncIterator[Told]:
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields.get("data"):
            yield Told(fields.get("event", ""), fields.get("id"), json.loads(fields["data"]))
            fields = {}
        else:
            fields = {}  # a comment
