"""Features of WAMP's advanced profile, at a real Crossbar, with autobahn-js on the other side."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from support.event_streams import streamed
from support.javascript import joined_by_javascript
from support.peers import joined
from support.served import ServedBridge
from support.servers import raw_server
from support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from support.clients import Client
    from support.javascript import JavaScriptPeer
    from support.router import CrossbarRouter
    from support.servers import CallbackServer, Posted

BYTES = bytes(range(256))
CBOR = pytest.mark.parametrize("serializer", ["cbor"])
PATTERNS = pytest.mark.parametrize(
    ("match", "pattern", "name"), [("prefix", "{}.a", "{}.a.b"), ("wildcard", "{}..c", "{}.b.c")]
)
STEPS = 1000
IN_JSON = "\0" + base64.b64encode(BYTES).decode()


@pytest.fixture(scope="module")
def served(
    router: CrossbarRouter, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedBridge]:
    with ServedBridge(tmp_path_factory.mktemp("bridge"), router.url) as bridge:
        bridge.wait_until_ready()
        yield bridge


@pytest.fixture(params=["json", "msgpack", "cbor"])
def serializer(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def peer(
    router: CrossbarRouter, package: Path, serializer: str
) -> AsyncIterator[JavaScriptPeer]:
    url = router.websocket_url
    async with joined_by_javascript(package, url, serializer=serializer) as made:
        yield made


async def test_values_and_bytes_cross_as_they_were(
    shop: Client, app: CallbackServer, peer: JavaScriptPeer, serializer: str, namespace: str
) -> None:
    value: dict[str, Any] = {
        "a": [1, -2.5, None, True, "häß\u2028"],
        "b": {"c": []},
        "deep": [[[[{}]]]],
    }
    await peer.register(f"{namespace}.echo")
    body = {"args": [value, [1, 2]], "kwargs": {"x": value}}
    answer = await shop.post(f"/call/{namespace}.echo/", body)
    assert {"args": answer["args"], "kwargs": answer["kwargs"]} == body

    app.answering = lambda posted: web.json_response(posted.document["args"][0])
    await shop.post("/register/", {"endpoints": {f"{namespace}.same": app.url}})
    assert await peer.call(f"{namespace}.same", value) == value
    if serializer == "json":
        return  # autobahn-js has no bytes in JSON
    answer = await shop.post(f"/call/{namespace}.echo/", {"params": [IN_JSON]})
    assert answer["result"] == IN_JSON
    sent = {"bytes": base64.b64encode(BYTES).decode()}
    assert await peer.call(f"{namespace}.same", sent) == sent
    await shop.post("/subscribe/", {"endpoints": {namespace: app.url}})
    await peer.publish(namespace, sent)
    [event] = await eventually(lambda: app.of_type("event"))
    assert event["args"] == [IN_JSON]
    await peer.subscribe(f"{namespace}.out")
    await shop.post(f"/publish/{namespace}.out/", {"params": [IN_JSON]})
    assert (await peer.event())["args"] == [sent]


@CBOR
@PATTERNS
async def test_an_app_and_a_peer_are_called_by_patterns(
    shop: Client,
    app: CallbackServer,
    peer: JavaScriptPeer,
    namespace: str,
    match: str,
    pattern: str,
    name: str,
) -> None:
    app.answering = lambda posted: web.json_response(posted.document["procedure"])
    mine, theirs = f"{namespace}.mine", f"{namespace}.theirs"
    endpoint = {"url": app.url, "match": match}
    await shop.post("/register/", {"endpoints": {pattern.format(mine): endpoint}})
    called = name.format(mine)
    assert await peer.call(called) == called
    await peer.register(pattern.format(theirs), match=match)
    called = name.format(theirs)
    await shop.post(f"/call/{called}/", {"params": [1]})
    assert (await peer.invocations.get())["details"]["procedure"] == called


@CBOR
@PATTERNS
async def test_an_app_and_a_peer_hear_by_patterns(
    shop: Client,
    app: CallbackServer,
    peer: JavaScriptPeer,
    namespace: str,
    match: str,
    pattern: str,
    name: str,
) -> None:
    topic = name.format(namespace)
    endpoint = {"url": app.url, "match": match}
    await shop.post("/subscribe/", {"endpoints": {pattern.format(namespace): endpoint}})
    await peer.subscribe(pattern.format(namespace), match=match)
    await peer.publish(topic, "theirs")
    [event] = await eventually(lambda: app.of_type("event"))
    assert (event["topic"], event["args"]) == (topic, ["theirs"])
    await shop.post(f"/publish/{topic}/", {"params": ["mine"]})
    event = await peer.event()
    assert (event["details"]["topic"], event["args"]) == (topic, ["mine"])


@CBOR
async def test_who_calls_and_publishes_is_disclosed(
    shop: Client,
    app: CallbackServer,
    peer: JavaScriptPeer,
    router: CrossbarRouter,
    namespace: str,
) -> None:
    app.answering = lambda posted: web.json_response(posted.document["details"])
    for path in ("/register/", "/subscribe/"):
        await shop.post(path, {"endpoints": {namespace: app.url}})
    details = await peer.call(namespace)
    async with joined(router.url) as other:
        session = await other.call("wamp.session.get", peer.id)
    assert (details["caller"], details["caller_authid"]) == (peer.id, session["authid"])
    await peer.publish(namespace)
    [event] = await eventually(lambda: app.of_type("event"))
    assert event["details"]["publisher"] == peer.id
    assert event["details"]["publisher_authid"] == session["authid"]

    await peer.register(f"{namespace}.back")
    await shop.post(f"/call/{namespace}.back/")
    caller = (await peer.invocations.get())["details"]["caller"]
    await peer.subscribe(f"{namespace}.out")
    await shop.post(f"/publish/{namespace}.out/")
    assert (await peer.event())["details"]["publisher"] == caller


@CBOR
async def test_a_caller_that_cancels_closes_the_connection_to_the_app(
    shop: Client, peer: JavaScriptPeer, namespace: str
) -> None:
    asked, closed = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        while await reader.read(1024):
            pass
        closed.set()

    async with raw_server(serve) as url, asyncio.timeout(15):
        await shop.post("/register/", {"endpoints": {namespace: url}})
        call = asyncio.create_task(peer.call(namespace))
        await asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await closed.wait()


class Counting:
    """Answers an invocation in steps, the last of them when the gate is open."""

    def __init__(self, app: CallbackServer) -> None:
        self.gate = asyncio.Event()
        self.closed = asyncio.Event()
        self._app = app
        app.answering = self

    async def __call__(self, posted: Posted) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await answer.prepare(self._app.requests[-1])
        (wanted,) = posted.document["args"]
        try:
            for number in range(wanted):
                if number == wanted - 1:
                    await self.gate.wait()
                await answer.write(b'{"progress": {"args": [%d]}}\n' % number)
            await answer.write(b'{"result": {"args": ["done"]}}\n')
        except (asyncio.CancelledError, ConnectionError):
            self.closed.set()
            raise
        return answer


async def test_an_app_answers_a_peer_in_steps(
    shop: Client, app: CallbackServer, peer: JavaScriptPeer, namespace: str
) -> None:
    counting, steps = Counting(app), list[int]()
    await shop.post("/register/", {"endpoints": {namespace: app.url}})
    call = asyncio.create_task(peer.call_in_steps(namespace, STEPS, on_progress=steps.append))
    await eventually(lambda: len(steps) == STEPS - 1)  # while the last one isn't made yet
    counting.gate.set()
    assert await call == "done"
    assert steps == list(range(STEPS))


@CBOR
async def test_a_peer_that_cancels_half_way_closes_the_connection_to_the_app(
    shop: Client, app: CallbackServer, peer: JavaScriptPeer, namespace: str
) -> None:
    counting, steps = Counting(app), list[int]()
    await shop.post("/register/", {"endpoints": {namespace: app.url}})
    call = asyncio.create_task(peer.call_in_steps(namespace, STEPS, on_progress=steps.append))
    await eventually(lambda: steps)
    call.cancel()
    await asyncio.wait([call])
    async with asyncio.timeout(15):
        await counting.closed.wait()


async def test_a_peer_answers_an_app_in_steps(
    shop: Client, peer: JavaScriptPeer, namespace: str
) -> None:
    await peer.register(namespace, does="count")
    async with streamed(shop.http, f"/call/{namespace}/", {"params": [STEPS]}) as events:
        told = [await anext(events) for _ in range(STEPS - 1)]  # while the last one isn't made yet
        await peer.release()
        *rest, result = [event async for event in events]
    members = [{"args": [number], "kwargs": {"of": STEPS}} for number in range(STEPS)]
    assert [event.data for event in [*told, *rest]] == members
    assert [event.event for event in [*told, *rest]] == ["progress"] * STEPS
    assert (result.event, result.data["result"]) == ("result", "done")


@CBOR
async def test_a_callback_gets_the_progress_of_a_peer(
    shop: Client, app: CallbackServer, peer: JavaScriptPeer, namespace: str
) -> None:
    await peer.register(namespace, does="count")
    await peer.release()
    body = {"params": [5], "callback": app.url, "options": {"receive_progress": True}}
    await shop.post(f"/call/{namespace}/", body, status=202)
    [result] = await eventually(lambda: app.of_type("result"))
    assert result["result"] == "done"
    steps = [(step["sequence"], step["args"]) for step in app.of_type("progress")]
    assert steps == [(number, [number]) for number in range(5)]


@CBOR
async def test_an_app_and_a_peer_share_a_procedure(
    shop: Client, app: CallbackServer, peer: JavaScriptPeer, namespace: str
) -> None:
    app.answering = lambda _: web.json_response("app")
    endpoint = {"url": app.url, "invoke": "roundrobin"}
    await shop.post("/register/", {"endpoints": {namespace: endpoint}})
    await peer.register(namespace, invoke="roundrobin")
    path = f"/call/{namespace}/"
    results = [(await shop.post(path, {"params": ["peer"]}))["result"] for _ in range(6)]
    assert Counter(results) == {"app": 3, "peer": 3}


@CBOR
async def test_receivers_are_chosen_and_left_out(
    shop: Client, peer: JavaScriptPeer, namespace: str
) -> None:
    await peer.subscribe(namespace)
    left_out: list[dict[str, list[int]]] = [
        {"exclude": [peer.id]},
        {"eligible": [peer.id + 1]},
        {"eligible": []},
    ]
    for options in left_out:
        await shop.post(f"/publish/{namespace}/", {"params": ["secret"], "options": options})
    body = {"params": ["told"], "options": {"eligible": [peer.id]}}
    await shop.post(f"/publish/{namespace}/", body)
    assert (await peer.event())["args"] == ["told"]
