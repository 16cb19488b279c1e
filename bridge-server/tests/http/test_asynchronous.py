"""Asynchronous calls: kept, ended once, told to their owner, their outcomes posted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest
from aiohttp import web

from support.waiting import eventually
from wamp_bridge_server.bridge import Bridge
from wamp_bridge_server.config import CallConfig, Config, DeliveryConfig, StoreConfig
from wamp_bridge_server.services import outcomes
from wamp_bridge_server.store import StoreError
from wamp_bridge_server.store.calls import CallRoom, Ended, Ending

if TYPE_CHECKING:
    from pathlib import Path

    from support.clients import Client
    from support.servers import CallbackServer, Posted

RESPOND_ASYNC = {"Prefer": "respond-async"}


@pytest.fixture
def router_url() -> str:
    return "memory:"


class Serving:
    """An app that serves `com.slow`, and takes outcomes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.calls = 0
        self.gate = asyncio.Event()
        self.value: Any = {"done": True}

    async def __call__(self, posted: Posted) -> web.Response:
        if posted.document["type"] != "invocation":
            return web.Response()
        self.calls += 1
        await self.gate.wait()
        return web.json_response(self.value)


@pytest.fixture
async def serving(shop: Client, app: CallbackServer) -> Serving:
    serving = Serving(app.url)
    app.answering = serving
    await shop.post("/register/", {"endpoints": {"com.slow": app.url}})
    return serving


async def begin(client: Client, procedure: str = "com.slow", callback: str | None = None) -> str:
    """Begin a call; where it is read."""
    body = {} if callback is None else {"callback": callback}
    response = await client.http.post(f"/call/{procedure}/", json=body, headers=RESPOND_ASYNC)
    assert response.status_code == 202, response.text
    return response.headers["location"]


async def ended(client: Client, location: str) -> Any:
    """Wait for the end of a call, and return what is told of it."""

    async def end() -> Any:
        call = await client.get(location)
        return call if call["status"] != "pending" else None

    return await eventually(end)


@pytest.mark.parametrize("callback", [None, "http://127.0.0.1:1/"])
async def test_what_wamp_can_not_carry_is_refused_at_once(
    shop: Client, serving: Serving, callback: str | None
) -> None:
    body: dict[str, Any] = {"params": [2**64]}
    if callback is not None:
        body["callback"] = callback
    response = await shop.http.post("/call/com.slow/", json=body, headers=RESPOND_ASYNC)
    assert response.status_code == 422
    assert "beyond 64 bits" in response.json()["detail"]
    assert serving.calls == 0


async def test_an_outcome_is_posted_and_kept(
    shop: Client, bank: Client, app: CallbackServer, serving: Serving
) -> None:
    serving.gate.set()
    body = {"callback": f"{app.url}outcome/"}
    response = await shop.http.post("/call/com.slow/", json=body)
    assert response.status_code == 202
    pending = response.json()
    assert pending["status"] == "pending"
    assert response.headers["location"] == f"/calls/{pending['id']}/"
    await eventually(lambda: app.of_type("result"))
    (outcome,) = app.of_type("result")
    assert outcome == {
        "type": "result",
        "call": pending["id"],
        "procedure": "com.slow",
        "callback": f"{app.url}outcome/",
        "args": [{"done": True}],
        "kwargs": {},
        "result": {"done": True},
    }
    location = response.headers["location"]
    assert await shop.get(location) == {
        "id": pending["id"],
        "status": "succeeded",
        "result": {"done": True},
        "args": [{"done": True}],
        "kwargs": {},
    }
    for ask in (bank.get(location, status=404), bank.ask("DELETE", location, status=404)):
        assert "has no call" in (await ask)["detail"]


async def test_an_error_is_posted_and_kept(shop: Client, app: CallbackServer) -> None:
    location = await begin(shop, "com.nobody", app.url)
    await eventually(lambda: app.of_type("error"))
    (outcome,) = app.of_type("error")
    assert outcome["status"] == 404
    assert outcome["error"] == "wamp.error.no_such_procedure"
    kept = await shop.get(location)
    assert (kept["status"], kept["error_status"]) == ("failed", 404)
    assert all(kept[name] == outcome[name] for name in ("error", "args", "kwargs"))


async def test_a_call_without_a_callback_is_read(shop: Client, app: CallbackServer) -> None:
    headers = {"Prefer": "wait=5, respond-async"}
    response = await shop.http.post("/call/com.nobody/", json={}, headers=headers)
    assert response.status_code == 202
    call = await ended(shop, response.headers["location"])
    assert (call["status"], call["error"]) == ("failed", "wamp.error.no_such_procedure")
    assert app.posted == []


