"""Where callbacks may go: by what is written, and by what is dialled."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from support.destinations import LOOPBACK, destinations
from support.processes import free_port
from support.servers import CallbackServer, callback_server
from wamp_bridge_server.callbacks.addresses import address_of
from wamp_bridge_server.callbacks.destinations import Destinations, Own
from wamp_bridge_server.callbacks.sender import Failure, Sender, SendError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

INTERNET = Destinations(None, Own())
EVERYWHERE = destinations("0.0.0.0/0:*", "[::]/0:*")

WAYS_TO_WRITE_LOOPBACK = (
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0X7F.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.01",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "127%2e0.0.1",
    "localhost",
    "LOCALHOST.",
    "a.localhost",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
    "127.0.0.53",
    "127.255.255.254",
)
WAYS_TO_WRITE_METADATA = (
    "169.254.169.254",
    "169.254.169.254.",
    "2852039166",
    "0xa9fea9fe",
    "0xa9.254.0xa9fe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "①⑥⑨.254.169.254",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "[2001:0:a9fe:a9fe::]",
    "[fd00:ec2::254]",
    "[fd00:0ec2:0:0:0:0:0:0254]",
    "100.100.100.200",
    "168.63.129.16",
)
NEVER = (
    *WAYS_TO_WRITE_METADATA,
    "169.254.0.1",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "0.0.0.0",
    "0.1.2.3",
    "[::]",
    "[::ffff:0.0.0.0]",
    "224.0.0.1",
    "[ff02::1]",
    "255.255.255.255",
)
PRIVATE = (
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "198.18.0.1",
    "192.0.2.1",
    "240.0.0.1",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[fec0::1]",
    "[2001:db8::1]",
    "[64:ff9b::a00:1]",
    "[2002:c0a8:101::]",
)


class Names(AbstractResolver):
    """A resolver that answers what it is told, each time the next; the last for ever."""

    def __init__(self, *answers: str) -> None:
        self.answers = [*answers]
        self.asked = 0

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - of the interface
    ) -> list[ResolveResult]:
        """Answer, whatever the name is."""
        self.asked += 1
        address = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Keep nothing."""


@asynccontextmanager
async def sending(
    allowed: Destinations | dict[str, Destinations], resolver: AbstractResolver | None = None
) -> AsyncIterator[Sender]:
    def of(app: str) -> Destinations | None:
        return allowed.get(app) if isinstance(allowed, dict) else allowed

    sender = Sender(lambda _app: None, of, resolver)
    await sender.start()
    try:
        yield sender
    finally:
        await sender.close()


async def post(sender: Sender, url: str, app: str = "shop") -> int:
    answer = await sender.post(app, url, b"{}", message="msg_1", attempt=1, within=10)
    return answer.status


async def failure(sender: Sender, url: str, app: str = "shop") -> Failure:
    with pytest.raises(SendError) as raised:
        await post(sender, url, app)
    return raised.value.failure


@pytest.fixture
async def app() -> AsyncIterator[CallbackServer]:
    async with callback_server() as server:
        yield server


def port_of(app: CallbackServer) -> int:
    return int(app.url.rstrip("/").rpartition(":")[2])


@pytest.mark.parametrize("host", [*WAYS_TO_WRITE_LOOPBACK, *NEVER, *PRIVATE])
def test_without_rules_only_the_internet_is_admitted(host: str) -> None:
    assert INTERNET.refusal(f"http://{host}/") is not None


@pytest.mark.parametrize(
    "host",
    ["93.184.215.14", "example.com", "example.com.", "[2606:4700::1111]", "[64:ff9b::101:101]"],
)
def test_without_rules_the_internet_is_admitted_on_the_ports_of_the_web(host: str) -> None:
    for url in (f"http://{host}/", f"https://{host}/x", f"https://{host}:80/"):
        assert INTERNET.refusal(url) is None
    for url in (f"http://{host}:8080/", f"https://{host}:22/"):
        assert INTERNET.refusal(url) is not None


LONG_NAMES = ("a" * 64, f"{'a' * 63}.{'b' * 64}.example", "x." * 126 + "xx")


@pytest.mark.parametrize("name", LONG_NAMES, ids=len)
async def test_a_name_that_no_resolver_takes_is_neither_admitted_nor_found(name: str) -> None:
    assert "neither a name" in str(EVERYWHERE.refusal(f"http://{name}:8000/"))
    async with sending(EVERYWHERE) as sender:
        assert await failure(sender, f"http://{name}:8000/") is Failure.UNRESOLVED


