"""One signed POST, and what becomes of it."""

from __future__ import annotations

import asyncio
import base64
import gzip
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from support.destinations import LOOPBACK
from support.servers import CallbackServer, callback_server, raw_server
from wamp_bridge.core import WebhookSigner
from wamp_bridge_server.callbacks.sender import MAX_ANSWER_BYTES, Failure, Sender, SendError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    made = Sender({"shop": WebhookSigner([SECRET])}.get, {"shop": LOOPBACK}.get)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def app() -> AsyncIterator[CallbackServer]:
    async with callback_server() as server:
        yield server


async def failure(sender: Sender, url: str, within: float = 5.0) -> Failure:
    with pytest.raises(SendError) as raised:
        await sender.post("shop", url, b"{}", message="msg_1", attempt=1, within=within)
    return raised.value.failure


async def test_a_post_is_signed_as_standard_webhooks_has_it(
    sender: Sender, app: CallbackServer
) -> None:
    body = '{"type":"event","args":["é"]}'.encode()
    answer = await sender.post(
        "shop", app.url + "wamp/pub/x/", body, message="msg_1", attempt=3, within=5
    )
    assert (answer.status, answer.body) == (204, b"")
    posted = app.posted[0]
    assert Webhook(SECRET).verify(posted.body, posted.headers) == posted.document
    assert posted.path == "/wamp/pub/x/"
    headers = {name.lower(): value for name, value in posted.headers.items()}
    assert headers["webhook-id"] == "msg_1"
    assert headers["wamp-bridge-attempt"] == "3"
    assert headers["content-type"] == "application/json"
    assert headers["request-id"]


async def test_the_path_goes_out_as_it_was_given(sender: Sender, app: CallbackServer) -> None:
    for path in ("rpc/com.shop%2Fpay/", "rpc/~Li4/", "a%20b/%C3%A9?x=%2B&y=1"):
        await sender.post("shop", app.url + path, b"{}", message="m", attempt=1, within=5)
        assert app.posted[-1].path == "/" + path


async def test_no_redirect_is_followed_and_no_cookie_kept(
    sender: Sender, app: CallbackServer
) -> None:
    def answering(_: object) -> web.Response:
        response = web.Response(status=302, headers={"Location": "/elsewhere"})
        response.set_cookie("session", "1")
        return response

    app.answering = answering
    for _ in range(2):
        answer = await sender.post("shop", app.url, b"{}", message="m", attempt=1, within=5)
        assert answer.status == 302
    assert [posted.path for posted in app.posted] == ["/", "/"]
    assert "Cookie" not in app.posted[1].headers


async def test_no_proxy_variable_is_read(
    sender: Sender, app: CallbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1/")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    answer = await sender.post("shop", app.url, b"{}", message="m", attempt=1, within=5)
    assert answer.status == 204


async def test_a_refused_connection_is_told_from_others(sender: Sender) -> None:
    async with raw_server(lambda _reader, _writer: asyncio.sleep(0)) as url:
        pass  # nobody listens there any more
    assert await failure(sender, url) is Failure.REFUSED


async def test_a_name_that_does_not_resolve(sender: Sender) -> None:
    assert await failure(sender, "http://no-such-host.invalid/") is Failure.UNRESOLVED


async def test_an_answer_that_does_not_come(sender: Sender) -> None:
    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw_server(silent) as url:
        assert await failure(sender, url, within=0.2) is Failure.LATE


async def test_an_answer_that_drips_is_cut_at_the_deadline(sender: Sender) -> None:
    gone = asyncio.Event()

    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        try:
            while not writer.is_closing():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)
        finally:
            gone.set()

    async with raw_server(drip) as url:
        assert await failure(sender, url, within=0.2) is Failure.LATE
        async with asyncio.timeout(5):
            await gone.wait()


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"])
async def test_an_answer_that_is_cut_off(sender: Sender, said: bytes) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(said)

    async with raw_server(cut) as url:
        assert await failure(sender, url) is Failure.CUT


async def test_an_answer_that_is_no_http(sender: Sender) -> None:
    async def garble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(b"220 mail.example.com ESMTP\r\n\r\n")

    async with raw_server(garble) as url:
        assert await failure(sender, url) is Failure.GARBLED


async def test_tls_that_fails(sender: Sender, app: CallbackServer) -> None:
    assert await failure(sender, app.url.replace("http:", "https:")) is Failure.TLS


async def test_an_endless_answer_is_cut_at_the_limit(sender: Sender) -> None:
    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 65536)
            await writer.drain()

    async with raw_server(endless) as url:
        answer = await sender.post("shop", url, b"{}", message="m", attempt=1, within=20)
    assert answer.truncated
    assert len(answer.body) == MAX_ANSWER_BYTES


async def test_a_compressed_answer_is_not_inflated(sender: Sender, app: CallbackServer) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    app.answering = lambda _posted: web.Response(body=bomb, headers={"Content-Encoding": "gzip"})
    answer = await sender.post("shop", app.url, b"{}", message="m", attempt=1, within=5)
    assert answer.truncated
    assert answer.body == bomb
    assert app.posted[0].headers["Accept-Encoding"] == "identity"
