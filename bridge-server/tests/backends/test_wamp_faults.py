"""The router stops, starts, falls silent: what the sessions make of it."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support.peers import joined
from support.router import CrossbarRouter
from support.waiting import eventually
from wamp_bridge_server.backends.base import PublishOptions, Unavailable
from wamp_bridge_server.backends.wamp import Patience, WampBackend
from wamp_bridge_server.devrouter.ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from support.listening import Listening
    from wamp_bridge_server.backends.base import Session

REGISTRATIONS = 1000


@pytest.fixture
async def backend(
    own_router: CrossbarRouter, listening: Listening, no_task_left: None
) -> AsyncIterator[WampBackend]:
    """A backend at a router that the test may do with what it likes."""
    assert no_task_left is None
    made = WampBackend(own_router.url)
    await made.start(listening)
    yield made
    await made.close()


async def unavailable(session: Session) -> str:
    """Why a call is refused, at once."""
    async with asyncio.timeout(1):
        with pytest.raises(Unavailable) as caught:
            await session.call("com.f", [], {}, timeout=30)
    return str(caught.value)


async def flood(session: Session) -> None:
    """Publish a hundred megabytes."""
    for _ in range(100):
        options = PublishOptions(acknowledge=False)
        await session.publish("com.a", ["x" * 2**20], {}, options)


async def test_a_router_that_stops_and_starts_again(
    own_router: CrossbarRouter, backend: WampBackend, listening: Listening
) -> None:
    shop = backend.session("shop")
    others = [backend.session(f"app{number}") for number in range(50)]
    registering: list[asyncio.Task[Any]] = []

    async def register() -> None:
        await asyncio.gather(
            *(shop.register(f"com.p{number}", "exact", "single") for number in range(REGISTRATIONS))
        )

    def on_join(app: str) -> None:
        if app == "shop":
            registering.append(asyncio.create_task(register()))

    listening.on_join = on_join
    await eventually(lambda: registering)
    await registering[0]
    await eventually(lambda: backend.joined and all(other.joined for other in others))

    await asyncio.to_thread(own_router.kill)
    await eventually(lambda: len(listening.leaves) == 51)
    assert not backend.joined
    assert not shop.joined
    assert "lost" in listening.leaves[0][1] or "closed" in listening.leaves[0][1]
    assert await unavailable(shop)
    assert await unavailable(backend.session("new"))

    await asyncio.to_thread(own_router.start)
    loop = asyncio.get_running_loop()
    returned = loop.time()
    await eventually(lambda: len(registering) == 2)
    await registering[1]
    await eventually(lambda: backend.joined and all(other.joined for other in others))
    assert loop.time() - returned < 5
    last = await others[0].call(f"com.p{REGISTRATIONS - 1}", [1], {}, timeout=10)
    assert last.args == [[1]]


async def test_a_router_that_comes_later(listening: Listening, no_task_left: None) -> None:
    assert no_task_left is None
    router = CrossbarRouter(port=free_port("127.0.0.1"))
    backend = WampBackend(router.url)
    await backend.start(listening)
    shop = backend.session("shop")
    with pytest.raises(Unavailable, match="can't be reached"):
        await shop.call("com.f", [], {}, timeout=30)
    assert await unavailable(shop)
    assert "can't be reached" in (backend.reason or "")
    try:
        await asyncio.to_thread(router.start)
        await eventually(lambda: backend.joined and shop.joined, within=3)
        assert listening.leaves == []
        await backend.close()
    finally:
        await asyncio.to_thread(router.stop)


async def test_a_router_that_stands_still_is_noticed(
    own_router: CrossbarRouter, backend: WampBackend, listening: Listening
) -> None:
    shop = backend.session("shop")
    await eventually(lambda: shop.joined)
    loop = asyncio.get_running_loop()
    own_router.suspend()
    try:
        stopped = loop.time()
        pending = asyncio.create_task(shop.call("com.f", [], {}, timeout=60))
        await asyncio.sleep(0)  # the call is on its way
        # What the network doesn't take is not piled up without end meanwhile.
        with pytest.raises(Unavailable, match="takes no more"):
            await flood(shop)
        with pytest.raises(Unavailable, match="silent"):
            await pending
        assert loop.time() - stopped < 15
        await eventually(lambda: not backend.joined)
        assert await unavailable(shop)
    finally:
        own_router.resume()
    await eventually(lambda: backend.joined and shop.joined)
    assert listening.leaves[0][0] == "shop"
    async with joined(own_router.url) as peer:
        await peer.register("com.f", lambda: "well again")
        assert (await shop.call("com.f", [], {}, timeout=10)).args == ["well again"]


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
