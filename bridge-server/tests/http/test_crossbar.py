"""Crossbar's own HTTP bridge and ours, asked the same: the same answers, save where docs say so."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest

from support.clients import plain_http
from support.peers import ApplicationError, CallResult, Peer, joined
from support.router import CrossbarRouter, running_router
from support.signing import crossbar_query
from support.waiting import eventually
from wamp_bridge_server.bridge import Bridge
from wamp_bridge_server.config import CrossbarKey, Secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from wamp_bridge_server.config import Config

KEY, SECRET = "shop", "fööbar"


@dataclass(frozen=True)
class Ask:
    """A request to the caller or the publisher, of a service that is signed or open to all."""

    name: str
    body: bytes = b'{"procedure": "com.cb.one", "topic": "com.cb.topic"}'
    service: str = "call"
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    query: Callable[[bytes], str] | None = None

    @property
    def path(self) -> str:
        return self.service + (self.query(self.body) if self.query is not None else "")


def service(kind: str, **options: str) -> dict[str, Any]:
    return {"type": kind, "realm": "realm1", "role": "anonymous", "options": options}


def signed(**changed: str | None) -> Callable[[bytes], str]:
    return lambda body: crossbar_query(KEY, SECRET, body, **changed)


@pytest.fixture(scope="module")
def crossbar() -> Iterator[CrossbarRouter]:
    """A Crossbar with its own HTTP bridge, open at `/open/...` and signed at `/signed/...`."""
    services = {
        "open-call": service("caller"),
        "open-publish": service("publisher"),
        "signed-call": service("caller", key=KEY, secret=SECRET),
        "signed-publish": service("publisher", key=KEY, secret=SECRET),
    }
    with running_router(web=services) as router:
        yield router


@pytest.fixture
def router_url(crossbar: CrossbarRouter) -> str:
    return crossbar.url


@pytest.fixture
def config(config: Config) -> Config:
    shop = msgspec.structs.replace(
        config.apps["shop"], crossbar=CrossbarKey(key=KEY, secret=Secret(SECRET))
    )
    return msgspec.structs.replace(config, apps={"shop": shop})


@pytest.fixture
async def open_bridge(config: Config) -> AsyncIterator[Bridge]:
    """The bridge, letting everybody in."""
    shop = msgspec.structs.replace(config.apps["shop"], crossbar=None, anonymous=True)
    made = Bridge(msgspec.structs.replace(config, apps={"shop": shop}))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def callee(crossbar: CrossbarRouter) -> AsyncIterator[Peer]:
    async with joined(crossbar.url) as peer:

        def raise_error(*args: Any, **kwargs: Any) -> None:
            raise ApplicationError("com.cb.oops", *args, **kwargs)

        await peer.register("com.cb.one", lambda *_, **__: {"price": 12.5, "é": [1, None, "☕"]})
        await peer.register("com.cb.echo", lambda *args, **kwargs: [list(args), kwargs])
        await peer.register("com.cb.none", lambda: None)
        await peer.register("com.cb.nothing", CallResult)
        await peer.register("com.cb.several", lambda: CallResult(1, 2))
        await peer.register("com.cb.named", lambda: CallResult(total=3))
        await peer.register("com.cb.both", lambda: CallResult(1, total=3))
        await peer.register("com.cb.raise", raise_error)
        await peer.register("com.cb.bytes", lambda: b"\0\xff")
        yield peer


class Pair:
    """Crossbar and the bridge, asked together."""

    def __init__(self, crossbar: CrossbarRouter, bridges: dict[str, Bridge]) -> None:
        self._crossbar = crossbar.url.replace("rs://", "http://")
        self._bridges = bridges
        self._http = plain_http("")

    async def ready(self) -> None:
        """Wait until both serve: Crossbar opens its web services after its port."""

        async def serves() -> bool:
            urls = [f"{self._crossbar}/{which}" for which in ("open-call", "signed-publish")]
            answers = [await self._http.post(url, content=b"{}") for url in urls]
            urls = [f"{bridge.url}health/ready" for bridge in self._bridges.values()]
            answers += [await self._http.get(url) for url in urls]
            return all(answer.status_code in {200, 400} for answer in answers)

        await eventually(serves)

    async def close(self) -> None:
        await self._http.aclose()

    async def theirs(self, ask: Ask, which: str) -> httpx.Response:
        return await self._send(f"{self._crossbar}/{which}-{ask.path}", ask)

    async def ours(self, ask: Ask, which: str) -> httpx.Response:
        return await self._send(f"{self._bridges[which].url}{ask.path}", ask)

    async def _send(self, url: str, ask: Ask) -> httpx.Response:
        timeout = 2 if ask.name == "never answered" else 20
        return await self._http.request(
            ask.method, url, content=ask.body, headers=ask.headers, timeout=timeout
        )


@pytest.fixture
async def pair(
    crossbar: CrossbarRouter, bridge: Bridge, open_bridge: Bridge, callee: Peer
) -> AsyncIterator[Pair]:
    assert callee.connected
    both = Pair(crossbar, {"signed": bridge, "open": open_bridge})
    await both.ready()
    yield both
    await both.close()


def essence(answer: httpx.Response) -> Any:
    """What of an answer must be the same: all but wordings and what numbers it."""
    document = answer.json() if answer.content else None
    if isinstance(document, dict):
        if answer.status_code != 200:
            assert isinstance(document["error"], str)
            document = {**document, "error": "in words"}
        if isinstance(document.get("id"), int):
            document["id"] = "a publication"
    return answer.status_code, document


def called(procedure: str, **members: Any) -> bytes:
    return msgspec.json.encode({"procedure": procedure, **members})


def published(topic: str = "com.cb.topic", **members: Any) -> bytes:
    return msgspec.json.encode({"topic": topic, **members})


JSON = "application/json"
OPEN = [
    *(Ask(f"calls {name}", called(f"com.cb.{name}")) for name in ("one", "none", "nothing")),
    *(Ask(f"calls {name}", called(f"com.cb.{name}")) for name in ("several", "named", "both")),
    Ask("arguments", called("com.cb.echo", args=[1, "é", None, [{}]], kwargs={"a": {"b": 1.5}})),
    Ask("empty ones", called("com.cb.echo", args=None, kwargs=0)),
    Ask("an error", called("com.cb.raise", args=["out of stock", 3], kwargs={"left": 0})),
    Ask("a bare error", called("com.cb.raise")),
    Ask("no such procedure", called("com.cb.nobody")),
    Ask("members that nobody knows", called("com.cb.one", colour="red", options={"x": 1})),
    Ask("no procedure", b'{"topic": "com.cb.topic"}'),
    Ask("no topic", b'{"procedure": "com.cb.one"}', service="publish"),
    Ask("a publication", published(args=[1], kwargs={"a": 1}), service="publish"),
    Ask("options", published(options={"exclude_me": False, "eligible": [1]}), service="publish"),
    Ask("options of nobody", published(options={"colour": "red"}), service="publish"),
    Ask("no options", published(options=None, args=0), service="publish"),
    Ask("a slash at the end", service="call/"),
    Ask("put", method="PUT"),
    *(Ask(f"method {name}", method=name) for name in ("GET", "DELETE", "PATCH", "HEAD")),
    Ask("options as a method", b"", method="OPTIONS"),
    Ask("no content type", headers={}),
    *(
        Ask(f"content type {value}", headers={"content-type": value})
        for value in (
            *("text/plain", "application/json; charset=UTF-8", "Application/JSON ; charset = utf8"),
            *("application/json; charset=latin-1", 'application/json; charset="utf-8"'),
            *("application/json; charset=utf-8; charset=utf-8", "application/json; a=b=c"),
            *("application/json; a", "application/json;", "application/x-www-form-urlencoded"),
        )
    ),
    *(
        Ask(f"body {body!r}", body)
        for body in (b"", b"{", b"[]", b"5", b'"x"', b"null", b"\xff", b"{}", b'{"procedure"}')
    ),
    Ask("a query that is none of theirs", query=lambda _: "?a=b&seqq=x"),
]
SIGNED = [
    Ask("a call", query=signed()),
    Ask("a publication", published(args=["☕"]), service="publish", query=signed()),
    Ask("another's body", query=lambda _: crossbar_query(KEY, SECRET, b"{}")),
    Ask("another secret", query=lambda body: crossbar_query(KEY, "other", body)),
    Ask("another key", query=lambda body: crossbar_query("other", SECRET, body)),
    Ask("an empty key", query=lambda body: crossbar_query("", SECRET, body)),
    Ask("no signature at all"),
    *(
        Ask(f"no {name}", query=signed(**{name: None}))
        for name in ("timestamp", "seq", "nonce", "signature")
    ),
    Ask("no key", query=lambda body: crossbar_query(None, SECRET, body)),
    *(
        Ask(f"timestamp {value}", query=signed(timestamp=value))
        for value in ("", "yesterday", "2011-10-14T16:59:51.123Z", "2999-10-14T16:59:51.123Z", "1")
    ),
    *(
        Ask(f"{name} {value!r}", query=signed(**{name: value}))
        for name in ("seq", "nonce")
        for value in ("", "x", "1.5", "-7", " 8 ", "1_0", "0x1")
    ),
    Ask("an empty signature", query=signed(signature="")),
    Ask("a signature of anything", query=signed(signature="AAAA")),
    Ask("a signed text", b"text", query=signed(), headers={"content-type": "text/plain"}),
    Ask("a text that is signed wrong", headers={"content-type": "text/plain"}),
    Ask("signed nonsense", b"{", query=signed()),
    Ask("unsigned nonsense", b"{"),
    Ask("signed, and no object", b"[]", query=signed()),
    Ask("signed, without a procedure", b"{}", query=signed()),
    Ask("get", method="GET", body=b"", query=signed()),
]


@pytest.mark.parametrize(("which", "asks"), [("open", OPEN), ("signed", SIGNED)])
async def test_the_answers_are_crossbars(pair: Pair, which: str, asks: list[Ask]) -> None:
    different = []
    for ask in asks:
        theirs = essence(await pair.theirs(ask, which))
        ours = essence(await pair.ours(ask, which))
        if theirs != ours:
            different.append((ask.name, theirs, ours))
    assert different == []


async def test_what_is_published_arrives_alike(pair: Pair, callee: Peer) -> None:
    events = await callee.subscribe("com.cb.topic")
    ask = Ask("", published(args=[1, "☕"], kwargs={"a": None}), service="publish", query=signed())
    for answer in (await pair.theirs(ask, "signed"), await pair.ours(ask, "signed")):
        assert answer.status_code == 200
        event = await asyncio.wait_for(events.get(), 10)
        assert (event.args, event.kwargs) == ([1, "☕"], {"a": None})
        assert event.details.publication == answer.json()["id"]


BAD_URIS = ("com..x", "com.x y", "com.x#y", "", "com.x.")
WRONG_TYPES = (
    *({"args": 5}, {"args": True}, {"args": {"a": 1}}, {"args": "text"}),
    *({"kwargs": [1]}, {"kwargs": "text"}, {"kwargs": 5}),
)
WRONG_OPTIONS = (5, [1], {"exclude_me": 5}, {"eligible": "all"}, {"exclude_authid": [5]})

# What docs/crossbar.md says of differences: a request, Crossbar's status, and ours.
DIFFERENCES = [
    *((Ask("URI", called(uri)), 500, 400) for uri in BAD_URIS),
    *((Ask("URI", published(topic=uri), service="publish"), 500, 400) for uri in BAD_URIS[:-1]),
    (Ask("no text", b'{"procedure": 5}'), 500, 400),
    *((Ask("types", called("com.cb.raise", **wrong)), None, 400) for wrong in WRONG_TYPES),
    *(
        (Ask("options", published(options=wrong), service="publish"), 500, 400)
        for wrong in WRONG_OPTIONS
    ),
    (Ask("named options", called("com.cb.echo", kwargs={"options": 1})), 500, 200),
    (Ask("named procedure", called("com.cb.echo", kwargs={"procedure": 1})), 500, 200),
    (Ask("named topic", published(kwargs={"topic": 1}), service="publish"), 500, 200),
    (Ask("NaN", b'{"topic": "com.cb.topic", "args": [NaN]}', service="publish"), 200, 400),
    (Ask("seq", query=signed(seq="٣")), 500, 400),
    (Ask("whole seconds", query=signed(timestamp="{now}")), 400, 200),
    (Ask("no padding", query=lambda body: signed()(body).replace("%3D", "")), 401, 200),
    (Ask("a huge body", b" " * (1024 * 1024 + 1)), 400, 413),
]


async def test_the_differences_are_those_that_the_documentation_names(pair: Pair) -> None:
    for ask, of_crossbar, of_ours in DIFFERENCES:
        which = "signed" if ask.query is not None else "open"
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if ask.name == "whole seconds":
            ask = replace(ask, query=signed(timestamp=now))  # noqa: PLW2901 - as of now
        theirs, ours = await pair.theirs(ask, which), await pair.ours(ask, which)
        said = (ask.name, ask.body[:80], theirs.status_code, theirs.text, ours.text)
        assert of_crossbar in {theirs.status_code, None}, said
        assert ours.status_code == of_ours, said
        assert of_crossbar is not None or essence(theirs) != essence(ours), said
        if of_ours != 200:
            assert essence(ours)[1] == {"error": "in words", "args": [], "kwargs": {}}


async def test_named_arguments_may_have_any_name(pair: Pair) -> None:
    named = {"options": 1, "procedure": 2, "topic": 3, "self": 4, "f": 5}
    answer = await pair.ours(Ask("", called("com.cb.echo", kwargs=named)), "open")
    assert answer.json() == {"args": [[[], named]]}


async def test_a_replayed_request_is_refused(pair: Pair) -> None:
    ask = Ask("", query=signed())
    path = ask.path
    once = replace(ask, service=path, query=None)
    assert [(await pair.theirs(once, "signed")).status_code for _ in range(2)] == [200, 200]
    assert [(await pair.ours(once, "signed")).status_code for _ in range(2)] == [200, 401]


async def test_a_replay_that_parts_the_signed_octets_otherwise_is_refused(pair: Pair) -> None:
    body = Ask("").body
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    asked = [  # seq, nonce and body: the first one's signature is that of the others, too
        [("1", "23456", body), ("12", "3456", body), ("1234", "56", body)],
        [("7", "8901", b" " + body), ("7", "8901 ", body)],
        [("2", "34567", body), ("3", "34567", body)],  # the nonce alone is the same
    ]
    for parts in asked:
        statuses = []
        for seq, nonce, octets in parts:
            query = signed(timestamp=now, seq=seq, nonce=nonce)
            statuses.append((await pair.ours(Ask("", octets, query=query), "signed")).status_code)
        assert statuses == [200, *[401] * (len(parts) - 1)]


async def test_a_result_of_bytes_is_answered(pair: Pair) -> None:
    ask = Ask("", called("com.cb.bytes"))
    with pytest.raises(httpx.ReadTimeout):
        await pair.theirs(replace(ask, name="never answered"), "open")
    assert (await pair.ours(ask, "open")).json() == {"args": ["\0AP8="]}


async def test_the_routers_own_procedures_are_not_for_apps(pair: Pair) -> None:
    ask = Ask("", called("wamp.session.count"))
    assert list((await pair.theirs(ask, "open")).json()) == ["args"]
    ours = await pair.ours(ask, "open")
    assert (ours.status_code, ours.json()["error"]) == (200, "wamp.error.not_authorized")