async def test_bytes_stay_as_they_are_written(shop: Client, serving: Serving) -> None:
    serving.value = ["\0aGk=", 2**64 - 1, None]
    serving.gate.set()
    call = await ended(shop, await begin(shop))
    assert call["result"] == ["\0aGk=", 2**64 - 1, None]


async def test_a_call_is_cancelled_once(
    shop: Client, app: CallbackServer, serving: Serving
) -> None:
    location = await begin(shop, callback=app.url)
    await eventually(lambda: serving.calls)
    both = await asyncio.gather(*(shop.ask("DELETE", location) for _ in range(2)))
    for cancelled in both:
        assert (cancelled["status"], cancelled["error"]) == ("cancelled", "wamp.error.canceled")
        assert cancelled["error_status"] == 409
    await eventually(lambda: app.of_type("error"))
    (outcome,) = app.of_type("error")
    assert (outcome["error"], outcome["status"]) == ("wamp.error.canceled", 409)
    serving.gate.set()
    assert await shop.get(location) == both[0]


async def test_a_call_that_has_ended_is_not_cancelled(shop: Client, serving: Serving) -> None:
    serving.gate.set()
    location = await begin(shop)
    before = await ended(shop, location)
    assert await shop.ask("DELETE", location) == before


async def test_a_callees_own_canceled_is_no_cancelling(shop: Client, app: CallbackServer) -> None:
    app.answering = lambda _: web.json_response({"error": "wamp.error.canceled"}, status=500)
    await shop.post("/register/", {"endpoints": {"com.slow": app.url}})
    call = await ended(shop, await begin(shop))
    assert (call["status"], call["error_status"]) == ("failed", 503)


async def test_cancels_and_ends_at_once_make_one_end(
    shop: Client, app: CallbackServer, serving: Serving
) -> None:
    locations = [await begin(shop, callback=app.url) for _ in range(20)]
    await eventually(lambda: serving.calls == 10 or serving.calls == len(locations))
    serving.gate.set()
    told = await asyncio.gather(*(shop.ask("DELETE", location) for location in locations))
    await eventually(lambda: len(app.of_type("result") + app.of_type("error")) == len(told))
    posted = {each["call"]: each["type"] for each in app.of_type("result") + app.of_type("error")}
    for call in told:
        assert call == await shop.get(f"/calls/{call['id']}/")
        assert posted[call["id"]] == ("error" if call["status"] == "cancelled" else "result")


async def test_a_large_outcome_is_an_error(
    shop: Client, app: CallbackServer, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "MAX_OUTCOME_BYTES", 1000)
    serving.value = "x" * 1000
    serving.gate.set()
    call = await ended(shop, await begin(shop, callback=app.url))
    assert (call["status"], call["error_status"]) == ("failed", 500)
    assert call["error"] == "wamp.error.runtime_error"
    assert "at most 1000" in call["args"][0]
    await eventually(lambda: app.of_type("error"))
    assert (await shop.post("/call/com.slow/"))["result"] == "x" * 1000


