"""Where sessions join: routers that are tried in turn, several realms, by a certificate."""

from __future__ import annotations

import base64
import hashlib
import math
import socket
from typing import TYPE_CHECKING

import pytest
from autobahn.wamp.message import Challenge
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from support.certificates import write_certificate
from support.peers import joined
from support.processes import free_port
from support.router import CrossbarRouter, running_router
from support.scripted_router import HURRIED, scripted_router
from support.waiting import eventually
from wamp_bridge_server.backends.base import WampError
from wamp_bridge_server.backends.opening import identities_of, open_backend, realms_of
from wamp_bridge_server.backends.wamp import Identity, WampBackend
from wamp_bridge_server.backends.wamp.authentication import BadChallenge, Login
from wamp_bridge_server.backends.wamp.scram import Scram
from wamp_bridge_server.config import AppConfig, RouterAuth, RouterConfig, TlsConfig
from wamp_bridge_server.devrouter import ANYTHING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.listening import Listening


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> TlsConfig:
    """A certificate, for the router and its client alike."""
    cert, key = write_certificate(tmp_path_factory.mktemp("certificate"))
    return TlsConfig(cert=cert, key=key)


@pytest.fixture(scope="module")
def tls_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def places(certificate: TlsConfig, tls_port: int) -> Iterator[CrossbarRouter]:
    """Yield a router with two realms, and a port for those who have a certificate."""
    der = x509.load_pem_x509_certificate(certificate.cert.read_bytes()).public_bytes(Encoding.DER)
    pairs = hashlib.sha1(der).hexdigest().upper()  # as Crossbar names them
    fingerprint = ":".join(pairs[at : at + 2] for at in range(0, len(pairs), 2))
    files = {"certificate": str(certificate.cert), "key": str(certificate.key)}
    principals = {"shown": {"certificate-sha1": fingerprint, "role": "app"}}
    tls = {
        "type": "rawsocket",
        "id": "tls",
        "endpoint": {
            "type": "tcp",
            "interface": "127.0.0.1",
            "port": tls_port,
            "tls": {**files, "ca_certificates": [str(certificate.cert)]},
        },
        "serializers": ["cbor"],
        "auth": {"tls": {"type": "static", "principals": principals}},
    }
    roles = {"anonymous": [ANYTHING], "app": [ANYTHING]}
    with running_router(roles=roles, realms=["realm2"], transports=[tls]) as router:
        yield router


async def test_apps_join_realms_of_their_own(
    places: CrossbarRouter, listening: Listening, namespace: str
) -> None:
    apps = {"shop": AppConfig(name="shop", realm="realm2"), "bank": AppConfig(name="bank")}
    backend = open_backend(RouterConfig(url=places.url), {}, realms_of(apps))
    await backend.start(listening)
    try:
        await backend.session("shop").register(namespace, "exact", "single")
        with pytest.raises(WampError, match="no_such_procedure"):
            await backend.session("bank").call(namespace, [], {}, timeout=5)
        async with joined(places.url, realm="realm2") as peer:
            await peer.call(namespace)
        assert listening.invocations[0][0] == "shop"
        await eventually(lambda: backend.realms == {"realm1": True, "realm2": True})
    finally:
        await backend.close()


async def test_realms_are_apart_without_a_router_too(listening: Listening) -> None:
    apps = {"shop": AppConfig(name="shop", realm="realm2"), "bank": AppConfig(name="bank")}
    backend = open_backend(RouterConfig(url="memory:"), {}, realms_of(apps))
    await backend.start(listening)
    await backend.session("shop").register("com.f", "exact", "single")
    with pytest.raises(WampError, match="no_such_procedure"):
        await backend.session("bank").call("com.f", [], {}, timeout=5)
    assert backend.realms == {"realm1": True, "realm2": True}
    await backend.close()


async def test_a_certificate_says_who_joins(
    places: CrossbarRouter,
    certificate: TlsConfig,
    tls_port: int,
    listening: Listening,
    namespace: str,
) -> None:
    assert places.running
    for own in (certificate, None):
        router = RouterConfig(
            url=f"rss://127.0.0.1:{tls_port}",
            auth=RouterAuth(method="tls", pair=own),
            ca=certificate.cert,
            tls=None if own else certificate,
        )
        backend = open_backend(router, identities_of(router, {"shop": AppConfig(name="shop")}))
        await backend.start(listening)
        try:
            shop = backend.session("shop")
            await shop.register(namespace, "exact", "single")
            await shop.call(namespace, [], {}, timeout=5)
            assert listening.invocations.pop()[1].details.authid == "shown"
        finally:
            await backend.close()


async def test_routers_are_tried_in_turn(
    router: CrossbarRouter, listening: Listening, namespace: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as dead:
        away = f"rs://127.0.0.1:{dead.getsockname()[1]}"
    backend = WampBackend([away, router.url, away], patience=HURRIED)
    await backend.start(listening)
    try:
        shop = backend.session("shop")
        await eventually(lambda: shop.joined and backend.joined)
        await shop.register(namespace, "exact", "single")
        assert await shop.call(namespace, [], {}, timeout=5)
    finally:
        await backend.close()


async def test_all_go_to_the_next_router_when_theirs_is_lost(listening: Listening) -> None:
    async with scripted_router() as other:
        async with scripted_router() as first:
            backend = WampBackend([first.url, other.url], patience=HURRIED)
            await backend.start(listening)
            sessions = [backend.session(name) for name in ("shop", "bank")]
            await eventually(lambda: all(each.joined for each in sessions))
            assert other.connections == 0
        try:
            await eventually(lambda: other.connections == 3)
            await eventually(lambda: backend.joined and all(each.joined for each in sessions))
        finally:
            await backend.close()


def challenge(scram: Scram, **changed: object) -> dict[str, object]:
    nonce = base64.b64encode(base64.b64decode(scram.nonce) + b"0123456789abcdef").decode()
    salt = base64.b64encode(b"0123456789abcdef").decode()
    return {"nonce": nonce, "salt": salt, "kdf": "pbkdf2", "iterations": 4, **changed}


@pytest.mark.parametrize(
    "changed",
    [
        {"nonce": base64.b64encode(bytes(32)).decode()},
        {"nonce": "?"},
        {"iterations": 0},
        {"iterations": 10**12},
        {"kdf": "argon2id-13", "iterations": 10**6, "memory": 10**6},
        {"kdf": "argon2id-13", "iterations": 1},
        {"kdf": "argon2id-13", "iterations": 1, "memory": -1},
        {"kdf": "argon2id-13", "iterations": 2**40},
        {"kdf": "pbkdf2", "memory": math.inf},
        {"salt": []},
        {"kdf": "rot13"},
    ],
    ids=str,
)
def test_a_challenge_that_is_none_is_not_answered(changed: dict[str, object]) -> None:
    login = Login(Identity("scram", "shop", secret="s3cret"))
    extra = challenge(login._scram or Scram("", ""), **changed)
    with pytest.raises(BadChallenge) as raised:
        login.answer(Challenge("scram", extra))
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("signature", [None, "", "?", base64.b64encode(bytes(32)).decode(), 7])
def test_a_router_that_does_not_know_the_password_is_refused(signature: object) -> None:
    scram = Scram("shop", "s3cret")
    with pytest.raises(ValueError, match=r"."):
        scram.check(signature)
    scram.answer(challenge(scram))
    with pytest.raises(ValueError, match=r"."):
        scram.check(signature)
