"""Who joins a real Crossbar, as whom, and who doesn't."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from support.peers import joined
from support.router import running_router
from support.waiting import eventually
from wamp_bridge_server.backends.base import PublishOptions, Unavailable, WampError
from wamp_bridge_server.backends.opening import identities_of, open_backend
from wamp_bridge_server.backends.wamp import Identity, Patience, WampBackend
from wamp_bridge_server.config import AppConfig, RouterAuth, RouterConfig, Secret
from wamp_bridge_server.devrouter import ANYTHING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from support.listening import Listening
    from support.router import CrossbarRouter

KEY = "20e8c05d0ede9506462bb049c4843032b18e8e75b314583d0c8d8a4942f9be40"
PUBLIC = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(KEY)).public_key().public_bytes_raw()
SALT = {"salt": "salt123", "iterations": 100, "keylen": 16}
PATIENCE = Patience(retry_refused=0.2)

LISTEN_ONLY = {
    "uri": "com.",
    "match": "prefix",
    "allow": {"call": False, "register": False, "publish": False, "subscribe": True},
}
AUTH: dict[str, Any] = {
    "ticket": {
        "type": "static",
        "principals": {
            "shop": {"ticket": "secret-of-shop", "role": "app"},
            "reader": {"ticket": "secret-of-reader", "role": "reader"},
        },
    },
    "wampcra": {
        "type": "static",
        "users": {
            "plain": {"secret": "secret-of-plain", "role": "app"},
            "salted": {"secret": "secret-of-salted", "role": "app", **SALT},
        },
    },
    "cryptosign": {
        "type": "static",
        "principals": {
            "signer": {"realm": "realm1", "role": "app", "authorized_keys": [PUBLIC.hex()]}
        },
    },
}
# What autobahn makes of the one password, and the specification of the other.
_SALT = b"0123456789abcdef"
SALTED = hashlib.pbkdf2_hmac("sha256", b"secret-of-older", _SALT, 4096, 32)
SCRAM = {
    "newer": {
        "kdf": "argon2id-13",
        "memory": 512,
        "iterations": 64,
        "salt": _SALT.hex(),
        "stored-key": "6ef4d7bfb84bf6809181e5849d76be3d203ea1fadee4092ff6c180ee62ca7392",
        "server-key": "85310a24602aa7fb75b3427461d539753f707754c4bc9ab10f594c93a61e45c3",
        "role": "app",
    },
    "older": {
        "kdf": "pbkdf2",
        "memory": 0,
        "iterations": 4096,
        "salt": _SALT.hex(),
        "stored-key": hashlib.sha256(
            hmac.digest(SALTED, b"Client Key", "sha256"),
        ).hexdigest(),
        "server-key": hmac.digest(SALTED, b"Server Key", "sha256").hex(),
        "role": "app",
    },
}
AUTH["scram"] = {"type": "static", "principals": SCRAM}
IDENTITIES = {
    "ticket": Identity("ticket", "shop", secret="secret-of-shop"),
    "wampcra": Identity("wampcra", "plain", secret="secret-of-plain"),
    "wampcra with a salt": Identity("wampcra", "salted", secret="secret-of-salted"),
    "scram with argon2id": Identity("scram", "newer", secret="secret-of-scrammer"),
    "scram with pbkdf2": Identity("scram", "older", secret="secret-of-older"),
    "cryptosign": Identity("cryptosign", "signer", key=KEY),
    "cryptosign by its key alone": Identity("cryptosign", key=KEY),
}


@pytest.fixture(scope="module")
def guarded() -> Iterator[CrossbarRouter]:
    """Yield a router that lets nobody in without a name."""
    roles = {"app": [ANYTHING], "reader": [LISTEN_ONLY]}
    with running_router(roles=roles, auth=AUTH, realms=["realm2"]) as router:
        yield router


@pytest.mark.parametrize("way", IDENTITIES)
@pytest.mark.parametrize("framing", ["rawsocket", "websocket"])
async def test_every_way_to_say_who_one_is(
    guarded: CrossbarRouter, listening: Listening, namespace: str, way: str, framing: str
) -> None:
    url = guarded.url if framing == "rawsocket" else guarded.websocket_url
    backend = WampBackend(url, identity=IDENTITIES[way], patience=PATIENCE)
    await backend.start(listening)
    shop = backend.session("shop")
    await shop.register(namespace, "exact", "single")
    await shop.call(namespace, [], {}, timeout=5)
    details = listening.invocations[0][1].details
    assert details.authid == (IDENTITIES[way].authid or "signer")
    assert details.authrole == "app"
    await backend.close()


@pytest.mark.parametrize(
    "identity",
    [
        Identity(),
        Identity("ticket", "shop", secret="secret-of-others"),
        Identity("ticket", "nobody", secret="secret-of-shop"),
        Identity("wampcra", "plain", secret="secret-of-others"),
        Identity("wampcra", "salted", secret="secret-of-others"),
        Identity("scram", "newer", secret="secret-of-others"),
        Identity("cryptosign", "signer", key=KEY[:-2] + "41"),
    ],
    ids=lambda identity: f"{identity.method} {identity.authid}",
)
async def test_who_is_not_let_in_is_told_so(
    guarded: CrossbarRouter,
    listening: Listening,
    identity: Identity,
    capfd: pytest.CaptureFixture[str],
) -> None:
    backend = WampBackend(guarded.url, identity=identity, patience=PATIENCE)
    await backend.start(listening)
    session = backend.session("shop")
    with pytest.raises(Unavailable, match="the router refuses the session"):
        await session.call("com.f", [], {}, timeout=5)
    await eventually(lambda: "the router refuses the session" in (backend.reason or ""))
    assert not backend.joined
    assert not session.joined
    await backend.close()
    written = capfd.readouterr()
    for secret in filter(None, (identity.secret, identity.key)):
        assert secret not in written.out + written.err + str(backend.reason)


async def test_a_realm_that_does_not_exist(guarded: CrossbarRouter, listening: Listening) -> None:
    backend = WampBackend(guarded.url, "nowhere", identity=IDENTITIES["ticket"], patience=PATIENCE)
    await backend.start(listening)
    await eventually(lambda: "no_such_realm" in (backend.reason or ""))
    await backend.close()


@pytest.fixture
async def configured(
    guarded: CrossbarRouter, listening: Listening, no_task_left: None
) -> AsyncIterator[WampBackend]:
    """A backend as a configuration gives it: one app has an identity of its own."""
    assert no_task_left is None
    ticket = Secret("secret-of-shop")
    router = RouterConfig(
        url=guarded.url, auth=RouterAuth(method="ticket", authid="shop", secret=ticket)
    )
    backend = open_backend(
        router,
        identities_of(
            router,
            {
                "news": AppConfig(
                    name="news",
                    router_auth=RouterAuth(
                        method="ticket", authid="reader", secret=Secret("secret-of-reader")
                    ),
                ),
                "shop": AppConfig(name="shop"),
            },
        ),
    )
    assert isinstance(backend, WampBackend)
    await backend.start(listening)
    yield backend
    await backend.close()


async def test_an_app_has_its_own_identity_or_the_bridges(
    configured: WampBackend, guarded: CrossbarRouter, namespace: str
) -> None:
    async with joined(guarded.url, authid="shop", ticket="secret-of-shop") as peer:
        got = await peer.subscribe(namespace)
        await configured.session("shop").publish(namespace, [], {}, PublishOptions())
        assert (await got.get()).details.publisher_authid == "shop"
        await configured.session("news").subscribe(namespace, "exact")
        roles = [
            (await peer.call("wamp.session.get", number))["authrole"]
            for number in await peer.call("wamp.session.list")
        ]
    assert roles.count("reader") == 1


async def test_what_the_router_does_not_allow_is_an_error(
    configured: WampBackend, namespace: str
) -> None:
    news = configured.session("news")
    with pytest.raises(WampError, match="not_authorized"):
        await news.call(namespace, [], {}, timeout=5)
    with pytest.raises(WampError, match="not_authorized"):
        await news.publish(namespace, [], {}, PublishOptions())
    with pytest.raises(WampError, match="not_authorized"):
        await news.register(namespace, "exact", "single")
    with pytest.raises(WampError, match="not_authorized"):
        await news.subscribe("org.other", "exact")
    await news.subscribe(namespace, "exact")


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "ticket"},
        {"method": "ticket", "authid": "shop"},
        {"method": "wampcra", "secret": "s"},
        {"method": "scram", "secret": "s"},
        {"method": "scram", "authid": "a,b", "secret": "s"},
        {"method": "tls"},
        {"method": "cryptosign", "authid": "shop"},
        {"method": "cryptosign", "key": "no key"},
    ],
    ids=repr,
)
def test_half_an_identity_is_refused(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="needs"):
        Identity(**settings)  # type: ignore[arg-type]  # a method among texts


def test_an_identity_keeps_its_secrets_to_itself() -> None:
    assert "secret-of-shop" not in repr(
        Identity("ticket", "shop", secret="secret-of-shop", key="secret-of-shop")
    )


@pytest.mark.parametrize(
    "url", ["", "rs://", "rs://host", "http://host:1", "tcp://host:1", "host:1"]
)
def test_what_is_no_routers_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        WampBackend(url)