def test_the_longest_name_is_admitted() -> None:
    assert EVERYWHERE.refusal(f"http://{'x.' * 126}x:8000/") is None


@pytest.mark.parametrize("host", NEVER)
def test_what_no_rule_admits(host: str) -> None:
    assert EVERYWHERE.refusal(f"http://{host}/") is not None


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]"])
def test_a_rule_covers_the_forms_of_its_address(host: str) -> None:
    assert LOOPBACK.refusal(f"http://{host}:8000/") is None
    assert destinations("[::ffff:127.0.0.1]:8000").refusal("http://127.0.0.1:8000/") is None


@pytest.mark.parametrize("host", ["[64:ff9b::a00:1]", "[2002:a00:1::]", "[::ffff:10.0.0.1]"])
def test_a_range_of_ipv6_opens_no_private_network_of_ipv4(host: str) -> None:
    assert destinations("[::]/0:*").refusal(f"http://{host}/") is not None


@pytest.mark.parametrize(
    ("rule", "admitted", "refused"),
    [
        ("10.0.0.0/8:443", "https://10.1.2.3/", "https://11.0.0.1/"),
        ("10.0.0.0/8:443", "https://10.1.2.3:443/", "https://10.1.2.3:444/"),
        ("[fd12::]/16:*", "http://[fd12::1]:99/", "http://[fd13::1]:99/"),
        ("app:8000", "http://APP:8000/", "http://app:8001/"),
        ("app:*", "http://app.:8001/", "http://app.example.com:8001/"),
        ("app:*", "http://app/", "https://93.184.215.14/"),
        ("10.0.0.0/8:443", "https://any.name/", "http://any.name/"),
    ],
)
def test_with_rules_nothing_else_is_admitted(rule: str, admitted: str, refused: str) -> None:
    assert destinations(rule).refusal(admitted) is None
    reason = destinations(rule).refusal(refused)
    assert reason is not None
    assert '"callbacks"' in reason


@pytest.mark.parametrize("host", [*WAYS_TO_WRITE_LOOPBACK, "[::ffff:0:127.0.0.1]"])
async def test_loopback_is_not_dialled_however_it_is_written(
    app: CallbackServer, host: str
) -> None:
    async with sending(destinations(f"10.0.0.0/8:{port_of(app)}")) as sender:
        await failure(sender, f"http://{host}:{port_of(app)}/")
    assert app.posted == []


@pytest.mark.parametrize("host", WAYS_TO_WRITE_METADATA)
async def test_metadata_is_not_dialled_however_it_is_written(host: str) -> None:
    started = time.monotonic()
    async with sending(EVERYWHERE) as sender:
        assert await failure(sender, f"http://{host}/") in {
            Failure.UNREACHABLE,
            Failure.UNRESOLVED,  # no address that an HTTP client takes, or a name for it
        }
    assert time.monotonic() - started < 8  # nothing was waited for


