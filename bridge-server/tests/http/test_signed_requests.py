"""Signed requests to a real bridge: what is let in, what is not, and that nothing counts twice."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
import pytest

from support.raw import RawAnswer, ask_raw
from support.signing import COVERED, Headers, parameters, sign
from support.vectors import vectors
from wamp_bridge.core import AsyncBridge, Settings, generate_secret
from wamp_bridge_server.bridge import Bridge
from wamp_bridge_server.config import Secret, StoreConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from wamp_bridge_server.config import Config

VECTORS = vectors("requests")
SECRET, OLDER = VECTORS["apps"]["shop"]

LIST = "/registrations/"
PUBLISH = "/publish/com.shop.sold/"
BODY = b'{"args": ["book"]}'


@pytest.fixture
def router_url() -> str:
    return "memory:"


@pytest.fixture
def config(config: Config) -> Config:
    shop = msgspec.structs.replace(config.apps["shop"], secrets=(Secret(SECRET), Secret(OLDER)))
    other = Secret(VECTORS["apps"]["bank"][0])
    bank = msgspec.structs.replace(config.apps["bank"], secrets=(other,))
    return msgspec.structs.replace(config, apps={"shop": shop, "bank": bank})


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[Bridge]:
    bridge = Bridge(config)
    await bridge.start()
    try:
        yield bridge
    finally:
        await bridge.stop()


def host_of(bridge: Bridge) -> str:
    return urlsplit(bridge.url).netloc


async def ask(
    bridge: Bridge, method: str, target: str, headers: Headers, body: bytes = b"", **options: Any
) -> RawAnswer:
    return await ask_raw(bridge.url, method, target, headers, body, **options)


def check_refused(answer: RawAnswer) -> None:
    assert answer.status == 401, answer.body
    assert answer.headers["www-authenticate"].startswith("Bearer")
    detail = "This request needs the valid credentials of an app of this bridge."
    assert answer.document["detail"] == detail


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The bridge's clock for signatures, to be set."""
    clock = SimpleNamespace(now=time.time())
    clock.time = lambda: clock.now
    monkeypatch.setattr("wamp_bridge_server.http.authentication.time", clock)
    return clock


async def test_the_vectors_over_the_wire(config: Config, frozen: Any) -> None:
    config = msgspec.structs.replace(config, public_urls=tuple(VECTORS["public_urls"]))
    async with running(config) as bridge:
        for kind in ("accepted", "refused", "ignored"):
            for vector in VECTORS[kind]:
                frozen.now = vector["now"]
                headers = [(name, value) for name, value in vector["headers"]]
                body = vector["body"].encode()
                answer = await ask(bridge, vector["method"], vector["target"], headers, body)
                said = (vector["name"], answer.status, answer.body)
                if kind == "accepted":
                    assert answer.status in {200, 404, 405, 422}, said
                else:
                    # What is no request at all may be refused for that.
                    assert answer.status in {401, *OTHERWISE.get(vector["name"], ())}, said


OTHERWISE = {
    "an asterisk": (404, 405),
    "an absolute target": (400, 404),
    "another path": (404,),
    "the same path, otherwise encoded": (405,),
    "two hosts": (400,),
    "no host": (400,),
}


async def test_a_signed_request_is_its_apps(bridge: Bridge) -> None:
    host = host_of(bridge)
    assert (await ask(bridge, "GET", LIST, sign(SECRET, "GET", host, LIST))).status == 200
    signed = sign(SECRET, "POST", host, PUBLISH, BODY)
    answer = await ask(bridge, "POST", PUBLISH, signed, BODY)
    assert answer.status == 200
    assert answer.document["publication"]


@pytest.mark.parametrize(
    ("target", "host", "body"),
    [
        pytest.param("/publish/com.shop.lost/", None, BODY, id="path"),
        pytest.param(f"{PUBLISH}?x=1", None, BODY, id="query"),
        pytest.param(PUBLISH, "localhost:1", BODY, id="authority"),
        pytest.param(PUBLISH, None, BODY.replace(b"book", b"look"), id="body"),
    ],
)
async def test_a_request_that_was_changed_is_refused(
    bridge: Bridge, target: str, host: str | None, body: bytes
) -> None:
    signed = sign(SECRET, "POST", host_of(bridge), PUBLISH, BODY)
    changed = [("host", host or host_of(bridge)), *signed[1:]]
    check_refused(await ask(bridge, "POST", target, changed, body))
    # As it was signed it is still good: its nonce was not burnt.
    assert (await ask(bridge, "POST", PUBLISH, signed, BODY)).status == 200


