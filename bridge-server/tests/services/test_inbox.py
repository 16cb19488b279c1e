"""Between the network and the disk: kept in order, held up while the disk fails, not swallowed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from support.destinations import LOOPBACK
from support.servers import callback_server
from support.waiting import eventually
from wamp_bridge_server.callbacks.outbox import Outbox
from wamp_bridge_server.callbacks.sender import Sender
from wamp_bridge_server.clock import Clock
from wamp_bridge_server.config import DeliveryConfig, StreamConfig
from wamp_bridge_server.services import inbox as module
from wamp_bridge_server.services.inbox import Inbox
from wamp_bridge_server.services.logs import Logs
from wamp_bridge_server.store import Arrival, DeliveryRecord, Store, StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from wamp_bridge_server.callbacks.recipients import Recipient


@dataclass
class Resting:
    """A recipient that gets nothing for now."""

    lane: str = "sub_1"
    app: str = "shop"
    url: str = "http://127.0.0.1:1/"
    resting: bool = True
    ordered: bool = False
    concurrency: int = 10


@dataclass
class Setting:
    """An inbox with what is behind it, and how its session was told to pause."""

    store: Store
    path: Path
    paused: list[bool] = field(default_factory=list)
    limits: DeliveryConfig = field(default_factory=DeliveryConfig)
    recipient: Recipient = field(default_factory=Resting)
    outbox: Outbox = field(init=False)
    inbox: Inbox = field(init=False)

    def find(self, _app: str, _lane: str) -> Recipient:
        return self.recipient

    def policy(self, _recipient: Recipient) -> DeliveryConfig:
        return self.limits

    def put(self, *names: str, publication: int | None = None) -> None:
        for name in names:
            record = DeliveryRecord(
                id=name,
                app="shop",
                lane="sub_1",
                type="event",
                uri="com.x",
                match="exact",
                body=name.encode(),
                created_at=1.0,
            )
            self.inbox.put(Arrival(record, "sub_1", publication))

    async def kept(self) -> list[str]:
        page = await self.store.deliveries.after("shop", "sub_1", 0, number=99, size=9999)
        return [record.id for record in page.records]


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    path = tmp_path / "bridge.db"
    store = await Store.open(f"sqlite:///{path}", busy_timeout=0.05)
    made = Setting(store, path)
    sender = Sender(lambda _app: None, lambda _app: LOOPBACK)
    await sender.start()
    made.outbox = Outbox(sender, store, made, lambda _recipient: None)
    made.inbox = Inbox(
        store,
        made.outbox,
        Logs(store, Clock(), lambda _app: StreamConfig()),
        lambda _app: made.limits,
        lambda _app, paused: made.paused.append(paused),
    )
    yield made
    await made.inbox.close()
    await made.outbox.close()
    await sender.close()
    await store.close()


async def test_what_arrives_is_kept_in_order(setting: Setting) -> None:
    setting.put(*"cab")
    await eventually(lambda: setting.outbox.waiting == 3)
    assert await setting.kept() == ["c", "a", "b"]
    assert setting.inbox.waiting == 0


async def test_a_publication_is_kept_once(setting: Setting) -> None:
    setting.put("a", publication=7)
    setting.put("b", publication=7)
    setting.put("c", publication=8)
    await eventually(lambda: setting.inbox.waiting == 0)
    assert await setting.kept() == ["a", "c"]
    assert setting.outbox.waiting == 2


async def test_who_has_more_than_is_held_waits(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_NUMBER", 4)
    monkeypatch.setattr(module, "MOST_NUMBER", 5)
    names = [f"msg_{number}" for number in range(40)]
    for name in names:
        await setting.inbox.calm("shop")
        setting.put(name)
    await eventually(lambda: setting.inbox.waiting == 0)
    assert await setting.kept() == names
    assert setting.outbox.stocks["shop"].refused == 0


async def test_what_can_not_be_kept_is_held_within_bounds(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_NUMBER", 3)
    monkeypatch.setattr(module, "MOST_NUMBER", 5)
    with closing(sqlite3.connect(setting.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        setting.put(*"ab")
        assert not setting.paused
        setting.put(*"cdefg")
        assert set(setting.paused) == {True}
        assert not setting.inbox.has_room("shop")
        assert setting.outbox.stocks["shop"].refused == 2
        await eventually(lambda: "another process keeps it locked" in str(setting.store.trouble))
        other.execute("ROLLBACK")
    await eventually(lambda: setting.outbox.waiting == 5)
    assert await setting.kept() == [*"abcde"]
    assert setting.paused[-1] is False
    assert setting.store.trouble is None


async def test_a_file_that_is_away_for_a_while(setting: Setting) -> None:
    aside = setting.path.rename(setting.path.with_suffix(".aside"))
    setting.put("a")
    await eventually(lambda: "deleted or replaced" in str(setting.store.trouble))
    aside.rename(setting.path)
    await eventually(lambda: setting.outbox.waiting == 1)
    assert await setting.kept() == ["a"]


async def test_what_was_kept_though_the_store_said_no_is_sent(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, refused = setting.store.deliveries.keep, False

    async def keep_and_refuse(arrivals: Sequence[Arrival]) -> list[DeliveryRecord | None]:
        nonlocal refused
        kept = await keep(arrivals)
        if not refused:
            refused = True
            raise StoreError("it could not be told that this was written")
        return kept

    monkeypatch.setattr(setting.store.deliveries, "keep", keep_and_refuse)
    async with callback_server() as app:
        setting.recipient = Resting(resting=False, url=app.url, ordered=True)
        setting.put("a", publication=7)
        setting.put("b", publication=8)
        setting.put("c", publication=7)
        await eventually(lambda: len(app.posted) == 2)
        await eventually(lambda: setting.outbox.waiting == 0)
        assert [posted.body for posted in app.posted] == [b"a", b"b"]


async def test_a_disk_that_is_full_for_a_while(setting: Setting) -> None:
    pages = 0

    def fill(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages or 1073741823}")

    event.listen(setting.store._database._engine.sync_engine, "begin", fill)
    pages = 1  # SQLite makes it what the file has now
    names = [f"{number}-{'x' * 1000}"[:64] for number in range(2000)]
    setting.put(*names)
    await eventually(lambda: "no room left on its disk" in str(setting.store.trouble))
    assert setting.inbox.waiting > 0
    pages = 0
    await eventually(lambda: setting.inbox.waiting == 0)
    page = await setting.store.deliveries.after("shop", "sub_1", 0, number=3000, size=10**9)
    assert [record.id for record in page.records] == names


async def test_nothing_unforeseen_ends_it(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wamp_bridge_server.tasks.PAUSE_SECONDS", 0.0)

    async def fail(_arrivals: Sequence[Arrival]) -> list[DeliveryRecord | None]:
        failing.undo()
        raise RuntimeError("unforeseen")

    with monkeypatch.context() as failing:
        failing.setattr(setting.store.deliveries, "keep", fail)
        setting.put(*"ab")
        await eventually(lambda: setting.outbox.waiting == 2)
    assert await setting.kept() == ["a", "b"]


@pytest.mark.parametrize(
    "limits", [DeliveryConfig(most=2), DeliveryConfig(most_bytes=2)], ids=["number", "bytes"]
)
async def test_an_app_has_so_much_kept_and_no_more(
    setting: Setting, limits: DeliveryConfig
) -> None:
    setting.limits = limits
    setting.put("a")
    await eventually(lambda: setting.outbox.waiting == 1)
    setting.put("b", "c", "d")
    await eventually(lambda: setting.outbox.waiting == 2)
    assert await setting.kept() == ["a", "b"]
    assert setting.outbox.stocks["shop"].refused == 2


async def test_what_is_here_is_kept_before_it_closes(setting: Setting) -> None:
    setting.put(*"abc")
    await setting.inbox.close()
    assert await setting.kept() == ["a", "b", "c"]
