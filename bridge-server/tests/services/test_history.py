"""What was published while the bridge was away, read from a router that keeps history."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from support.listening import Listening
from support.router import CrossbarRouter, running_router
from support.servers import CallbackServer, callback_server
from support.waiting import eventually
from wamp_bridge_server.backends.base import (
    Details,
    Event,
    PublishOptions,
    Result,
    Unavailable,
    WampError,
)
from wamp_bridge_server.backends.wamp import WampBackend
from wamp_bridge_server.bridge import Bridge
from wamp_bridge_server.config import (
    Address,
    AppConfig,
    Config,
    DeliveryConfig,
    RouterConfig,
    StoreConfig,
    Token,
    callback_rule,
    hash_token,
)
from wamp_bridge_server.services import history as module
from wamp_bridge_server.services.history import History
from wamp_bridge_server.services.table import Table
from wamp_bridge_server.store import EndpointRecord, Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from pathlib import Path

    from wamp_bridge_server.backends.base import Session
    from wamp_bridge_server.services.table import Group

HISTORY = {
    "type": "memory",
    "event-history": [
        {"uri": "com.kept", "match": "exact", "limit": 50},
        {"uri": "com.pre", "match": "prefix", "limit": 50},
    ],
}


@pytest.fixture(scope="module")
def router() -> Iterator[CrossbarRouter]:
    with running_router(store=HISTORY) as running:
        yield running


@pytest.fixture
async def app() -> AsyncIterator[CallbackServer]:
    async with callback_server() as server:
        yield server


@pytest.fixture
async def peers(router: CrossbarRouter) -> AsyncIterator[WampBackend]:
    """Others at the router; Crossbar keeps history of what somebody got."""
    backend = WampBackend(router.url)
    await backend.start(Listening())
    try:
        for topic in ("com.kept", "com.lost"):
            await backend.session("observer").subscribe(topic, "exact")
        await backend.session("observer").subscribe("com.pre", "prefix")
        yield backend
    finally:
        await backend.close()


async def publish(peers: WampBackend, topic: str, *numbers: int) -> None:
    for number in numbers:
        await peers.session("publisher").publish(topic, [number], {}, PublishOptions())


def endpoint(topic: str, url: str, created_at: float) -> EndpointRecord:
    return EndpointRecord(
        id=f"sub_{topic}{created_at}",
        app="shop",
        kind="topic",
        uri=topic,
        match="prefix" if topic == "com.pre" else "exact",
        url=url,
        options={"ordered": True},
        created_at=created_at,
    )


@asynccontextmanager
async def bridge(router: CrossbarRouter, path: Path) -> AsyncIterator[Bridge]:
    app = AppConfig(
        name="shop",
        tokens=(Token(hash_token("t")),),
        callbacks=(callback_rule("127.0.0.1:*"),),
    )
    made = Bridge(
        Config(
            listen=Address("127.0.0.1", 0),
            router=RouterConfig(url=router.url),
            store=StoreConfig(url=f"sqlite:///{path}"),
            apps={"shop": app},
        )
    )
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def prepare(path: Path, *endpoints: EndpointRecord) -> None:
    store = await Store.open(f"sqlite:///{path}")
    await store.apply(put=endpoints)
    await store.close()


def numbers_of(app: CallbackServer, topic: str) -> list[int]:
    return [event["args"][0] for event in app.of_type("event") if event["topic"] == topic]


async def test_the_gap_is_filled_in_order_and_once(
    router: CrossbarRouter,
    peers: WampBackend,
    app: CallbackServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FIRST_READ", 1)  # so that it is asked for more and more
    path = tmp_path / "bridge.db"
    topics = ("com.kept", "com.pre", "com.lost")
    await publish(peers, "com.kept", 0)  # before there was anybody to get it
    await prepare(path, *(endpoint(topic, app.url, time.time()) for topic in topics))
    async with bridge(router, path):

        async def arrives() -> list[int]:
            await publish(peers, "com.lost", 1)
            return numbers_of(app, "com.lost")

        await eventually(arrives)
        await publish(peers, "com.kept", 1, 2)
        await publish(peers, "com.pre.x", 1)
        await eventually(lambda: numbers_of(app, "com.kept") == [1, 2])
    await publish(peers, "com.kept", 3, 4)
    await publish(peers, "com.pre.x", 2)
    await publish(peers, "com.lost", 9)
    await prepare(path, endpoint("com.kept", f"{app.url}new/", created_at=2e9))
    async with bridge(router, path):
        await eventually(lambda: numbers_of(app, "com.pre.x") == [1, 2])
        await eventually(lambda: len(numbers_of(app, "com.kept")) >= 4)
        await publish(peers, "com.kept", 5)
        await eventually(lambda: [p.path for p in app.posted].count("/new/") == 1)
        await eventually(lambda: len(numbers_of(app, "com.kept")) == 6)
    documents = [p.document for p in app.posted if p.path == "/"]
    old = [d["args"][0] for d in documents if d["topic"] == "com.kept"]
    assert old == [1, 2, 3, 4, 5]
    assert 9 not in numbers_of(app, "com.lost")


async def test_the_gap_of_a_bridge_that_was_killed_before_it_noted_anything(
    router: CrossbarRouter, peers: WampBackend, app: CallbackServer, tmp_path: Path
) -> None:
    path = tmp_path / "bridge.db"
    await prepare(path, endpoint("com.pre", app.url, time.time()))
    await publish(peers, "com.pre.killed", 1, 2)
    async with bridge(router, path):
        await eventually(lambda: numbers_of(app, "com.pre.killed") == [1, 2])


async def test_a_session_that_is_lost(
    peers: WampBackend,
    router: CrossbarRouter,
    app: CallbackServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "bridge.db"
    await prepare(path, endpoint("com.kept", app.url, time.time()))
    backend = WampBackend(router.url)
    monkeypatch.setattr("wamp_bridge_server.bridge.open_backend", lambda *_: backend)
    async with bridge(router, path):

        async def arrives() -> list[int]:
            await publish(peers, "com.kept", 1)
            return numbers_of(app, "com.kept")

        await eventually(arrives)
        member = backend._members["shop"]
        assert member._current is not None
        member._current.session.give_up("for a test")
        await publish(peers, "com.kept", 7, 8)
        await eventually(lambda: 8 in numbers_of(app, "com.kept"))
        await publish(peers, "com.kept", 9)
        await eventually(lambda: numbers_of(app, "com.kept")[-1] == 9)
    assert numbers_of(app, "com.kept")[-3:] == [7, 8, 9]


async def at_once(_app: str) -> None:
    """Wait for nothing: what is taken is kept."""


async def test_what_is_held_back_is_not_lost_where_another_gap_begins() -> None:
    store = await Store.open("sqlite:///:memory:")
    taken: list[int] = []
    history = History(
        store,
        lambda _app: DeliveryConfig(),
        lambda _app, event, _at: taken.append(event.publication),
        at_once,
    )
    group = Table().put(endpoint("com.kept", "http://127.0.0.1:1/", 0.0)).group
    history.joined("shop")
    assert history.hold_back(group)
    assert group.held_back == []
    group.held_back.append(Event("com.kept", "exact", "com.kept", 7, [], {}, Details()))
    assert history.hold_back(group)
    history.let_go(group)
    assert taken == [7]
    await history.close()
    await store.close()


class SlowSession:
    """A router that has publications of these numbers, and is late, or loses the line, at first."""

    def __init__(
        self, *numbers: int, troubles: Sequence[Exception] = (), begun: int | None = None
    ) -> None:
        self.joined = True
        self.limits: list[int] = []
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self._numbers = numbers
        self._begun = time.time_ns() if begun is None else begun
        self._troubles = [*troubles]

    async def call(
        self, _procedure: str, _args: Sequence[Any], kwargs: Mapping[str, Any], **_options: float
    ) -> Result:
        self.limits.append(kwargs["limit"])
        self.asked.set()
        if self._troubles:
            raise self._troubles.pop(0)
        await self.answers.wait()
        found = [
            {"publication": each, "time_ns": self._begun + each, "args": []}
            for each in self._numbers
        ]
        return Result([found[::-1][: kwargs["limit"]]])


@pytest.fixture
async def taken() -> AsyncIterator[tuple[History, Group, list[int]]]:
    """A history, a topic of which 3 is held back, and what was taken of it."""
    store = await Store.open("sqlite:///:memory:")
    numbers: list[int] = []
    history = History(
        store,
        lambda _app: DeliveryConfig(),
        lambda _app, event, _at: numbers.append(event.publication),
        at_once,
    )
    group = Table().put(endpoint("com.kept", "http://127.0.0.1:1/", 0.0)).group
    history.joined("shop")
    assert history.hold_back(group)
    assert group.held_back is not None
    group.held_back.append(Event("com.kept", "exact", "com.kept", 3, [], {}, Details()))
    yield history, group, numbers
    await history.close()
    await store.close()


async def test_what_is_held_back_waits_for_history_that_is_late(
    taken: tuple[History, Group, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    history, group, numbers = taken
    session = SlowSession(1, 2, troubles=[WampError("wamp.error.timeout")] * 2)
    session.answers.set()
    history.fill(cast("Session", session), group, 1)
    await eventually(lambda: numbers == [1, 2, 3])
    assert session.limits == [module.FIRST_READ] * 3
    assert group.held_back is None


async def test_no_more_is_taken_than_can_be_kept() -> None:
    store = await Store.open("sqlite:///:memory:")
    numbers: list[int] = []
    room = asyncio.Semaphore(0)

    async def has_room(_app: str) -> None:
        await room.acquire()

    history = History(
        store,
        lambda _app: DeliveryConfig(),
        lambda _app, event, _at: numbers.append(event.publication),
        has_room,
    )
    group = Table().put(endpoint("com.kept", "http://127.0.0.1:1/", 0.0)).group
    history.joined("shop")
    assert history.hold_back(group)
    assert group.held_back is not None
    for number in (3, 4):
        held = Event("com.kept", "exact", "com.kept", number, [], {}, Details())
        group.held_back.append(held)
    session = SlowSession(1, 2)
    session.answers.set()
    history.fill(cast("Session", session), group, 1)
    for _ in range(3):
        assert group.held_back
        room.release()
    await eventually(lambda: numbers == [1, 2, 3])
    assert group.held_back
    room.release()
    await eventually(lambda: group.held_back is None)
    assert numbers == [1, 2, 3, 4]
    await history.close()
    await store.close()


async def test_what_is_held_back_waits_for_the_gap_that_began_last(
    taken: tuple[History, Group, list[int]],
) -> None:
    history, group, numbers = taken
    lost, found = SlowSession(), SlowSession(1, 2)
    history.fill(cast("Session", lost), group, 1)
    await lost.asked.wait()
    history.left("shop")
    history.joined("shop")
    assert history.hold_back(group)
    lost.answers.set()
    await eventually(lambda: not history._tasks)
    assert numbers == []
    history.fill(cast("Session", found), group, 2)
    found.answers.set()
    await eventually(lambda: numbers == [1, 2, 3])


async def test_what_is_held_back_outlives_a_line_that_is_lost(
    taken: tuple[History, Group, list[int]],
) -> None:
    history, group, numbers = taken
    lost = SlowSession(troubles=[Unavailable("lost")])
    lost.joined = False
    history.fill(cast("Session", lost), group, 1)
    await eventually(lambda: not history._tasks)
    assert numbers == []
    await history.close()
    assert numbers == [3]


async def test_history_that_is_late_is_taken_though_no_more_could_be_held_back(
    taken: tuple[History, Group, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    history, group, numbers = taken
    session = SlowSession(1, 2, troubles=[WampError("wamp.error.timeout")])
    session.answers.set()
    history.let_go(group)
    history.fill(cast("Session", session), group, 1)
    await eventually(lambda: numbers == [3, 1, 2])


async def test_a_router_that_never_tells_holds_nothing_back_for_long(
    taken: tuple[History, Group, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HOLD_SECONDS", 0.0)
    history, group, numbers = taken
    session = SlowSession(troubles=[WampError("wamp.error.timeout")] * 9)
    history.fill(cast("Session", session), group, 1)
    await eventually(lambda: numbers == [3])
    assert len(session.limits) == 1


@pytest.mark.parametrize("noted", [False, True])
async def test_a_gap_that_was_not_filled_is_read_whole_by_the_next_session(*, noted: bool) -> None:
    store = await Store.open("sqlite:///:memory:")
    now, numbers = [time.time()], list[int]()
    history = History(
        store,
        lambda _app: DeliveryConfig(history=5000),
        lambda _app, event, _at: numbers.append(event.publication),
        at_once,
        clock=lambda: now[0],
    )
    group = Table().put(endpoint("com.kept", "http://127.0.0.1:1/", 0.0)).group
    history.joined("shop")
    history.left("shop")
    now[0] += 7200  # nobody was there for two hours
    history.joined("shop")
    assert history.hold_back(group)
    lost = SlowSession(troubles=[Unavailable("lost")])
    lost.joined = False
    history.fill(cast("Session", lost), group, 1)
    await eventually(lambda: not history._tasks)
    if noted:
        await history._note()
    now[0] += 3600
    history.left("shop")
    history.joined("shop")
    assert history.hold_back(group)
    begun = int((now[0] - 9000) * 1e9)
    found = SlowSession(*range(1, 2001), begun=begun)
    found.answers.set()
    history.fill(cast("Session", found), group, 2)
    await eventually(lambda: numbers == [*range(1, 2001)])
    await history.close()
    await store.close()


def test_history_that_no_router_can_have_is_left_out() -> None:
    told = {"publication": 7, "time_ns": 10**9}
    assert module.event_of(told, "com.kept", "exact") is not None
    assert module.event_of({**told, "publication": 2**63}, "com.kept", "exact") is None
