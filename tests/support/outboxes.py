"""An outbox with a real store and sender, and recipients whose every word a test sets."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from support.destinations import LOOPBACK
from wamp_bridge_server.callbacks.outbox import Outbox
from wamp_bridge_server.callbacks.sender import Sender
from wamp_bridge_server.config import DeliveryConfig
from wamp_bridge_server.identifiers import new_id
from wamp_bridge_server.store import Arrival, DeadLetters, DeliveryRecord, Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.servers import CallbackServer, Posted
    from wamp_bridge_server.callbacks.recipients import Recipient

SOON = (0.0, 0.01, 0.01, 0.01)
LATER = (0.0, 3600.0)
ALL = DeadLetters(app="shop")
DEAD = "http://127.0.0.1:1/"


@dataclass
class Target:
    """A recipient whose every word a test sets."""

    url: str
    lane: str = "one"
    app: str = "shop"
    resting: bool = False
    ordered: bool = False
    concurrency: int = 10


@dataclass
class Setting:
    """An outbox with its store, who it knows, and what it told of those that answered 410."""

    store: Store
    schedule: tuple[float, ...]
    targets: dict[str, Target]
    declined: list[Recipient] = field(default_factory=list)
    outbox: Outbox = field(init=False)

    def find(self, app: str, lane: str) -> Recipient | None:
        target = self.targets.get(lane)
        return target if target is not None and target.app == app else None

    def policy(self, _recipient: Recipient) -> DeliveryConfig:
        return DeliveryConfig(schedule=self.schedule)

    async def deliver(self, target: Target, *bodies: str) -> list[DeliveryRecord]:
        self.targets[target.lane] = target
        records = [record(target, body) for body in bodies]
        kept = await self.store.deliveries.keep([Arrival(each) for each in records])
        told = [each for each in kept if each is not None]
        self.outbox.kept(told)
        return told

    async def dead(self) -> list[str]:
        letters = await self.store.dead_letters.page(DeadLetters(app="shop"), after=0, number=999)
        return [letter.error or "" for letter in letters]

    async def stored(self) -> int:
        return sum(count.number for count in await self.store.deliveries.lanes())

    @property
    def waiting(self) -> int:
        return self.outbox.waiting


def record(target: Target, body: str) -> DeliveryRecord:
    return DeliveryRecord(
        id=new_id("msg"),
        app=target.app,
        lane=target.lane,
        type="event",
        uri="com.x",
        match="exact",
        body=body.encode(),
        created_at=1.0,
        due_at=1.0,
    )


@asynccontextmanager
async def setting(
    schedule: tuple[float, ...] = SOON,
    url: str = "sqlite:///:memory:",
    targets: dict[str, Target] | None = None,
) -> AsyncIterator[Setting]:
    store = await Store.open(url, busy_timeout=0.05)
    sender = Sender(lambda _app: None, lambda _app: LOOPBACK)
    await sender.start()
    made = Setting(store, schedule, targets or {})
    made.outbox = Outbox(sender, store, made, made.declined.append)
    await made.outbox.load()
    made.outbox.start()
    try:
        yield made
    finally:
        await made.outbox.close()
        await sender.close()
        await store.close()


def bodies_of(app: CallbackServer) -> list[str]:
    return [posted.body.decode() for posted in app.posted]


def failing(_posted: Posted) -> web.Response:
    return web.Response(status=500, text="sorry")
