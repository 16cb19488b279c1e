"""Crossbar's HTTP clients at the bridge: `crossbarhttp3` as it is published, and who gets in."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import crossbarhttp  # type: ignore[import-untyped] # it has no types
import msgspec
import pytest
from aiohttp import web

from support.raw import RawAnswer, ask_raw
from support.signing import Headers, crossbar_query, sign
from support.waiting import eventually
from wamp_bridge_server.bridge import Bridge
from wamp_bridge_server.config import CrossbarKey, Secret
from wamp_bridge_server.http.crossbar_query import BadQuery, signed_query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from support.clients import Client
    from support.servers import CallbackServer, Posted
    from wamp_bridge_server.config import Config

KEY, SECRET = "shop-key", "foobar"
PUBLISH = b'{"topic": "com.shop.sold"}'
JSON = ("content-type", "application/json")


@pytest.fixture
def router_url() -> str:
    return "memory:"


@pytest.fixture
def config(config: Config) -> Config:
    shop = msgspec.structs.replace(
        config.apps["shop"], crossbar=CrossbarKey(key=KEY, secret=Secret(SECRET))
    )
    return msgspec.structs.replace(config, apps={**config.apps, "shop": shop})


@pytest.fixture
async def open_bridge(config: Config) -> AsyncIterator[Bridge]:
    """The bridge, letting everybody in as the app `limited`, which may touch `com.ok` alone."""
    limited = msgspec.structs.replace(config.apps["limited"], anonymous=True)
    made = Bridge(msgspec.structs.replace(config, apps={**config.apps, "limited": limited}))
    await made.start()
    yield made
    await made.stop()


async def publish(
    bridge: Bridge, query: str = "", headers: Headers | None = None, body: bytes = PUBLISH
) -> RawAnswer:
    given = headers if headers is not None else [("host", urlsplit(bridge.url).netloc), JSON]
    return await ask_raw(bridge.url, "POST", f"/publish{query}", given, body)


def check_denied(answer: RawAnswer, status: int) -> None:
    assert answer.status == status, answer.body
    document = answer.document
    assert isinstance(document.pop("error"), str)
    assert document == {"args": [], "kwargs": {}}
    if status == 401:
        assert answer.headers["www-authenticate"]


def test_the_vector_of_the_protocol() -> None:
    now = datetime(2011, 10, 14, 16, 59, 52, tzinfo=UTC).timestamp()
    query = signed_query(
        "/publish?key=bazapp&timestamp=2011-10-14T16:59:51.123Z&seq=1&nonce=12345"
        "&signature=jy28lK7KAa2daJsSFWMQifhLWLma9OUHSeRNsSOYqyc%3D",
        now,
    )
    assert query is not None
    body = b'{"topic": "com.test.messages", "args": [1]}'
    assert query.matches(hmac.new(b"foobar", digestmod=hashlib.sha256), body)
    assert not query.matches(hmac.new(b"foobar", digestmod=hashlib.sha256), body + b" ")
    assert not query.matches(hmac.new(b"fooba", digestmod=hashlib.sha256), body)


@pytest.mark.parametrize(
    "target",
    [
        "/publish?key=" + "&key=" * 5000,
        "/publish?key=%ff&timestamp=%ff",
        "/publish?key=a&timestamp=2011-10-14T16:59:51.123Z&seq=" + "1" * 5000,
        "/publish?nonce=1",
        "/publish?signature",
        "/publish?signature=",
        "/publish?key=\udc80",
    ],
)
def test_what_is_no_signed_query_is_said_to_be_none(target: str) -> None:
    with pytest.raises(BadQuery):
        signed_query(target, datetime(2011, 10, 14, 16, 59, 52, tzinfo=UTC).timestamp())


async def ask_crossbarhttp3(client: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return await asyncio.to_thread(client, *args, **kwargs)


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
async def test_crossbarhttp3_calls_and_publishes_signed(
    bridge: Bridge, bank: Client, app: CallbackServer
) -> None:
    await serve(bank, app)
    client = crossbarhttp.Client(f"{bridge.url}call", key=KEY, secret=SECRET)
    assert await ask_crossbarhttp3(client.call, "com.ok.echo", 1, "é", named=2) == [[1, "é"], 2]
    with pytest.raises(crossbarhttp.ClientNoCalleeRegistered):
        await ask_crossbarhttp3(client.call, "com.ok.nobody")
    with pytest.raises(crossbarhttp.ClientCallRuntimeError, match="out of stock"):
        await ask_crossbarhttp3(client.call, "com.ok.fail")
    publisher = crossbarhttp.Client(f"{bridge.url}publish/", key=KEY, secret=SECRET)
    number = await ask_crossbarhttp3(publisher.publish, "com.ok.topic", 1, named=2)
    event = (await eventually(lambda: app.of_type("event")))[0]
    assert (event["publication"], event["args"], event["kwargs"]) == (number, [1], {"named": 2})
    for wrong in ({"key": "other", "secret": SECRET}, {"key": KEY, "secret": "other"}):
        client = crossbarhttp.Client(f"{bridge.url}publish", **wrong)
        with pytest.raises(crossbarhttp.ClientSignatureError):
            await ask_crossbarhttp3(client.publish, "com.ok.topic")
    unsigned = crossbarhttp.Client(f"{bridge.url}publish")
    with pytest.raises(crossbarhttp.ClientMissingParams):
        await ask_crossbarhttp3(unsigned.publish, "com.ok.topic")


async def test_crossbarhttp3_calls_and_publishes_unsigned(
    open_bridge: Bridge, app: CallbackServer
) -> None:
    token = [("host", "h"), ("authorization", "Bearer token-of-bank"), JSON]
    for path, body in registrations(app).items():
        sent = msgspec.json.encode(body)
        assert (await ask_raw(open_bridge.url, "POST", path, token, sent)).status == 200
    client = crossbarhttp.Client(f"{open_bridge.url}call")
    assert await ask_crossbarhttp3(client.call, "com.ok.echo", 1, named=2) == [[1], 2]
    publisher = crossbarhttp.Client(f"{open_bridge.url}publish")
    number = await ask_crossbarhttp3(publisher.publish, "com.ok.topic", 5)
    assert (await eventually(lambda: app.of_type("event")))[0]["publication"] == number
    # Everybody is the one app, and may what it may.
    with pytest.raises(crossbarhttp.ClientCallRuntimeError, match="not allowed"):
        await ask_crossbarhttp3(client.call, "com.other")


def registrations(app: CallbackServer) -> dict[str, Any]:
    def answer(posted: Posted) -> web.Response:
        document = posted.document
        if document["type"] == "event":
            return web.Response(status=204)
        if document["procedure"] == "com.ok.fail":
            error = {"error": "com.ok.oops", "args": ["out of stock"], "kwargs": {}}
            return web.json_response(error, status=400)
        return web.json_response([document["args"], document["kwargs"]["named"]])

    app.answering = answer
    return {
        "/register/": {"endpoints": {"com.ok.echo": app.url, "com.ok.fail": app.url}},
        "/subscribe/": {"endpoints": {"com.ok.topic": app.url}},
    }


async def serve(bank: Client, app: CallbackServer) -> None:
    for path, body in registrations(app).items():
        await bank.post(path, body)


async def test_all_that_says_who_asks_elsewhere_does_so_here(bridge: Bridge) -> None:
    host = urlsplit(bridge.url).netloc
    bearer = [("host", host), JSON, ("authorization", "Bearer token-of-bank")]
    assert (await publish(bridge, headers=bearer)).status == 200
    with_token = b'{"topic": "com.shop.sold", "token": "token-of-bank"}'
    assert (await publish(bridge, body=with_token)).status == 200
    signed = sign(BRIDGE_SECRET, "POST", host, "/publish", PUBLISH)
    assert (await publish(bridge, headers=signed)).status == 200
    check_denied(await publish(bridge, headers=signed), 401)
    bearer[2] = ("authorization", "Bearer wrong")
    check_denied(await publish(bridge, headers=bearer), 401)
    check_denied(await publish(bridge, body=with_token.replace(b"bank", b"nobody")), 401)
    # What is there and wrong is mended by nothing.
    bad_query = crossbar_query(KEY, "wrong", PUBLISH)
    check_denied(await publish(bridge, bad_query, body=with_token), 401)
    query = crossbar_query(KEY, SECRET, PUBLISH)
    check_denied(await publish(bridge, query, headers=[*signed[:-1], ("signature", "?")]), 401)


BRIDGE_SECRET = "whsec_" + "A" * 43 + "="


async def test_a_bridge_without_such_clients_asks_for_credentials(config: Config) -> None:
    plain = msgspec.structs.replace(config.apps["shop"], crossbar=None)
    bridge = Bridge(msgspec.structs.replace(config, apps={"shop": plain}))
    await bridge.start()
    check_denied(await publish(bridge), 401)
    check_denied(await publish(bridge, crossbar_query(KEY, SECRET, PUBLISH)), 401)
    await bridge.stop()


async def test_a_signed_query_is_good_on_these_two_paths_alone(bridge: Bridge) -> None:
    host = urlsplit(bridge.url).netloc
    for path in ("/publish/com.shop.sold/", "/heartbeat/", "/registrations/"):
        body = b"" if path == "/registrations/" else b"{}"
        query = crossbar_query(KEY, SECRET, body)
        method = "POST" if body else "GET"
        headers = [("host", host), JSON]
        answer = await ask_raw(bridge.url, method, path + query, headers, body)
        assert answer.status == 401


async def test_a_nonce_counts_once_and_a_wrong_signature_burns_none(bridge: Bridge) -> None:
    query = crossbar_query(KEY, SECRET, PUBLISH)
    check_denied(await publish(bridge, query, body=PUBLISH + b" "), 401)
    answers = await asyncio.gather(*(publish(bridge, query) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [200] + [401] * 19
    again = crossbar_query(KEY, SECRET, PUBLISH, nonce="7", seq="1")
    assert (await publish(bridge, again)).status == 200
    other = crossbar_query(KEY, SECRET, PUBLISH, nonce="7", seq="2")
    check_denied(await publish(bridge, other), 401)


@pytest.mark.parametrize(
    "headers",
    [
        [("host", "{own}"), ("origin", "https://evil.example")],
        [("host", "{own}"), ("origin", "null")],
        [("host", "rebound.example:80")],
        [("host", "{own}"), ("x-forwarded-for", "10.0.0.1")],
        [("host", "{own}"), ("forwarded", "for=10.0.0.1")],
        [("host", "{own}"), ("via", "1.1 proxy")],
    ],
    ids=str,
)
async def test_no_page_and_no_proxy_asks_as_nobody(open_bridge: Bridge, headers: Headers) -> None:
    own = urlsplit(open_bridge.url).netloc
    given = [(name, value.replace("{own}", own)) for name, value in headers]
    answer = await publish(open_bridge, headers=given, body=b'{"topic": "com.ok"}')
    check_denied(answer, 400)
    local = [("host", own)]
    assert (await publish(open_bridge, headers=local, body=b'{"topic": "com.ok"}')).status == 200


async def test_where_nobody_is_let_in_other_paths_ask_for_credentials(open_bridge: Bridge) -> None:
    headers = [("host", urlsplit(open_bridge.url).netloc), JSON]
    body = b'{"args": []}'
    answer = await ask_raw(open_bridge.url, "POST", "/publish/com.ok/", headers, body)
    assert answer.status == 401


async def test_too_many_wrong_signatures_are_met_with_429(bridge: Bridge) -> None:
    for _ in range(100):
        check_denied(await publish(bridge, crossbar_query(KEY, "wrong", PUBLISH)), 401)
    answer = await publish(bridge, crossbar_query(KEY, SECRET, PUBLISH))
    check_denied(answer, 429)
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    # Another way of the same app's is another key.
    host = urlsplit(bridge.url).netloc
    signed = sign(BRIDGE_SECRET, "POST", host, "/publish", PUBLISH)
    assert (await publish(bridge, headers=signed)).status == 200


async def test_an_old_request_and_one_ahead_are_refused(bridge: Bridge) -> None:
    for offset in (-301, 302):
        at = datetime.fromtimestamp(time.time() + offset, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        query = crossbar_query(KEY, SECRET, PUBLISH, timestamp=at)
        check_denied(await publish(bridge, query), 400)