@pytest.mark.parametrize("to", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254"])
async def test_a_name_is_admitted_by_what_it_resolves_to(app: CallbackServer, to: str) -> None:
    rules = destinations(f"10.0.0.0/8:{port_of(app)}")
    async with sending(rules, Names(to)) as sender:
        url = f"http://app.example.com:{port_of(app)}/"
        assert rules.refusal(url) is None
        assert await failure(sender, url) is Failure.UNREACHABLE
    assert app.posted == []


async def test_a_name_that_is_bound_anew_is_asked_for_on_every_dial(app: CallbackServer) -> None:
    names = Names("127.0.0.1", "169.254.169.254")
    url = f"http://app.example.com:{port_of(app)}/"
    rules = destinations("127.0.0.1:*")
    async with sending(rules, names) as sender:
        assert await post(sender, url) == 204
    async with sending(rules, names) as sender:
        assert await failure(sender, url) is Failure.UNREACHABLE
    assert names.asked == 2


async def test_a_rule_with_a_name_admits_the_private_addresses_that_it_has(
    app: CallbackServer,
) -> None:
    async with sending(destinations("app.example.com:*"), Names("127.0.0.1")) as sender:
        assert await post(sender, f"http://App.Example.com:{port_of(app)}/") == 204
        other = f"http://other.example.com:{port_of(app)}/"
        assert await failure(sender, other) is Failure.UNREACHABLE
    async with sending(destinations("app.example.com:*"), Names("169.254.169.254")) as sender:
        assert await failure(sender, "http://app.example.com/") is Failure.UNREACHABLE


async def test_a_forbidden_port_looks_the_same_open_or_closed(app: CallbackServer) -> None:
    open_port, closed = port_of(app), free_port()
    async with sending(INTERNET) as sender:
        said = []
        for port in (open_port, closed):
            with pytest.raises(SendError) as raised:
                await post(sender, f"http://127.0.0.1:{port}/")
            said.append(str(raised.value))
    assert said[0] == said[1] == "host not reachable"
    assert app.posted == []


async def test_a_redirect_to_metadata_is_not_followed(app: CallbackServer) -> None:
    app.answering = lambda _posted: web.Response(
        status=307, headers={"Location": "http://169.254.169.254/latest/meta-data/"}
    )
    async with sending(EVERYWHERE) as sender:
        assert await post(sender, app.url) == 307


async def test_no_connection_crosses_apps_or_outlives_its_rules(app: CallbackServer) -> None:
    allowed = {"shop": LOOPBACK, "bank": INTERNET}
    async with sending(allowed) as sender:
        assert await post(sender, app.url) == 204
        assert await failure(sender, app.url, "bank") is Failure.UNREACHABLE
        allowed["shop"] = INTERNET
        assert await failure(sender, app.url) is Failure.UNREACHABLE
        allowed["shop"] = LOOPBACK
        assert await post(sender, app.url) == 204
        del allowed["shop"]
        assert await failure(sender, app.url) is Failure.CUT


async def test_what_is_under_way_ends_by_the_rules_that_it_began_with(
    app: CallbackServer,
) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(_posted: object) -> web.Response:
        asked.set()
        await go.wait()
        return web.Response(status=204)

    app.answering = slow
    allowed = {"shop": LOOPBACK}
    async with sending(allowed) as sender:
        under_way = asyncio.create_task(post(sender, app.url))
        await asked.wait()
        allowed["shop"] = INTERNET
        assert await failure(sender, app.url) is Failure.UNREACHABLE
        go.set()
        assert await under_way == 204


def test_the_listener_is_not_admitted() -> None:
    own = Own()
    rules = destinations("127.0.0.0/8:*", "localhost:*", own=own)
    own.listens([("127.0.0.1", 8181)])
    for host in ("127.0.0.1", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]"):
        assert rules.refusal(f"http://{host}:8181/") is not None
    assert rules.refusal("http://127.0.0.1:8182/") is None
    assert rules.refusal("http://127.0.0.2:8181/") is None
    own.listens([("0.0.0.0", 8181)])
    assert rules.refusal("http://127.0.0.2:8181/") is not None
    assert rules.refusal("http://localhost:8181/") is not None
    assert destinations("10.0.0.0/8:*", own=own).refusal("http://10.254.253.252:8181/") is None


async def test_the_router_is_not_admitted_by_its_name_nor_by_its_address(
    app: CallbackServer,
) -> None:
    port = port_of(app)
    rules = destinations("127.0.0.0/8:*", "localhost:*", own=Own([("localhost", port)]))
    assert rules.refusal(f"http://localhost:{port}/") is not None
    async with sending(rules, Names("127.0.0.1")) as sender:
        for host in ("127.0.0.1", "127.0.0.2", "localhost", "other.example.com"):
            assert await failure(sender, f"http://{host}:{port}/") is Failure.UNREACHABLE
    assert app.posted == []
    literal = destinations("10.0.0.0/8:*", own=Own([("10.0.0.1", 8080)]))
    assert literal.refusal("http://[::ffff:10.0.0.1]:8080/") is not None
    assert literal.refusal("http://10.0.0.2:8080/") is None


async def test_a_name_server_that_does_not_answer_stops_no_callback(
    app: CallbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def never(host: str, *_: object, **__: object) -> None:
        asked.append(host)
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never)
    monkeypatch.setattr("wamp_bridge_server.callbacks.destinations._RESOLVING_SECONDS", 0.01)
    rules = destinations("127.0.0.1:*", own=Own([("router.example.com", 1)]))
    async with sending(rules) as sender:
        assert [await post(sender, app.url) for _ in range(3)] == [204, 204, 204]
    assert asked == ["router.example.com"]  # and not once more for each


def test_the_text_of_an_address() -> None:
    assert str(address_of("fe80::1%eth0")) == "fe80::1"
    assert address_of("127.1") is None
