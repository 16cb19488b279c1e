"""What crosses all of it: names and values of every kind, between HTTP and other WAMP clients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import cbor2
import msgpack
import pytest
from aiohttp import web

from support.peers import ApplicationError, CallResult, joined
from support.served import ServedBridge
from support.servers import CallbackServer, Posted, callback_server
from support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from support.router import CrossbarRouter

NAMES = ["options", "procedure", "details", "self", "topic", "args", "kwargs", "fun", "error", "é"]


@pytest.fixture(scope="module")
def bridge(
    tmp_path_factory: pytest.TempPathFactory, router: CrossbarRouter
) -> Iterator[ServedBridge]:
    with ServedBridge(tmp_path_factory.mktemp("bridge"), router.url) as served:
        served.wait_until_ready()
        yield served


@pytest.fixture
async def app() -> AsyncIterator[CallbackServer]:
    def answering(posted: Posted) -> web.Response:
        document = posted.document
        return web.json_response([document.get("args"), document.get("kwargs")])

    async with callback_server(answering) as server:
        yield server


async def test_keyword_arguments_may_have_any_name(
    bridge: ServedBridge, router: CrossbarRouter, app: CallbackServer, namespace: str
) -> None:
    kwargs = {name: number for number, name in enumerate(NAMES)}
    async with bridge.client() as http, joined(router.url) as peer:
        await http.post("/register/", json={"endpoints": {f"{namespace}.app": app.url}})
        assert await peer.call(f"{namespace}.app", **kwargs) == [[], kwargs]
        await peer.register(f"{namespace}.peer", lambda **given: given)
        answered = await http.post(f"/call/{namespace}.peer/", json={"params": kwargs})
        assert answered.json()["result"] == kwargs
        events = await peer.subscribe(f"{namespace}.topic")
        await http.post(f"/publish/{namespace}.topic/", json={"kwargs": kwargs})
        assert (await events.get()).kwargs == kwargs
        await http.post("/subscribe/", json={"endpoints": {f"{namespace}.back": app.url}})
        await peer.publish(f"{namespace}.back", kwargs=kwargs)
        await eventually(lambda: app.of_type("event"))
        assert app.of_type("event")[0]["kwargs"] == kwargs


VALUES: list[Any] = [
    *[None, True, 0, -1, 0.5, 2**53 + 1, 2**64 - 1, -(2**63)],
    *["", "é\u2028", "x" * 100_000, b"", b"\x00\xff", [], {}, {"": [b"in", {"a": [None]}]}],
]


@pytest.mark.parametrize("serializer", ["cbor", "msgpack", "json"])
async def test_values_cross_as_they_were(
    bridge: ServedBridge, router: CrossbarRouter, namespace: str, serializer: str
) -> None:
    name = f"{namespace}.echo"
    async with bridge.client() as http, joined(router.url, serializer=serializer) as peer:
        got: list[Any] = []

        def echo(value: Any) -> Any:
            got.append(value)
            return value

        await peer.register(name, echo)
        for value in VALUES:
            sent = _as_json(value)
            answered = await http.post(f"/call/{name}/", json={"params": [sent]})
            assert answered.json()["result"] == sent
            assert got[-1] == value


@pytest.mark.parametrize("serializer", ["cbor", "msgpack", "json"])
async def test_values_cross_from_a_peer_to_an_app_and_back(
    bridge: ServedBridge, router: CrossbarRouter, namespace: str, serializer: str
) -> None:
    def answering(posted: Posted) -> web.Response:
        document = posted.document
        if document.get("procedure", "").endswith(".fail"):
            members = {"error": "com.shop.sold_out", "args": document["args"]}
            return web.json_response(members, status=500)
        return web.json_response(document["args"])

    async with (
        callback_server(answering) as app,
        bridge.client() as http,
        joined(router.url, serializer=serializer) as peer,
    ):
        served = [f"{namespace}.echo", f"{namespace}.fail"]
        await http.post("/register/", json={"endpoints": dict.fromkeys(served, app.url)})
        assert await peer.call(served[0], *VALUES) == VALUES
        assert app.of_type("invocation")[0]["args"] == _as_json(VALUES)
        with pytest.raises(ApplicationError) as raised:
            await peer.call(served[1], *VALUES)
        assert list(raised.value.args) == VALUES
        topic = f"{namespace}.topic"
        await http.post("/subscribe/", json={"endpoints": {topic: app.url}})
        events = await peer.subscribe(topic)
        await http.post(f"/publish/{topic}/", json={"params": _as_json(VALUES)})
        assert list((await events.get()).args) == VALUES
        await peer.publish(topic, *VALUES)
        await eventually(lambda: len(app.of_type("event")) == 2)
        assert [event["args"] for event in app.of_type("event")] == [_as_json(VALUES)] * 2


@pytest.mark.parametrize(
    ("form", "write", "read"),
    [
        ("application/cbor", cbor2.dumps, cbor2.loads),
        ("application/msgpack", msgpack.packb, msgpack.unpackb),
    ],
)
async def test_bytes_are_bytes_in_cbor_and_messagepack(
    bridge: ServedBridge, router: CrossbarRouter, namespace: str, form: str, write: Any, read: Any
) -> None:
    headers = {"Content-Type": form, "Accept": form}
    async with bridge.client() as http, joined(router.url) as peer:
        await peer.register(f"{namespace}.echo", lambda *args: CallResult(*args, size=len(args)))
        answered = await http.post(
            f"/call/{namespace}.echo/", content=write({"args": VALUES}), headers=headers
        )
        assert read(answered.content) == {
            "result": VALUES,
            "args": VALUES,
            "kwargs": {"size": len(VALUES)},
        }
        events = await peer.subscribe(f"{namespace}.topic")
        body = write({"args": VALUES, "kwargs": {"a": b"\xff"}})
        await http.post(f"/publish/{namespace}.topic/", content=body, headers=headers)
        event = await events.get()
        assert (list(event.args), event.kwargs) == (VALUES, {"a": b"\xff"})


def _as_json(value: Any) -> Any:
    import base64  # noqa: PLC0415 - one helper's

    if isinstance(value, bytes):
        return "\0" + base64.b64encode(value).decode()
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    if isinstance(value, dict):
        return {key: _as_json(item) for key, item in value.items()}
    return value


async def test_several_results_and_none_and_errors_come_back_whole(
    bridge: ServedBridge, router: CrossbarRouter, namespace: str
) -> None:
    def fail() -> None:
        raise ApplicationError("com.shop.sold_out", "pen", left=0)

    async with bridge.client() as http, joined(router.url) as peer:
        await peer.register(f"{namespace}.several", lambda: CallResult(1, 2, a=3))
        await peer.register(f"{namespace}.none", CallResult)
        await peer.register(f"{namespace}.fail", fail)
        several = (await http.post(f"/call/{namespace}.several/", json={})).json()
        assert several == {"result": [1, 2], "args": [1, 2], "kwargs": {"a": 3}}
        none = (await http.post(f"/call/{namespace}.none/", json={})).json()
        assert none == {"result": None, "args": [], "kwargs": {}}
        failed = await http.post(f"/call/{namespace}.fail/", json={})
        assert failed.status_code == 500
        document = failed.json()
        assert document["error"] == "com.shop.sold_out"
        assert (document["args"], document["kwargs"]) == (["pen"], {"left": 0})


@pytest.mark.parametrize("value", [math.nan, math.inf, {1: 2}])
async def test_what_json_lacks_is_an_error_to_who_sent_it(
    bridge: ServedBridge, router: CrossbarRouter, app: CallbackServer, namespace: str, value: Any
) -> None:
    async with bridge.client() as http, joined(router.url) as peer:
        await http.post("/register/", json={"endpoints": {f"{namespace}.app": app.url}})
        with pytest.raises(ApplicationError) as raised:
            await peer.call(f"{namespace}.app", value)
        assert raised.value.error == "wamp.error.invalid_argument"
        assert not app.posted
        await peer.register(f"{namespace}.peer", lambda: value)
        answered = await http.post(f"/call/{namespace}.peer/", json={})
        assert answered.status_code == 500
        assert answered.json()["error"] == "wamp.error.runtime_error"
        assert await peer.call(f"{namespace}.app", "still here") == [["still here"], {}]


async def test_what_would_end_a_session_ends_none(
    bridge: ServedBridge, router: CrossbarRouter, app: CallbackServer, namespace: str
) -> None:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    async with bridge.client() as http, joined(router.url) as peer:
        await http.post("/register/", json={"endpoints": {f"{namespace}.app": app.url}})
        before = await peer.call("wamp.registration.match", f"{namespace}.app")
        for uri in ("com..x", "com.", ".", " ", "com. x", "com.x#"):
            answered = await http.post("/register/", json={"endpoints": {uri: app.url}})
            assert answered.status_code == 422
            path = "%2E" if uri == "." else quote(uri)
            assert (await http.post(f"/call/{path}/", json={})).status_code == 422
            assert (await http.post(f"/publish/{path}/", json={})).status_code == 422
        assert (await http.post("/register/", json={"endpoints": {"": app.url}})).status_code == 422
        answered = await http.post("/call/com.x/", json={"params": [deep]})
        assert answered.status_code == 400
        for text in ("NaN", "Infinity", "1e999"):
            answered = await http.post("/call/com.x/", content=f'{{"params": [{text}]}}')
            assert answered.status_code == 400
        big = {"params": [2**64, -(2**63) - 1, 10**30]}
        answered = await http.post(f"/call/{namespace}.app/", json=big)
        assert answered.status_code == 422
        assert await peer.call("wamp.registration.match", f"{namespace}.app") == before
        assert await peer.call(f"{namespace}.app", 1) == [[1], {}]


async def test_an_app_that_answers_too_deep_or_odd_ends_no_session(
    bridge: ServedBridge, router: CrossbarRouter, app: CallbackServer, namespace: str
) -> None:
    answers = iter(
        [
            web.Response(text="[" * 400 + "]" * 400),
            web.json_response({"error": "com..x"}, status=500),
            web.json_response({"error": "no uri at all"}, status=500),
            web.Response(text="[NaN]"),
            web.Response(text="10" * 400),
            web.Response(text='"fine"'),
        ]
    )
    app.answering = lambda _posted: next(answers)
    async with bridge.client() as http, joined(router.url) as peer:
        await http.post("/register/", json={"endpoints": {f"{namespace}.app": app.url}})
        before = await peer.call("wamp.registration.match", f"{namespace}.app")
        for _ in range(4):
            with pytest.raises(ApplicationError) as raised:
                await peer.call(f"{namespace}.app")
            assert raised.value.error == "wamp.error.runtime_error"
        with pytest.raises(ApplicationError):  # an integer of 800 digits
            await peer.call(f"{namespace}.app")
        assert await peer.call(f"{namespace}.app") == "fine"
        assert await peer.call("wamp.registration.match", f"{namespace}.app") == before
