"""Calls as streams: progress by server-sent events, and clients that go away."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from support.event_streams import Message, streamed
from support.peers import CallResult, joined
from support.waiting import eventually
from wamp_bridge_server.http import event_stream
from wamp_bridge_server.services import steps as steps_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from support.clients import Client
    from support.router import CrossbarRouter
    from wamp_bridge_server.bridge import Bridge

STEPS = 1000


@pytest.fixture
def router_url(router: CrossbarRouter) -> str:
    return router.url


class Callee:
    """A callee at the router that counts as far as it is let."""

    def __init__(self) -> None:
        self.made = 0
        self.gate = asyncio.Event()
        self.cancelled_at: float | None = None

    async def count(self, wanted: int, pause_after: int = -1) -> AsyncIterator[Any]:
        try:
            for number in range(wanted):
                if number == pause_after:
                    await self.gate.wait()
                self.made += 1
                yield number
            yield CallResult("done", of=wanted)
        except asyncio.CancelledError:
            self.cancelled_at = time.monotonic()
            raise

    async def wait(self) -> str:
        self.made += 1
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled_at = time.monotonic()
            raise
        return "waited for"


@pytest.fixture
async def callee(router: CrossbarRouter, namespace: str) -> AsyncIterator[Callee]:
    made = Callee()
    async with joined(router.url) as peer:
        await peer.register(f"{namespace}.count", made.count)
        await peer.register(f"{namespace}.wait", made.wait)
        yield made


def asked(procedure: str, accept: str) -> bytes:
    """A call as a client writes it that is about to go away."""
    head = f"POST /call/{procedure}/ HTTP/1.1\r\nHost: bridge\r\nAccept: {accept}\r\n"
    return f"{head}Authorization: Bearer token-of-shop\r\nContent-Length: 2\r\n\r\n{{}}".encode()


async def all_of(events: AsyncIterator[Message]) -> list[Message]:
    return [event async for event in events]


async def test_a_thousand_steps_come_in_order_and_the_first_before_the_last_is_made(
    shop: Client, callee: Callee, namespace: str
) -> None:
    body = {"args": [STEPS], "kwargs": {"pause_after": STEPS - 1}}
    async with streamed(shop.http, f"/call/{namespace}.count/", body) as events:
        first = await anext(events)
        assert callee.made < STEPS
        callee.gate.set()
        rest = await all_of(events)
    assert first == Message("progress", {"args": [0], "kwargs": {}}, "0")
    *progress, last = rest
    assert [event.data["args"] for event in progress] == [[n] for n in range(1, STEPS)]
    assert [event.id for event in progress] == [str(n) for n in range(1, STEPS)]
    assert last.event == "result"
    assert last.data == {"result": "done", "args": ["done"], "kwargs": {"of": STEPS}}


async def test_an_error_is_told_by_an_event(shop: Client, namespace: str) -> None:
    async with streamed(shop.http, f"/call/{namespace}.nobody/") as events:
        (error,) = await all_of(events)
    assert error.event == "error"
    assert error.data["status"] == 404
    assert error.data["error"] == "wamp.error.no_such_procedure"
    assert error.data["request_id"].startswith("req_")


async def test_a_deadline_is_told_by_an_event(shop: Client, callee: Callee, namespace: str) -> None:
    body = {"args": [2], "kwargs": {"pause_after": 1}, "timeout": 0.3}
    async with streamed(shop.http, f"/call/{namespace}.count/", body) as events:
        progress, error = await all_of(events)
    assert progress.event == "progress"
    assert (error.data["status"], error.data["error"]) == (504, "wamp.error.timeout")
    await eventually(lambda: callee.cancelled_at is not None)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/call/wamp.session.count/", {}, 403),
        ("/call/com..x/", {}, 422),
        ("/call/com.x/", {"Authorization": "Bearer nobody"}, 401),
        ("/call/com.x/", {"Idempotency-Key": "one"}, 422),
    ],
)
async def test_what_is_refused_is_refused_before_the_stream_begins(
    shop: Client, path: str, headers: dict[str, str], status: int
) -> None:
    headers = {"Accept": "text/event-stream", **headers}
    response = await shop.http.post(path, json={}, headers=headers)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/event-stream", "text/event-stream; charset=utf-8"),
        ("application/json, text/event-stream", "text/event-stream; charset=utf-8"),
        ("TEXT/Event-Stream;q=0.5", "text/event-stream; charset=utf-8"),
        ("application/json, text/event-stream;q=0.9", "application/json"),
        ("text/event-stream;q=0", "application/json"),
        ("text/event-stream;q=none", "application/json"),
        ("text/*", "application/json"),
        ("*/*", "application/json"),
    ],
)
async def test_a_stream_is_for_who_asks_for_it(
    shop: Client, callee: Callee, namespace: str, accept: str, kind: str
) -> None:
    assert callee.made == 0
    response = await shop.http.post(
        f"/call/{namespace}.count/", json={"args": [1]}, headers={"Accept": accept}
    )
    assert response.headers["content-type"].startswith(kind)
    assert response.headers["request-id"]
    assert response.headers["wamp-bridge-protocol"] == "1"


async def test_a_silent_callee_is_no_dead_connection(
    shop: Client, callee: Callee, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wamp_bridge_server.http.streamed_calls.KEEPALIVE_SECONDS", 0.05)
    headers = {"Accept": "text/event-stream"}
    body = {"args": [1], "kwargs": {"pause_after": 0}}
    path = f"/call/{namespace}.count/"
    async with shop.http.stream("POST", path, json=body, headers=headers) as response:
        lines = response.aiter_lines()
        assert f"{await anext(lines)}\n\n".encode() == event_stream.KEEPALIVE
        callee.gate.set()
        assert "event: result" in [line async for line in lines]


async def test_who_goes_away_half_way_cancels_the_call(
    shop: Client, callee: Callee, namespace: str
) -> None:
    body = {"args": [STEPS], "kwargs": {"pause_after": STEPS // 2}}
    async with streamed(shop.http, f"/call/{namespace}.count/", body) as events:
        async for event in events:
            if event.id == str(STEPS // 2 - 1):
                break
    left = time.monotonic()
    await eventually(lambda: callee.cancelled_at is not None)
    assert (callee.cancelled_at or 0) - left < 2
    assert callee.made == STEPS // 2


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_who_hangs_up_cancels_the_call_within_100_ms(
    bridge: Bridge,
    callee: Callee,
    namespace: str,
    accept: str,
    record_property: Callable[[str, object], None],
) -> None:
    took = []
    for _ in range(5):
        host, port = bridge.url.removeprefix("http://").rstrip("/").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        callee.cancelled_at, callee.made = None, 0
        writer.write(asked(f"{namespace}.wait", accept))
        await eventually(lambda: callee.made)
        left = time.monotonic()
        writer.transport.abort()
        await eventually(lambda: callee.cancelled_at is not None)
        took.append(((callee.cancelled_at or 0) - left) * 1000)
        del reader
    record_property("milliseconds until the callee is told", took)
    assert min(took) < 100  # what is slower than the quickest, a busy machine makes so


async def test_a_call_may_say_that_the_callee_is_left_alone(
    shop: Client, callee: Callee, namespace: str
) -> None:
    body = {"timeout": 0.2, "options": {"cancel_mode": "skip"}}
    path = f"/call/{namespace}.wait/"
    error = await shop.post(path, body, status=504)
    assert error["error"] == "wamp.error.timeout"
    callee.gate.set()
    answered = await shop.post(path)
    assert answered["result"] == "waited for"
    assert callee.cancelled_at is None
    await shop.post(path, {"options": {"cancel_mode": "stop"}}, status=422)
    await shop.post(path, {"options": {"receive_progress": True}}, status=422)


@pytest.mark.parametrize("mode", ["skip", "kill", "killnowait", None])
async def test_an_asynchronous_call_is_cancelled_as_asked(
    shop: Client, callee: Callee, namespace: str, mode: str | None
) -> None:
    response = await shop.http.post(
        f"/call/{namespace}.wait/", json={}, headers={"Prefer": "respond-async"}
    )
    await eventually(lambda: callee.made)
    location = response.headers["location"]
    await shop.ask("DELETE", f"{location}?mode=stop", status=422)
    if mode == "kill":
        cancelled = await shop.ask("DELETE", location, {"mode": mode})
    else:
        cancelled = await shop.ask("DELETE", location + (f"?mode={mode}" if mode else ""))
    assert (cancelled["status"], cancelled["error_status"]) == ("cancelled", 409)
    if mode == "skip":
        callee.gate.set()
        await shop.post(f"/call/{namespace}.wait/")
        assert callee.cancelled_at is None
    else:
        await eventually(lambda: callee.cancelled_at is not None)


async def test_progress_that_is_not_read_ends_the_call_before_it_fills_memory(
    shop: Client,
    router: CrossbarRouter,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(steps_of, "MAX_WAITING_BYTES", 100_000)
    over = asyncio.Event()

    async def flood() -> AsyncIterator[Any]:
        try:
            while True:
                yield "x" * 60_000
                await asyncio.sleep(0)
        finally:
            over.set()

    async with joined(router.url) as peer:
        await peer.register(f"{namespace}.flood", flood)
        async with streamed(shop.http, f"/call/{namespace}.flood/", {"timeout": 20}) as events:
            first = await anext(events)  # the error, where the callee was faster than that
            await asyncio.wait_for(over.wait(), 20)  # with nothing read meanwhile
            *_, error = [first, *await all_of(events)]
    assert error.event == "error"
    assert error.data["status"] == 503
    assert "faster than the client reads" in error.data["detail"]


async def test_a_client_that_reads_nothing_more_ends_the_call_while_it_is_written_to(
    bridge: Bridge, router: CrossbarRouter, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps_of, "MAX_WAITING_BYTES", 100_000)
    over = asyncio.Event()

    async def flow() -> AsyncIterator[Any]:
        try:
            while True:
                yield "x" * 10_000
                await asyncio.sleep(0.001)  # so slowly that it is written step by step
        finally:
            over.set()

    async with joined(router.url) as peer:
        await peer.register(namespace, flow)
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            host, port = bridge.url.removeprefix("http://").rstrip("/").split(":")
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, (host, int(port)))
            await loop.sock_sendall(client, asked(namespace, "text/event-stream"))
            await asyncio.wait_for(over.wait(), 15)  # its own deadline is later


async def test_what_json_lacks_ends_the_stream(
    shop: Client, router: CrossbarRouter, namespace: str
) -> None:
    async def bad() -> AsyncIterator[Any]:
        yield "good"
        yield float("nan")
        await asyncio.Event().wait()

    async with joined(router.url) as peer:
        await peer.register(f"{namespace}.bad", bad)
        async with streamed(shop.http, f"/call/{namespace}.bad/") as events:
            *_, error = await all_of(events)
    assert (error.data["status"], error.data["error"]) == (500, "wamp.error.runtime_error")


async def test_a_bridge_that_goes_down_says_so_to_who_listens(
    callee: Callee, namespace: str, shop: Client, bridge: Bridge
) -> None:
    body = {"args": [2], "kwargs": {"pause_after": 1}}
    async with streamed(shop.http, f"/call/{namespace}.count/", body) as events:
        await anext(events)
        bridge._config = msgspec.structs.replace(bridge._config, grace=0.1)
        stopping = asyncio.create_task(bridge.stop())
        (error,) = await all_of(events)
        await stopping
    assert (error.event, error.data["status"]) == ("error", 503)
    await eventually(lambda: callee.cancelled_at is not None)