@pytest.mark.parametrize(
    ("method", "another"), [("GET", "DELETE"), ("DELETE", "GET")], ids=["of a GET", "of a DELETE"]
)
async def test_the_signature_of_one_method_is_none_of_another(
    bridge: Bridge, method: str, another: str
) -> None:
    identifier = "/registrations/reg_1/"
    signed = sign(SECRET, method, host_of(bridge), identifier)
    check_refused(await ask(bridge, another, identifier, signed))
    assert (await ask(bridge, method, identifier, signed)).status == 404


async def test_a_host_that_is_said_to_be_forwarded_counts_for_nothing(bridge: Bridge) -> None:
    host = host_of(bridge)
    signed = sign(SECRET, "POST", host, PUBLISH, BODY)
    other = [("host", "localhost:1"), *signed[1:]]
    for name, value in (
        ("x-forwarded-host", host),
        ("forwarded", f"host={host}"),
        ("x-host", host),
        ("x-original-host", host),
    ):
        check_refused(await ask(bridge, "POST", PUBLISH, [*other, (name, value)], BODY))
    # Nor does it do harm.
    spoofed = [*signed, ("x-forwarded-host", "a.example"), ("forwarded", "host=a.example")]
    assert (await ask(bridge, "POST", PUBLISH, spoofed, BODY)).status == 200


async def test_a_wrong_signature_burns_no_nonce(bridge: Bridge) -> None:
    written = parameters()
    wrong = sign(generate_secret(), "GET", host_of(bridge), LIST, written=written)
    right = sign(SECRET, "GET", host_of(bridge), LIST, written=written)
    check_refused(await ask(bridge, "GET", LIST, wrong))
    assert (await ask(bridge, "GET", LIST, right)).status == 200


async def test_a_signature_counts_once(bridge: Bridge) -> None:
    signed = sign(SECRET, "GET", host_of(bridge), LIST)
    assert (await ask(bridge, "GET", LIST, signed)).status == 200
    check_refused(await ask(bridge, "GET", LIST, signed))
    # Nor does another signature with its nonce.
    nonce = parameters(nonce='"' + "n" * 22 + '"')
    again = [sign(SECRET, "GET", host_of(bridge), target, written=nonce) for target in (LIST, "/")]
    assert (await ask(bridge, "GET", LIST, again[0])).status == 200
    other = sign(SECRET, "GET", host_of(bridge), "/subscriptions/", written=nonce)
    check_refused(await ask(bridge, "GET", "/subscriptions/", other))


async def test_a_nonce_is_its_apps_alone(bridge: Bridge) -> None:
    nonce = '"' + "n" * 22 + '"'
    for app, (secret, *_) in VECTORS["apps"].items():
        written = parameters(nonce=nonce, keyid=f'"{app}"')
        signed = sign(secret, "GET", host_of(bridge), LIST, written=written)
        assert (await ask(bridge, "GET", LIST, signed)).status == 200


async def test_one_of_twenty_at_once_wins(bridge: Bridge) -> None:
    signed = sign(SECRET, "POST", host_of(bridge), PUBLISH, BODY)
    asked = [ask(bridge, "POST", PUBLISH, signed, BODY) for _ in range(20)]
    answers = await asyncio.gather(*asked)
    assert sorted(answer.status for answer in answers) == [200] + [401] * 19


async def test_a_restart_makes_no_signature_new(config: Config, tmp_path: Path) -> None:
    config = msgspec.structs.replace(
        config,
        store=StoreConfig(url=f"sqlite:///{tmp_path / 'bridge.db'}"),
        public_urls=("http://bridge.example",),
    )
    signed = sign(SECRET, "GET", "bridge.example", LIST)
    async with running(config) as bridge:
        assert (await ask(bridge, "GET", LIST, signed)).status == 200
    async with running(config) as bridge:
        check_refused(await ask(bridge, "GET", LIST, signed))
        fresh = sign(SECRET, "GET", "bridge.example", LIST)
        assert (await ask(bridge, "GET", LIST, fresh)).status == 200


