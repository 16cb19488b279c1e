"""Apps that die and come back: noticed by what is sent to them, or by their manifests."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp import web

from support.clients import plain_http
from support.clocks import FakeClock
from support.processes import free_port
from support.servers import CallbackServer, Posted
from support.waiting import eventually
from wamp_bridge_server.bridge import Bridge
from wamp_bridge_server.config import DeliveryConfig, StoreConfig
from wamp_bridge_server.services.reconciler import Reconciler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from support.clients import Client
    from wamp_bridge_server.config import Config
    from wamp_bridge_server.services.table import Group

NAMES = ["com.a"]


class Mortal(CallbackServer):
    """An app that listens at one port, and at times doesn't."""

    def __init__(self) -> None:
        super().__init__(answering=self._serve)
        self._port = free_port()
        self._runner: web.AppRunner | None = None
        self.url = f"http://127.0.0.1:{self._port}/"
        self.source = f"{self.url}wamp/"

    async def live(self) -> None:
        application = web.Application()
        application.router.add_route("*", "/{rest:.*}", self.handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()

    async def die(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None

    def _serve(self, posted: Posted) -> web.Response:
        if posted.document["type"] != "manifest":
            return web.json_response(posted.path)
        procedures = {name: {"url": f"rpc/{name}/"} for name in NAMES}
        topics = {name: {"url": f"pub/{name}/"} for name in NAMES}
        return web.json_response({"protocol": 1, "procedures": procedures, "topics": topics})


@pytest.fixture
def router_url() -> str:
    return "memory:"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@asynccontextmanager
async def bridge_of(config: Config) -> AsyncIterator[str]:
    made = Bridge(config)
    await made.start()
    yield made.url
    await made.stop()


@pytest.fixture
async def bridge(config: Config, clock: FakeClock) -> AsyncIterator[Bridge]:
    made = Bridge(config, clock)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def app() -> AsyncIterator[Mortal]:
    made = Mortal()
    await made.live()
    yield made
    await made.die()


@pytest.fixture
async def apps() -> AsyncIterator[list[Mortal]]:
    made = [Mortal() for _ in range(4)]
    for each in made:
        await each.live()
    yield made
    for each in made:
        await each.die()


async def entry(shop: Client, kind: str = "registrations") -> Any:
    (found,) = (await shop.get(f"/{kind}/"))[kind]
    return found


async def is_state(shop: Client, state: str, kind: str = "registrations") -> bool:
    return bool((await entry(shop, kind))["state"] == state)


async def states(shop: Client) -> list[str]:
    return [each["state"] for each in (await shop.get("/sources/"))["sources"]]


async def announced(shop: Client, *apps: Mortal) -> None:
    for each in apps:
        await shop.post("/announce/", {"url": each.source, "wait": True})


async def test_a_plain_procedure_whose_app_dies_and_comes_back(
    shop: Client, bank: Client, app: Mortal, clock: FakeClock
) -> None:
    await shop.post("/register/", {"endpoints": {"com.a": app.url}})
    assert (await bank.post("/call/com.a/"))["result"] == "/"
    before = await entry(shop)
    assert before["state"] == "live"
    await app.die()
    clock.pass_by(10)
    refused = await bank.post("/call/com.a/", status=503)
    assert refused["error"] == "wamp.error.unavailable"
    found = await entry(shop)
    assert (found["state"], found["reason"]) == ("suspect", "connection refused")
    assert found["since"] == before["since"] + 10
    assert await clock.until(lambda: is_state(shop, "withdrawn")) >= 3
    gone = await bank.post("/call/com.a/", status=404)
    assert gone["error"] == "wamp.error.no_such_procedure"
    # Its URI is free meanwhile.
    await bank.post("/register/", {"endpoints": {"com.a": app.url}})
    await bank.post("/unregister/", {"endpoints": ["com.a"]})
    await app.live()
    await clock.until(lambda: is_state(shop, "live"))
    assert (await entry(shop))["reason"] is None
    assert (await bank.post("/call/com.a/"))["result"] == "/"


async def test_one_refusal_is_not_the_end(shop: Client, app: Mortal, clock: FakeClock) -> None:
    await shop.post("/register/", {"endpoints": {"com.a": app.url}})
    await app.die()
    await shop.post("/call/com.a/", status=503)
    assert await is_state(shop, "suspect")
    await app.live()
    assert (await shop.post("/call/com.a/"))["result"] == "/"
    await clock.until(lambda: is_state(shop, "live"))


async def test_all_plain_endpoints_of_a_place_fall_together_and_no_others(
    shop: Client, bank: Client, app: Mortal, apps: list[Mortal], clock: FakeClock
) -> None:
    endpoints = {"com.a": f"{app.url}a", "com.b": f"{app.url}b", "com.c": apps[0].url}
    await shop.post("/register/", {"endpoints": endpoints})
    await shop.post("/register/", {"endpoints": {"com.leased": app.url}, "lease": 3600})
    await bank.post("/subscribe/", {"endpoints": {"com.t": app.url}})
    await app.die()
    await shop.post("/call/com.b/", status=503)

    async def are(*expected: str) -> bool:
        listed = (await shop.get("/registrations/"))["registrations"]
        return [each["state"] for each in listed] == [*expected]

    assert await are("suspect", "suspect", "live", "live")
    await clock.until(lambda: are("withdrawn", "withdrawn", "live", "live"))
    assert await is_state(bank, "live", "subscriptions")  # nothing was sent for that app
    # What is registered there meanwhile shares its fate; what has a lease now doesn't.
    await shop.post("/register/", {"endpoints": {"com.d": app.url}})
    await shop.post("/register/", {"endpoints": {"com.b": f"{app.url}b"}, "lease": 3600})
    await clock.until(lambda: are("withdrawn", "live", "live", "live", "withdrawn"))


async def test_events_rest_while_an_app_is_away_for_an_hour(
    shop: Client, app: Mortal, clock: FakeClock
) -> None:
    await shop.post("/subscribe/", {"endpoints": {"com.t": {"url": app.url, "ordered": True}}})
    await app.die()
    await shop.post("/publish/com.t/", {"params": [0]})
    await clock.until(lambda: is_state(shop, "withdrawn", "subscriptions"))
    for number in range(1, 20):
        await shop.post("/publish/com.t/", {"params": [number]})
    clock.pass_by(3600)
    assert await is_state(shop, "withdrawn", "subscriptions")
    await app.live()
    await clock.until(lambda: is_state(shop, "live", "subscriptions"))
    await eventually(lambda: len(app.posted) == 20)
    assert [posted.document["args"] for posted in app.posted] == [[n] for n in range(20)]
    attempts = [int(posted.headers["wamp-bridge-attempt"]) for posted in app.posted]
    assert attempts == [2] + [1] * 19


async def test_an_app_that_flaps_is_given_up_twice_a_minute_at_most(
    shop: Client, app: Mortal, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    obtained = []
    obtain = Reconciler._obtain

    async def counted(reconciler: Reconciler, session: Any, group: Group) -> int:
        obtained.append(clock.monotonic())
        return await obtain(reconciler, session, group)

    monkeypatch.setattr(Reconciler, "_obtain", counted)
    await shop.post("/register/", {"endpoints": {"com.a": app.url}})
    began = clock.monotonic()
    for _ in range(4):
        await app.die()
        await shop.post("/call/com.a/", status=503)
        await clock.until(lambda: is_state(shop, "withdrawn"))
        await app.live()
        await clock.until(lambda: is_state(shop, "live"))
    assert len(obtained) == 5
    assert obtained[-1] - began >= 3 * 30


async def test_a_call_that_was_cut_off_is_a_reason_to_look(
    shop: Client, app: Mortal, clock: FakeClock
) -> None:
    async def never(_posted: Posted) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    app.answering = never
    await shop.post("/register/", {"endpoints": {"com.a": {"url": app.url, "timeout": 0.1}}})
    await shop.post("/call/com.a/", status=504)
    assert await is_state(shop, "live")  # it is slow, and there
    call = asyncio.create_task(shop.post("/call/com.a/", {"timeout": 30}, status=None))
    await eventually(lambda: len(app.posted) == 2)
    await app.die()
    await call
    await clock.until(lambda: is_state(shop, "withdrawn"))


async def test_a_source_is_given_up_after_three_manifests(
    shop: Client, app: Mortal, clock: FakeClock
) -> None:
    await announced(shop, app)
    await app.die()

    async def are(expected: str) -> bool:
        return await states(shop) == [expected] and await is_state(shop, expected)

    assert await clock.until(lambda: are("suspect"), step=4) >= 20
    assert await clock.until(lambda: are("withdrawn"), step=4) >= 40
    assert "refused" in (await entry(shop))["reason"]
    await shop.post("/call/com.a/", status=404)
    await shop.post("/publish/com.a/", {"params": [1]})
    await app.live()
    assert await clock.until(lambda: are("live")) >= 1
    await eventually(lambda: app.of_type("event"))


async def test_a_source_whose_callback_is_refused_is_asked_at_once(
    shop: Client, app: Mortal, clock: FakeClock
) -> None:
    await announced(shop, app)
    began = clock.monotonic()
    for _ in range(3):
        await app.die()
        await shop.post("/call/com.a/", status=503)
        await clock.until(lambda: is_state(shop, "withdrawn"))
        await app.live()
        await clock.until(lambda: is_state(shop, "live"))
    assert clock.monotonic() - began >= 2 * 30  # it came back, and was given time


async def test_a_call_goes_to_another_source_where_one_refuses(
    shop: Client, apps: list[Mortal]
) -> None:
    await announced(shop, *apps[:2])
    await apps[0].die()
    for _ in range(4):
        assert (await shop.post("/call/com.a/"))["result"] == "/wamp/rpc/com.a/"
    attempts = {posted.headers["wamp-bridge-attempt"] for posted in apps[1].posted[1:]}
    assert attempts <= {"1", "2"}


async def test_where_most_sources_fall_silent_the_bridge_may_be_cut_off(
    shop: Client, anonymous: httpx.AsyncClient, apps: list[Mortal], clock: FakeClock
) -> None:
    await announced(shop, *apps)

    async def cut_off() -> bool:
        return bool((await anonymous.get("/health/ready")).json()["cut_off"])

    for each in apps[1:]:
        await each.die()
    await clock.until(cut_off, step=4)
    for _ in range(40):  # and so it stays
        await clock.until(lambda: is_one_of_four(shop), step=4)
    (kept,) = {each["reason"] for each in (await shop.get("/sources/"))["sources"][1:]}
    assert "cut off" in kept
    # Two come back: those who are silent now are few, and are gone.
    await apps[1].live()
    await apps[2].live()
    await clock.until(lambda: are_all(shop, ["live", "live", "live", "withdrawn"]))
    assert not await cut_off()


async def test_a_bridge_is_not_cut_off_for_more_than_a_day(
    shop: Client, apps: list[Mortal], clock: FakeClock
) -> None:
    await announced(shop, *apps)
    for each in apps[1:]:
        await each.die()
    await clock.until(lambda: is_one_of_four(shop), step=4)
    clock.pass_by(23 * 3600)
    assert await is_one_of_four(shop)
    await clock.until(lambda: are_all(shop, ["live", *["withdrawn"] * 3]), step=600)


async def is_one_of_four(shop: Client) -> bool:
    return await are_all(shop, ["live", "suspect", "suspect", "suspect"])


async def are_all(shop: Client, expected: list[str]) -> bool:
    return await states(shop) == expected


async def test_a_source_that_is_silent_alone_is_given_up(
    shop: Client, apps: list[Mortal], clock: FakeClock
) -> None:
    await announced(shop, *apps)
    await apps[3].die()
    await clock.until(lambda: are_all(shop, ["live", "live", "live", "withdrawn"]), step=4)
    await apps[2].die()
    await clock.until(lambda: are_all(shop, ["live", "live", "withdrawn", "withdrawn"]), step=4)


async def test_a_source_is_forgotten_after_a_day_unless_it_is_configured(
    bridge: Bridge, config: Config, shop: Client, bank: Client, app: Mortal, clock: FakeClock
) -> None:
    await announced(shop, app)
    named = msgspec.structs.replace(config.apps["bank"], sources=(app.source,))
    await bridge.reload(msgspec.structs.replace(config, apps={**config.apps, "bank": named}))
    await clock.until(lambda: are_all(bank, ["live"]))
    await app.die()
    await clock.until(lambda: are_all(shop, ["withdrawn"]), step=4)
    await clock.until(lambda: are_all(bank, ["withdrawn"]), step=4)
    clock.pass_by(23 * 3600)
    assert await are_all(shop, ["withdrawn"])
    clock.pass_by(3600)
    await clock.until(lambda: are_all(shop, []))
    assert (await shop.get("/registrations/"))["registrations"] == []
    assert await are_all(bank, ["withdrawn"])
    await app.live()
    await clock.until(lambda: are_all(bank, ["live"]))


@pytest.mark.parametrize("of", ["plain endpoint", "source"])
async def test_what_failed_before_a_restart_is_sent_when_its_app_is_back(
    config: Config, app: Mortal, tmp_path: Path, of: str
) -> None:
    later = DeliveryConfig(schedule=(0.0, 3600.0))
    shop = msgspec.structs.replace(config.apps["shop"], deliveries=later)
    store = StoreConfig(url=f"sqlite:///{tmp_path / 'bridge.db'}")
    config = msgspec.structs.replace(config, apps={"shop": shop}, store=store)
    headers = {"Authorization": "Bearer token-of-shop"}
    async with bridge_of(config) as url, plain_http(url, headers=headers) as http:
        if of == "source":
            await http.post("/announce/", json={"url": app.source, "wait": True})
        else:
            await http.post("/subscribe/", json={"endpoints": {"com.a": app.url}})
        await app.die()
        await http.post("/publish/com.a/")
        with closing(sqlite3.connect(tmp_path / "bridge.db")) as other:
            failed = "SELECT count(*) FROM attempts"
            await eventually(lambda: other.execute(failed).fetchone() == (1,))
    if of == "source":
        await app.live()
    async with bridge_of(config):
        if of == "plain endpoint":
            await app.live()
        await eventually(lambda: len(app.of_type("event")) == 1)