async def test_a_call_ends_though_the_bridge_has_a_bug(
    shop: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise KeyError

    with monkeypatch.context() as patched:
        patched.setattr("wamp_bridge_server.backends.memory.backend.MemorySession.call", fail)
        call = await ended(shop, await begin(shop))
    assert (call["status"], call["error_status"]) == ("failed", 500)
    assert call["error"] == "wamp.error.runtime_error"


class TestLimits:
    """As the configuration says."""

    @pytest.fixture
    def config(self, config: Config) -> Config:
        shop = msgspec.structs.replace(config.apps["shop"], calls=CallConfig(keep=0, running=1))
        bank = msgspec.structs.replace(config.apps["bank"], deliveries=DeliveryConfig(most=1))
        return msgspec.structs.replace(config, apps={**config.apps, "shop": shop, "bank": bank})

    async def test_so_many_are_under_way(
        self, shop: Client, bank: Client, app: CallbackServer, serving: Serving
    ) -> None:
        location = await begin(shop)
        refused = await shop.http.post("/call/com.slow/", json={}, headers=RESPOND_ASYNC)
        assert refused.status_code == 503
        assert refused.headers["retry-after"]
        other = await begin(bank)
        serving.gate.set()
        await ended(shop, location)
        await ended(bank, other)
        await begin(shop)
        assert app.of_type("result") == []

    async def test_a_call_whose_outcome_has_no_room_is_not_begun(
        self, bank: Client, serving: Serving
    ) -> None:
        dead = "http://127.0.0.1:1/"
        assert (await ended(bank, await begin(bank, "com.nobody", dead)))["status"] == "failed"
        refused = await bank.http.post("/call/com.slow/", json={"callback": dead})
        assert refused.status_code == 503
        assert refused.headers["retry-after"]
        await begin(bank)
        await eventually(lambda: serving.calls == 1)


class TestInAFile:
    """With a store that can be lost, and found again."""

    @pytest.fixture
    def config(self, config: Config, tmp_path: Path) -> Config:
        url = f"sqlite:///{tmp_path / 'bridge.db'}"
        return msgspec.structs.replace(config, store=StoreConfig(url=url))

    async def test_what_is_cut_by_the_end_of_the_bridge_ends_at_its_start(
        self, shop: Client, app: CallbackServer, serving: Serving, bridge: Bridge, config: Config
    ) -> None:
        done = await begin(shop, "com.nobody")
        before = await ended(shop, done)
        cut = await begin(shop, callback=app.url)
        await eventually(lambda: serving.calls)
        await bridge.reload(msgspec.structs.replace(config, grace=0.1))
        await bridge.stop()
        assert app.of_type("error") == []
        other = Bridge(config)
        await other.start()
        headers = shop.http.headers
        async with httpx.AsyncClient(base_url=other.url, headers=headers) as http:
            call = (await http.get(cut)).json()
            assert (call["status"], call["error"]) == ("failed", "wamp.error.unavailable")
            assert call["error_status"] == 503
            assert "bridge ended" in call["args"][0]
            assert (await http.get(done)).json() == before
            await eventually(lambda: app.of_type("error"))
        await other.stop()
        (outcome,) = app.of_type("error")
        assert (outcome["error"], outcome["status"]) == ("wamp.error.unavailable", 503)
        assert serving.calls == 1

    async def test_without_a_store_nothing_is_begun(
        self, shop: Client, serving: Serving, tmp_path: Path
    ) -> None:
        path, aside = tmp_path / "bridge.db", tmp_path / "aside.db"
        path.rename(aside)
        for headers in (RESPOND_ASYNC, {**RESPOND_ASYNC, "Idempotency-Key": "k"}):
            refused = await shop.http.post("/call/com.slow/", json={}, headers=headers)
            assert refused.status_code == 503
        assert serving.calls == 0
        aside.rename(path)
        serving.gate.set()
        await ended(shop, await begin(shop))
        assert serving.calls == 1

    async def test_an_end_is_kept_as_soon_as_it_can_be(
        self,
        shop: Client,
        app: CallbackServer,
        serving: Serving,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("wamp_bridge_server.services.persistence.PAUSE_SECONDS", 0.01)
        location = await begin(shop, callback=app.url)
        await eventually(lambda: serving.calls)
        path, aside = tmp_path / "bridge.db", tmp_path / "aside.db"
        path.rename(aside)
        serving.gate.set()
        assert (await shop.http.get(location)).status_code == 503
        aside.rename(path)
        assert (await ended(shop, location))["result"] == {"done": True}
        await eventually(lambda: app.of_type("result"))
        assert len(app.of_type("result")) == 1

    async def test_an_end_that_was_kept_though_the_store_said_no_is_delivered(
        self,
        shop: Client,
        app: CallbackServer,
        serving: Serving,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        end, refused = CallRoom.end, asyncio.Event()

        async def end_and_refuse(room: CallRoom, ending: Ending) -> Ended:
            told = await end(room, ending)
            if not refused.is_set():
                refused.set()
                raise StoreError("it could not be told that this was written")
            return told

        monkeypatch.setattr(CallRoom, "end", end_and_refuse)
        serving.gate.set()
        first = await begin(shop, callback=app.url)
        await refused.wait()
        await begin(shop, callback=app.url)  # behind it in the same lane, and told before it
        await eventually(lambda: len(app.of_type("result")) == 2)
        assert first.split("/")[2] in {outcome["call"] for outcome in app.of_type("result")}

    async def test_a_key_whose_call_was_not_kept_is_free(
        self, shop: Client, serving: Serving, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        headers = {**RESPOND_ASYNC, "Idempotency-Key": "k"}

        async def fail(*_: object) -> None:
            raise StoreError("full")

        with monkeypatch.context() as patched:
            patched.setattr(CallRoom, "begin", fail)
            refused = await shop.http.post("/call/com.slow/", json={}, headers=headers)
        assert refused.status_code == 503
        taken = await shop.http.post("/call/com.slow/", json={}, headers=headers)
        assert taken.status_code == 202
        serving.gate.set()
        await ended(shop, taken.headers["location"])
        assert serving.calls == 1