async def test_without_a_store_nothing_signed_is_taken(config: Config, tmp_path: Path) -> None:
    path = tmp_path / "bridge.db"
    config = msgspec.structs.replace(config, store=StoreConfig(url=f"sqlite:///{path}"))
    async with running(config) as bridge:
        path.rename(tmp_path / "gone.db")
        signed = sign(SECRET, "GET", host_of(bridge), LIST)
        answer = await ask(bridge, "GET", LIST, signed)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        wrong = sign(generate_secret(), "GET", host_of(bridge), LIST)
        check_refused(await ask(bridge, "GET", LIST, wrong))
        (tmp_path / "gone.db").rename(path)
        assert (await ask(bridge, "GET", LIST, signed)).status == 200


NOT_OF_THE_PROFILE: dict[str, dict[str, str | None]] = {
    "created 361 s ago": {"created": "-361"},
    "created 61 s ahead": {"created": "61"},
    "no created": {"created": None},
    "no nonce": {"nonce": None},
    "empty nonce": {"nonce": '""'},
    "nonce of 10 kB": {"nonce": '"' + "n" * 10_000 + '"'},
    "short nonce": {"nonce": '"' + "n" * 21 + '"'},
    "wrong tag": {"tag": '"wamp-bridge2"'},
    "no tag": {"tag": None},
    "wrong algorithm": {"alg": '"rsa-pss-sha512"'},
    "another app": {"keyid": '"bank"'},
    "nobody's key": {"keyid": '"nobody"'},
    "escaped key": {"keyid": '"sh\\"op"'},
    "no key": {"keyid": None},
    "expires": {"expires": "4000000000"},
}


@pytest.mark.parametrize("what", NOT_OF_THE_PROFILE)
async def test_what_is_not_of_the_profile_is_refused(
    bridge: Bridge, frozen: Any, what: str
) -> None:
    written = dict(NOT_OF_THE_PROFILE[what])
    if age := written.get("created"):
        written["created"] = str(int(frozen.now) + int(age))
        frozen.now = int(frozen.now)
    signed = sign(SECRET, "GET", host_of(bridge), LIST, written=parameters(**written))
    check_refused(await ask(bridge, "GET", LIST, signed))


@pytest.mark.parametrize("left_out", COVERED)
async def test_what_must_be_covered_must_be(bridge: Bridge, left_out: str) -> None:
    covered = tuple(name for name in COVERED if name != left_out)
    signed = sign(SECRET, "GET", host_of(bridge), LIST, covered=covered)
    check_refused(await ask(bridge, "GET", LIST, signed))


@pytest.mark.parametrize(
    "covered",
    [COVERED, (*COVERED, "content-digest"), (*COVERED, "content-type")],
    ids=["neither", "digest alone", "type alone"],
)
async def test_a_body_must_be_covered_with_its_digest(
    bridge: Bridge, covered: tuple[str, ...]
) -> None:
    signed = sign(SECRET, "POST", host_of(bridge), PUBLISH, BODY, covered=covered)
    check_refused(await ask(bridge, "POST", PUBLISH, signed, BODY))


async def test_a_body_without_digest_is_refused(bridge: Bridge) -> None:
    signed = sign(SECRET, "POST", host_of(bridge), PUBLISH, BODY, covered=COVERED, digest="")
    check_refused(await ask(bridge, "POST", PUBLISH, signed, BODY))


async def test_a_second_signature_with_our_tag_is_one_too_many(bridge: Bridge) -> None:
    host = host_of(bridge)
    first = sign(SECRET, "GET", host, LIST)
    second = sign(SECRET, "GET", host, LIST, label="other")
    check_refused(await ask(bridge, "GET", LIST, [*first, *second[1:]]))
    foreign = sign(SECRET, "GET", host, LIST, label="other", written=';tag="proxy"')
    assert (await ask(bridge, "GET", LIST, [*first, *foreign[1:]])).status == 200


async def test_a_wrong_signature_is_mended_by_nothing(bridge: Bridge) -> None:
    token = ("authorization", "Bearer token-of-shop")
    wrong = sign(generate_secret(), "GET", host_of(bridge), LIST)
    check_refused(await ask(bridge, "GET", LIST, [*wrong, token]))
    for garbage in (("signature-input", "?"), ("signature", 'keyId="shop"')):
        check_refused(await ask(bridge, "GET", LIST, [wrong[0], garbage, token]))
    # Another's signature is no business of ours.
    foreign = sign(SECRET, "GET", host_of(bridge), LIST, written=';tag="proxy"')
    assert (await ask(bridge, "GET", LIST, [*foreign, token])).status == 200
    body = b'{"token": "token-of-shop"}'
    wrong = sign(generate_secret(), "POST", host_of(bridge), "/heartbeat/", body)
    check_refused(await ask(bridge, "POST", "/heartbeat/", wrong, body))


