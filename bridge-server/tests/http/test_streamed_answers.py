"""Apps that answer an invocation in steps, through the whole bridge, on either backend."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from support.event_streams import Message, streamed
from support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.clients import Client
    from support.servers import CallbackServer, Posted

PROCEDURE = "com.steps"


class Counting:
    """Answers an invocation with as many steps as it asks for."""

    def __init__(self, app: CallbackServer) -> None:
        self.app = app
        self.gate = asyncio.Event()
        self.gate.set()
        self.made = 0
        self.closed = asyncio.Event()
        self.last = {"result": {"args": ["done"], "kwargs": {}}}
        app.answering = self

    async def __call__(self, posted: Posted) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        request = self.app.requests[-1]
        await answer.prepare(request)
        (wanted,) = posted.document["args"]
        try:
            for number in range(wanted):
                self.made += 1
                await self.write(answer, {"progress": {"args": [number]}})
                await self.gate.wait()
            await self.write(answer, self.last)
        except (asyncio.CancelledError, ConnectionError):
            self.closed.set()
            raise
        return answer

    async def write(self, answer: web.StreamResponse, document: Any) -> None:
        await answer.write(json.dumps(document).encode() + b"\n")


@pytest.fixture
async def counting(shop: Client, app: CallbackServer) -> Counting:
    await shop.post("/register/", {"endpoints": {PROCEDURE: app.url}})
    return Counting(app)


async def all_of(events: AsyncIterator[Message]) -> list[Message]:
    return [event async for event in events]


async def test_steps_pass_through_as_they_are_made(bank: Client, counting: Counting) -> None:
    counting.gate.clear()
    async with streamed(bank.http, f"/call/{PROCEDURE}/", {"args": [100]}) as events:
        first = await anext(events)
        assert counting.made == 1
        counting.gate.set()
        *progress, last = await all_of(events)
    assert [event.data["args"] for event in (first, *progress)] == [[n] for n in range(100)]
    assert (last.event, last.data["result"]) == ("result", "done")
    assert counting.app.posted[0].document["details"]["progress"] is True


async def test_who_wants_no_steps_gets_the_result(bank: Client, counting: Counting) -> None:
    assert (await bank.post(f"/call/{PROCEDURE}/", {"args": [3]}))["result"] == "done"
    assert "progress" not in counting.app.posted[0].document["details"]


async def test_an_error_after_some_steps(bank: Client, counting: Counting) -> None:
    counting.last = {"error": "com.shop.closed", "args": ["now"], "kwargs": {}}  # type: ignore[dict-item]
    async with streamed(bank.http, f"/call/{PROCEDURE}/", {"args": [2]}) as events:
        *progress, last = await all_of(events)
    assert len(progress) == 2
    assert (last.event, last.data["error"]) == ("error", "com.shop.closed")


async def test_a_caller_that_goes_away_has_the_app_s_connection_closed(
    bank: Client, counting: Counting
) -> None:
    counting.gate.clear()
    async with streamed(bank.http, f"/call/{PROCEDURE}/", {"args": [5]}) as events:
        await anext(events)
    await asyncio.wait_for(counting.closed.wait(), 10)
    assert counting.made == 1


async def test_a_deadline_passes_between_steps(bank: Client, counting: Counting) -> None:
    counting.gate.clear()
    body = {"args": [5], "timeout": 0.5}
    async with streamed(bank.http, f"/call/{PROCEDURE}/", body) as events:
        *_, last = await all_of(events)
    assert (last.event, last.data["status"]) == ("error", 504)
    await eventually(counting.closed.is_set)
