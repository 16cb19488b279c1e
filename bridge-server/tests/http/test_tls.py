"""TLS on the listener, and its certificate replaced."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest

from support.certificates import write_certificate
from support.clients import plain_http
from support.waiting import eventually
from wamp_bridge_server.bridge import Bridge
from wamp_bridge_server.config import Config, RouterConfig, TlsConfig
from wamp_bridge_server.http import handshakes
from wamp_bridge_server.limits import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from support.router import CrossbarRouter


@pytest.fixture
def router_url() -> str:
    return "memory:"


@pytest.fixture
def config(config: Config, tmp_path: Path) -> Config:
    cert, key = write_certificate(tmp_path)
    return msgspec.structs.replace(config, tls=TlsConfig(cert=cert, key=key))


@pytest.fixture
async def bridge(config: Config) -> Bridge:
    """Not started: its client must know the certificate."""
    return Bridge(config)


async def ask(bridge: Bridge, authority: Path, most: ssl.TLSVersion | None = None) -> int:
    context = ssl.create_default_context(cafile=authority)
    if most is not None:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = most
    async with httpx.AsyncClient(verify=context, trust_env=False) as http:
        answer = await http.get(bridge.url + "health/live")
        assert answer.json() == {"status": "live"}
        return answer.status_code


async def test_who_never_agrees_on_tls_is_cut_off(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "HANDSHAKE_SECONDS", 0.1)
    await bridge.start()
    try:
        place = urlsplit(bridge.url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    finally:
        await bridge.stop()


async def test_who_never_agrees_on_tls_keeps_nobody_out(config: Config, tmp_path: Path) -> None:
    bridge = Bridge(config, limits=Limits(handshakes=3))
    await bridge.start()
    try:
        place = urlsplit(bridge.url)
        silent = [await asyncio.open_connection(place.hostname, place.port) for _ in range(5)]
        async with asyncio.timeout(5):  # which is less than a handshake may take
            assert [await reader.read() for reader, _ in silent[:2]] == [b"", b""]
            assert await ask(bridge, tmp_path / "test.crt") == 200
        for _, writer in silent:
            writer.close()
            with suppress(ConnectionResetError):
                await writer.wait_closed()
    finally:
        await bridge.stop()


async def test_the_listener_speaks_tls(bridge: Bridge, tmp_path: Path) -> None:
    await bridge.start()
    try:
        assert bridge.url.startswith("https://127.0.0.1:")
        assert await ask(bridge, tmp_path / "test.crt") == 200
        assert await ask(bridge, tmp_path / "test.crt", ssl.TLSVersion.TLSv1_2) == 200
        with (
            pytest.warns(DeprecationWarning, match="TLSv1"),
            pytest.raises(httpx.ConnectError),
        ):
            await ask(bridge, tmp_path / "test.crt", ssl.TLSVersion.TLSv1_1)
        with pytest.raises(httpx.TransportError):
            async with httpx.AsyncClient(trust_env=False) as http:
                await http.get(bridge.url.replace("https:", "http:"))
    finally:
        await bridge.stop()


async def test_a_certificate_is_replaced_while_it_runs(
    bridge: Bridge, config: Config, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    await bridge.start()
    try:
        cert, key = write_certificate(other)
        before = tmp_path / "before.crt"
        before.write_bytes((tmp_path / "test.crt").read_bytes())
        (tmp_path / "test.crt").write_bytes(cert.read_bytes())
        await bridge.reload(config)  # the key is not of it: nothing changes
        assert await ask(bridge, before) == 200
        (tmp_path / "test.key").write_bytes(key.read_bytes())
        await bridge.reload(config)
        assert await ask(bridge, cert) == 200
        with pytest.raises(httpx.ConnectError):
            await ask(bridge, before)
    finally:
        await bridge.stop()


@asynccontextmanager
async def tls_before(url: str, cert: Path, key: Path) -> AsyncIterator[int]:
    """Take TLS off before a server; the port where."""
    inner = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(inner.hostname, inner.port)
        await asyncio.gather(pump(reader, back), pump(there, writer), return_exceptions=True)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("scheme", ["rss", "wss"])
async def test_the_router_is_trusted_by_the_file_of_authorities(
    config: Config,
    router: CrossbarRouter,
    tmp_path: Path,
    scheme: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cert, key = write_certificate(tmp_path, "router")
    other, _ = write_certificate(tmp_path, "other")
    path = "/ws" if scheme == "wss" else ""
    async with tls_before(router.url, cert, key) as port:
        for authority, joined in ((cert, True), (other, False)):
            url = f"{scheme}://127.0.0.1:{port}{path}"
            told = RouterConfig(url=url, ca=authority)
            bridge = Bridge(msgspec.structs.replace(config, tls=None, router=told))
            await bridge.start()
            try:
                async with plain_http(bridge.url) as http:

                    async def decided(http: httpx.AsyncClient = http) -> bool:
                        answer = await http.get("/health/ready")
                        ready = answer.status_code == HTTPStatus.OK
                        return ready or "CERTIFICATE_VERIFY_FAILED" in capsys.readouterr().out

                    await eventually(decided)
                    ready = (await http.get("/health/ready")).is_success
                    assert ready is joined
            finally:
                await bridge.stop()