async def test_who_asks_comes_before_what_is_asked(bridge: Bridge) -> None:
    host = host_of(bridge)
    nonsense = b'{"args": ['
    for secret, status in ((generate_secret(), 401), (SECRET, 400)):
        signed = sign(secret, "POST", host, PUBLISH, nonsense)
        assert (await ask(bridge, "POST", PUBLISH, signed, nonsense)).status == status
        signed = sign(secret, "GET", host, LIST)
        version = ("wamp-bridge-protocol", "9")
        assert (await ask(bridge, "GET", LIST, [*signed, version])).status == status
    signed = sign(SECRET, "POST", host, PUBLISH, BODY, media_type="text/plain")
    assert (await ask(bridge, "POST", PUBLISH, signed, BODY)).status == 415
    packed = sign(SECRET, "POST", host, PUBLISH, b"\x1f\x8bno gzip")
    packed.append(("content-encoding", "gzip"))
    assert (await ask(bridge, "POST", PUBLISH, packed, b"\x1f\x8bno gzip")).status == 415


async def test_a_body_in_chunks_is_signed_as_a_whole(bridge: Bridge) -> None:
    signed = sign(SECRET, "POST", host_of(bridge), PUBLISH, BODY)
    half = len(BODY) // 2
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in (BODY[:half], BODY[half:], b""))
    parts = urlsplit(bridge.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = [f"POST {PUBLISH} HTTP/1.1", *(f"{name}: {value}" for name, value in signed)]
    head += ["transfer-encoding: chunked", "connection: close", "", ""]
    writer.write("\r\n".join(head).encode() + chunks)
    assert (await reader.read()).startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()


async def test_each_live_secret_signs_until_it_is_taken_away(config: Config) -> None:
    fresh = generate_secret()
    ended, live, new = Secret(SECRET, expires=time.time() - 1), Secret(SECRET), Secret(fresh)
    async with running(config) as bridge:
        for secrets, statuses in (
            ((live,), (200, 401)),
            ((new, live), (200, 200)),
            ((new, ended), (401, 200)),
            ((new,), (401, 200)),
        ):
            shop = msgspec.structs.replace(config.apps["shop"], secrets=secrets)
            await bridge.reload(msgspec.structs.replace(config, apps={"shop": shop}))
            for secret, status in zip((SECRET, fresh), statuses, strict=True):
                signed = sign(secret, "GET", host_of(bridge), LIST)
                assert (await ask(bridge, "GET", LIST, signed)).status == status


async def test_the_listeners_own_authority_counts_where_no_public_one_is_given(
    bridge: Bridge,
) -> None:
    port = urlsplit(bridge.url).port
    for host, status in (
        (f"127.0.0.1:{port}", 200),
        (f"localhost:{port}", 200),
        (f"LOCALHOST:{port}", 200),
        ("127.0.0.1", 401),
        (f"bridge.example:{port}", 401),
    ):
        answer = await ask(bridge, "GET", LIST, sign(SECRET, "GET", host, LIST))
        assert answer.status == status, host


async def test_public_urls_are_the_only_authorities_then(config: Config) -> None:
    config = msgspec.structs.replace(
        config, public_urls=("https://a.example", "http://b.example:80")
    )
    async with running(config) as bridge:
        port = urlsplit(bridge.url).port
        for host, authority, status in (
            ("a.example", None, 200),
            ("A.Example:443", "a.example", 200),
            ("a.example:443", None, 401),
            ("a.example:80", "a.example", 401),
            ("b.example", None, 200),
            ("b.example:80", "b.example", 200),
            (f"127.0.0.1:{port}", None, 401),
        ):
            signed = sign(SECRET, "GET", authority or host, LIST)
            answer = await ask(bridge, "GET", LIST, [("host", host), *signed[1:]])
            assert answer.status == status, host


async def test_the_sdk_signs_where_it_has_a_secret(bridge: Bridge) -> None:
    settings = Settings(url=bridge.url, app="shop", secrets=(OLDER,))
    async with AsyncBridge(settings) as shop:
        for number in range(3):
            assert await shop.publish("com.shop.sold", ["☕", number]) is not None
        assert await shop.registrations() == []
        assert await shop.heartbeat() == 0
