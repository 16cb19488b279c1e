"""Routers behind TLS, and those that only pretend."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support.waiting import eventually
from wamp_bridge_server.backends.wamp import Patience, WampBackend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from support.listening import Listening
    from support.router import CrossbarRouter


class Authority:
    """A certificate authority of one's own, with one certificate for 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
                critical=False,
            )
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        self.certificate = folder / "certificate.pem"
        self.certificate.write_bytes(certificate.public_bytes(pem))
        self.key = folder / "key.pem"
        self.key.write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate)


@pytest.fixture
async def tls_port(router: CrossbarRouter, authority: Authority) -> AsyncIterator[int]:
    """Yield a port that speaks TLS and passes everything on to the router."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(router.host, router.port)
        await asyncio.gather(pump(reader, back), pump(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=authority.server())
    before = asyncio.all_tasks()
    yield server.sockets[0].getsockname()[1]
    server.close()
    await eventually(lambda: asyncio.all_tasks() <= before | {asyncio.current_task()})


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.mark.parametrize("url", ["rss://127.0.0.1:{}", "wss://127.0.0.1:{}/ws"])
async def test_a_router_behind_tls(
    tls_port: int, authority: Authority, listening: Listening, namespace: str, url: str
) -> None:
    backend = WampBackend(url.format(tls_port), tls=authority.client())
    await backend.start(listening)
    shop = backend.session("shop")
    await shop.register(namespace, "exact", "single")
    assert (await shop.call(namespace, ["x" * 200_000], {}, timeout=10)).args == [["x" * 200_000]]
    await backend.close()


@pytest.mark.parametrize("url", ["rss://127.0.0.1:{}", "wss://127.0.0.1:{}/ws"])
async def test_a_certificate_of_nobody_known_is_not_trusted(
    tls_port: int, listening: Listening, url: str
) -> None:
    backend = WampBackend(url.format(tls_port), patience=Patience(retry=0.5))
    await backend.start(listening)
    await eventually(lambda: "certificate" in (backend.reason or "").lower())
    await backend.close()
