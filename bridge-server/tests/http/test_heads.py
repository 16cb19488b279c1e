"""What comes before a body: too much of it, too slowly, or no HTTP at all."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from support.raw import ask_raw
from wamp_bridge_server.http import connections

if TYPE_CHECKING:
    from support.clients import Client
    from support.servers import CallbackServer
    from wamp_bridge_server.bridge import Bridge

HOST = [("host", "127.0.0.1")]


@pytest.fixture
def router_url() -> str:
    return "memory:"


async def said(bridge: Bridge, octets: bytes) -> bytes:
    parts = urlsplit(bridge.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(octets)
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()


def problem_of(octets: bytes) -> int:
    head, _, body = octets.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert b"wamp-bridge-protocol: 1" in head
    assert b"aiohttp" not in head
    document = json.loads(body)
    assert document["request_id"].encode() in head
    status = int(head.split()[1])
    assert document["status"] == status
    return status


@pytest.mark.parametrize(
    "lines",
    [
        [("x", "y" * 33_000)],
        [("x" * 33_000, "y")],
        [(f"x-{number}", "y" * 3_000) for number in range(11)],
        [(f"x-{number}", "y") for number in range(100)],
    ],
    ids=["value", "name", "all", "lines"],
)
async def test_too_large_headers_are_431(bridge: Bridge, lines: list[tuple[str, str]]) -> None:
    answer = await ask_raw(bridge.url, "GET", "/health/live", [*HOST, *lines])
    assert answer.status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    assert answer.document["status"] == answer.status
    assert answer.headers["request-id"] == answer.document["request_id"]


async def test_headers_within_the_limits_are_taken(bridge: Bridge) -> None:
    lines = [(f"x-{number}", "y" * 300) for number in range(97)]
    answer = await ask_raw(bridge.url, "GET", "/health/live", [*HOST, *lines])
    assert answer.status == HTTPStatus.OK


async def test_a_long_target_is_414(bridge: Bridge, shop: Client) -> None:
    longest = "/health/live?".ljust(connections.MAX_TARGET_BYTES, "x")
    assert (await ask_raw(bridge.url, "GET", longest, HOST)).status == HTTPStatus.OK
    answer = await ask_raw(bridge.url, "GET", f"{longest}x", HOST)
    assert (answer.status, answer.document["title"]) == (414, "Request-URI Too Long")
    assert problem_of(await said(bridge, b"GET /" + b"x" * 100_000)) == 414
    # The longest URI that is taken can be named.
    answer_to_longest = await shop.http.post(f"/publish/{'%F0%9F%98%80' * 1024}/", json={})
    assert answer_to_longest.status_code == HTTPStatus.OK


@pytest.mark.parametrize("path", ["/health/live", "/nowhere", "/register/"])
async def test_what_a_client_expects_and_is_not_offered_is_417(bridge: Bridge, path: str) -> None:
    answer = await ask_raw(bridge.url, "GET", path, [*HOST, ("expect", "secret")])
    assert answer.status == HTTPStatus.EXPECTATION_FAILED
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["request-id"] == answer.document["request_id"]
    assert b"secret" not in answer.body


async def test_a_client_that_waits_before_its_body_is_told_to_go_on(bridge: Bridge) -> None:
    parts = urlsplit(bridge.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = "POST /heartbeat/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    writer.write(f"{head}expect: 100-continue\r\ncontent-length: 26\r\n\r\n".encode())
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b'{"token": "token-of-shop"}')
    assert (await reader.read()).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_endless_headers_are_431(bridge: Bridge) -> None:
    endless = b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 90 + b"x: " + b"y" * 33_000
    assert problem_of(await said(bridge, endless)) == 431


@pytest.mark.parametrize(
    "octets",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 secret",
        b"secret\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nsecret\r\n\r\n",
        b"GET / HTTP/1.1\r\nno-host: secret\r\n\r\n",
        b"GET / HTTP/9.9\r\nhost: secret\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: secret\r\n\r\n",
        b"GET /health/live\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_400_and_not_quoted(
    bridge: Bridge, octets: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await said(bridge, octets)
    assert problem_of(answer) == HTTPStatus.BAD_REQUEST
    assert b"secret" not in answer
    logged = "".join(capsys.readouterr())
    assert "Traceback" not in logged
    assert "secret" not in logged


_POST = b"POST /heartbeat/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"


@pytest.mark.parametrize(
    "framing",
    [
        b"content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nG",
        b"transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\ntransfer-encoding: gzip\r\n\r\n0\r\n\r\n",
        b"content-length: 0\r\ncontent-length: 2\r\n\r\n{}",
        b"content-length: 2, 2\r\n\r\n{}",
        b"content-length: +2\r\n\r\n{}",
        b"content-length: 0x2\r\n\r\n{}",
        b"x: y\r\n content-length: 2\r\n\r\n{}",
        b"x: y\ncontent-length: 2\r\n\r\n{}",
        b"transfer-encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\n2\r\n{}??0\r\n\r\n",
    ],
)
async def test_what_could_be_read_in_two_ways_is_no_request(bridge: Bridge, framing: bytes) -> None:
    smuggled = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n"
    answer = await said(bridge, _POST + framing + smuggled)
    assert problem_of(answer) == HTTPStatus.BAD_REQUEST
    assert answer.count(b"HTTP/1.") == 1
    assert b"live" not in answer


async def test_slow_headers_are_408(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    assert problem_of(await said(bridge, b"GET / HTTP/1.1\r\nhost:")) == 408
    assert await said(bridge, b"") == b""  # where nothing came, nothing is said


async def test_slow_headers_of_a_second_request_are_408(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    parts = urlsplit(bridge.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
    await reader.readuntil(b'{"status":"live"}')
    writer.write(b"GET /health/live")
    assert problem_of(await asyncio.wait_for(reader.read(), 20)) == 408
    writer.close()


@pytest.mark.parametrize(
    "rest", [b"GET /health", b"GET /?" + b"x" * 15_000 + b" HTTP/1.1\r\nx: " * 4]
)
async def test_a_second_requests_bad_headers_are_no_answer_to_the_first(
    bridge: Bridge, shop: Client, app: CallbackServer, rest: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived, go = asyncio.Event(), asyncio.Event()

    async def answer(_posted: object) -> web.Response:
        arrived.set()
        await go.wait()
        return web.json_response("done")

    app.answering = answer
    await shop.post("/register/", {"endpoints": {"com.slow": app.url}})
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    parts = urlsplit(bridge.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = "POST /call/com.slow/ HTTP/1.1\r\nhost: x\r\nauthorization: Bearer token-of-shop\r\n\r\n"
    writer.write(head.encode())
    await arrived.wait()
    writer.write(rest)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.5)
    go.set()
    answered = await asyncio.wait_for(reader.read(), 20)
    assert answered.startswith(b"HTTP/1.1 200")
    assert b'"result":"done"' in answered
    writer.close()


async def test_no_answer_says_which_version_runs(shop: Client) -> None:
    for path in ("/health/live", "/nowhere", "/registrations/"):
        assert (await shop.http.get(path)).headers["Server"] == "wamp-bridge"
