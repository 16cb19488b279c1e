"""What goes for every request: paths, methods, bodies, versions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    import httpx

    from wamp_bridge_server.bridge import Bridge

GOOD = {"Authorization": "Bearer token-of-shop"}


@pytest.mark.parametrize("path", ["/", "/nothing/", "/call/a/b/", "/registrations/a/b", "//call/x"])
async def test_an_unknown_path_is_404(anonymous: httpx.AsyncClient, path: str) -> None:
    response = await anonymous.post(path, headers=GOOD, json={})
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["wamp-bridge-protocol"] == "1"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/register/", "POST"),
        ("DELETE", "/call/com.x", "POST"),
        ("POST", "/registrations/", "GET"),
        ("PUT", "/registrations/reg_1/", "DELETE, GET"),
    ],
)
async def test_a_wrong_method_is_405_with_those_allowed(
    anonymous: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    response = await anonymous.request(method, path, headers=GOOD)
    assert response.status_code == 405
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize("slash", ["", "/"])
async def test_every_path_goes_with_and_without_its_last_slash(
    anonymous: httpx.AsyncClient, slash: str
) -> None:
    for path in ("/registrations", "/subscriptions", "/sources"):
        assert (await anonymous.get(path + slash, headers=GOOD)).status_code == 200


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("Application/JSON;charset=UTF-8", 200),
        ("application/json; charset=latin-1", 415),
        ("text/json", 415),
        ("application/x-www-form-urlencoded", 415),
    ],
)
async def test_a_body_is_json_in_utf8(
    anonymous: httpx.AsyncClient, content_type: str, status: int
) -> None:
    headers = {**GOOD, "Content-Type": content_type}
    response = await anonymous.post("/heartbeat/", content=b"{}", headers=headers)
    assert response.status_code == status


async def test_a_compressed_body_is_refused(anonymous: httpx.AsyncClient) -> None:
    import gzip  # noqa: PLC0415 - one test's

    headers = {**GOOD, "Content-Encoding": "gzip"}
    response = await anonymous.post("/heartbeat/", content=gzip.compress(b"{}"), headers=headers)
    assert response.status_code == 415


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"endpoints": {"com.x": NaN}}',
        b'{"lease": 1e999, "endpoints": {}}',
        b'{"endpoints": []}',
        b'{"endpoints": {"com.x": 5}}',
        b'{"endpoints": {"com.x": {}}}',
        b'{"endpoints": {}, "lease": "10"}',
        b'{"endpoints": {}, "leese": 10}',
        b"[]",
        b'"x"',
        b"{}",
        b'{"endpoints": {"\xff": "http://127.0.0.1/"}}',
        b'{"endpoints": {"com.\\ud800": "http://127.0.0.1/"}}',
        b'{"endpoints": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
async def test_what_is_not_of_the_form_is_400(anonymous: httpx.AsyncClient, body: bytes) -> None:
    response = await anonymous.post("/register/", headers=GOOD, content=body)
    assert response.status_code == 400, response.text
    assert response.headers["content-type"] == "application/problem+json"


async def test_a_body_over_the_limit_is_refused_before_it_is_read(bridge: Bridge) -> None:
    parts = urlsplit(bridge.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = "POST /heartbeat/ HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n"
    writer.write(f"{head}Authorization: Bearer token-of-shop\r\n\r\n".encode())
    async with asyncio.timeout(5):
        status = await reader.readline()
    assert b" 413 " in status
    writer.close()
    await writer.wait_closed()


async def test_a_body_over_the_limit_is_refused_where_its_length_is_not_told(
    anonymous: httpx.AsyncClient,
) -> None:
    async def endless() -> object:
        for _ in range(64):
            yield b" " * 65536

    response = await anonymous.post("/heartbeat/", headers=GOOD, content=endless())  # type: ignore[arg-type]
    assert response.status_code == 413


@pytest.mark.parametrize(("version", "status"), [("1", 200), ("2", 400), ("", 400), ("x", 400)])
async def test_a_version_that_the_bridge_does_not_speak_is_400(
    anonymous: httpx.AsyncClient, version: str, status: int
) -> None:
    headers = {**GOOD, "wamp-bridge-protocol": version}
    assert (await anonymous.get("/sources/", headers=headers)).status_code == status


async def test_what_is_no_http_gets_no_silence(bridge: Bridge) -> None:
    parts = urlsplit(bridge.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
    async with asyncio.timeout(5):
        answer = await reader.read()
    assert not answer or b" 400 " in answer.partition(b"\r\n")[0]
    writer.close()


async def raw(bridge: Bridge, head: str, body: bytes = b"") -> bytes:
    """What the bridge answers to octets that no HTTP library would send."""
    parts = urlsplit(bridge.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_a_target_that_names_a_host_is_refused(bridge: Bridge) -> None:
    head = f"POST {bridge.url}publish/com.shop.sold/ HTTP/1.1\r\nHost: x\r\n"
    answer = await raw(bridge, f"{head}Authorization: Bearer token-of-shop\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
async def test_what_only_pretends_to_be_compressed_is_refused(
    bridge: Bridge, encoding: str
) -> None:
    for credentials, status in (("Authorization: Bearer token-of-shop\r\n", 415), ("", 401)):
        head = (
            "POST /heartbeat/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
            f"Content-Encoding: {encoding}\r\n{credentials}"
        )
        answer = await raw(bridge, head, b"xx")
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
