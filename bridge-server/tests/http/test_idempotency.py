"""`Idempotency-Key`: a request is done once, and answered the same however often it comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest
from aiohttp import web

from support.waiting import eventually
from wamp_bridge_server.bridge import Bridge
from wamp_bridge_server.config import CallConfig, Config, StoreConfig
from wamp_bridge_server.services import idempotency
from wamp_bridge_server.store import StoreError
from wamp_bridge_server.store.idempotency import ROW_BYTES, Claim, Claimed, KeyRoom

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from support.clients import Client
    from support.servers import CallbackServer, Posted

KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


@pytest.fixture
def router_url() -> str:
    return "memory:"


async def ask(
    client: Client, path: str, body: Any = None, key: str = KEY, **headers: str
) -> httpx.Response:
    headers = {"Idempotency-Key": key, **{n.replace("_", "-"): v for n, v in headers.items()}}
    return await client.http.post(path, json=body or {}, headers=headers)


class Counting:
    """Answers with the number of the request, or as told."""

    def __init__(self) -> None:
        self.calls = 0
        self.status = 200
        self.text = ""
        self.gate: asyncio.Event | None = None

    async def __call__(self, posted: Posted) -> web.Response:
        if posted.document["type"] != "invocation":
            return web.Response()
        self.calls += 1
        if self.gate is not None:
            await self.gate.wait()
        return web.json_response(self.text or self.calls, status=self.status)


@pytest.fixture
async def counting(shop: Client, app: CallbackServer) -> Counting:
    counting = Counting()
    app.answering = counting
    await shop.post("/register/", {"endpoints": {"com.count": app.url, "com.other": app.url}})
    return counting


async def test_the_same_request_is_done_once(
    shop: Client, bank: Client, counting: Counting
) -> None:
    first = await ask(shop, "/call/com.count/", {"args": [1], "kwargs": {"b": 1, "a": 2}})
    assert first.json()["result"] == 1
    assert "idempotent-replayed" not in first.headers
    again = await ask(
        shop, "/call/com.count", {"kwargs": {"a": 2, "b": 1}, "args": [1], "token": "token-of-shop"}
    )
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["request-id"] != first.headers["request-id"]
    assert counting.calls == 1
    # A key is the app's and the path's.
    body = {"args": [1], "kwargs": {"b": 1, "a": 2}}
    assert (await ask(shop, "/call/com.other/", body)).json()["result"] == 2
    assert (await ask(bank, "/call/com.count/", body)).json()["result"] == 3
    assert (await ask(shop, "/call/com.count/", body, key="another")).json()["result"] == 4


@pytest.mark.parametrize(
    ("body", "prefer"),
    [({"args": [1]}, ""), ({"args": [1.0]}, ""), ({"timeout": 5}, ""), ({}, "respond-async")],
)
async def test_another_request_with_the_key_is_422(
    shop: Client, counting: Counting, body: Any, prefer: str
) -> None:
    await ask(shop, "/call/com.count/")
    other = await ask(shop, "/call/com.count/", body, Prefer=prefer)
    assert other.status_code == 422
    assert "another request" in other.json()["detail"]
    assert counting.calls == 1


async def test_of_many_at_once_one_is_done_and_the_rest_are_409(
    shop: Client, counting: Counting
) -> None:
    counting.gate = asyncio.Event()
    asked = [asyncio.create_task(ask(shop, "/call/com.count/")) for _ in range(10)]
    await eventually(lambda: sum(task.done() for task in asked) == 9)
    (running,) = [task for task in asked if not task.done()]
    for task in asked:
        if task is not running:
            assert task.result().status_code == 409
            assert task.result().headers["retry-after"] == "1"
    assert (await ask(shop, "/call/com.count/", {"args": [1]})).status_code == 422
    counting.gate.set()
    first = await running
    assert (await ask(shop, "/call/com.count/")).content == first.content
    assert counting.calls == 1


async def test_a_client_that_hangs_up_finds_its_answer(
    shop: Client, bridge: Bridge, counting: Counting
) -> None:
    counting.gate = asyncio.Event()
    async with httpx.AsyncClient(base_url=bridge.url, headers=shop.http.headers) as http:
        headers = {"Idempotency-Key": KEY}
        gone = asyncio.create_task(http.post("/call/com.count/", json={}, headers=headers))
        await eventually(lambda: counting.calls)
        gone.cancel()
        await asyncio.wait([gone])
    assert (await ask(shop, "/call/com.count/")).status_code == 409
    counting.gate.set()

    async def answered() -> bool:
        return (await ask(shop, "/call/com.count/")).status_code == 200

    await eventually(answered)
    assert counting.calls == 1


@pytest.mark.parametrize("status", [500, 503, 504, 403, 404])
async def test_a_failure_is_not_kept(shop: Client, counting: Counting, status: int) -> None:
    counting.status = status
    assert (await ask(shop, "/call/com.count/")).status_code in {status, 500}
    counting.status = 200
    assert (await ask(shop, "/call/com.count/")).json()["result"] == 2


async def test_an_error_that_says_what_was_wrong_is_kept(shop: Client, counting: Counting) -> None:
    counting.status = 400
    first = await ask(shop, "/call/com.count/")
    counting.status = 200
    again = await ask(shop, "/call/com.count/")
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["idempotent-replayed"] == "true"
    kept, given = again.json(), first.json()
    assert kept.pop("request_id") == again.headers["request-id"]
    assert given.pop("request_id") == first.headers["request-id"]
    assert kept == given
    assert counting.calls == 1


async def test_a_refused_request_is_not_kept(shop: Client, limited: Client, app: Any) -> None:
    await limited.post("/register/", {"endpoints": {"com.ok": app.url}})
    for client, path, body, status in (
        (limited, "/call/com.no/", {}, 403),
        (shop, "/call/com.ok/", {"timeout": -1}, 422),
        (shop, "/call/com.nobody/", {}, 404),
        (shop, "/call/com.ok/", {"callback": "nonsense"}, 422),
    ):
        for _ in range(2):
            answer = await ask(client, path, body)
            assert answer.status_code == status
            assert "idempotent-replayed" not in answer.headers
    assert (await ask(shop, "/call/com.ok/")).status_code == 200


async def test_an_event_is_published_once(shop: Client, app: CallbackServer) -> None:
    await shop.post("/subscribe/", {"endpoints": {"com.t": app.url}})
    first = await ask(shop, "/publish/com.t/", {"args": [1]})
    again = await ask(shop, "/publish/com.t/", {"args": [1]})
    assert first.json()["publication"] == again.json()["publication"]
    quiet = {"args": [2], "options": {"acknowledge": False}}
    for _ in range(2):
        answer = await ask(shop, "/publish/com.t/", quiet, key="quiet")
        assert (answer.status_code, answer.content) == (202, b"")
    await shop.post("/publish/com.t/", {"args": [3]})
    await eventually(lambda: [3] in [event["args"] for event in app.of_type("event")])
    assert sorted(event["args"] for event in app.of_type("event")) == [[1], [2], [3]]


async def test_an_asynchronous_call_is_begun_once(shop: Client, counting: Counting) -> None:
    first = await ask(shop, "/call/com.count/", Prefer="respond-async")
    again = await ask(shop, "/call/com.count/", Prefer="respond-async")
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]

    async def succeeded() -> bool:
        return bool((await shop.get(first.headers["location"]))["status"] == "succeeded")

    await eventually(succeeded)
    assert counting.calls == 1


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ('"a b"', '"a b"'),
        ('"abc"', "abc"),
        ('"\\"\\\\"', '"\\"\\\\"'),
        ("a:b+c/d=", "a:b+c/d="),
        ("x" * 255, "x" * 255),
    ],
)
async def test_a_key_is_a_string_or_bare(
    shop: Client, counting: Counting, given: str, key: str
) -> None:
    for number, spelling in enumerate((given, key)):
        answer = await ask(shop, "/call/com.count/", key=spelling)
        assert answer.json()["result"] == 1
        assert ("idempotent-replayed" in answer.headers) == (number > 0)
    assert counting.calls == 1


@pytest.mark.parametrize(
    "key", ["", '""', '"abc', 'a"b', "a, b", "a b", "a;b", "x" * 256, '"é"', '"a";p=1', "a\\b"]
)
async def test_what_is_no_key_is_400(shop: Client, counting: Counting, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode("latin-1")}
    answer = await shop.http.post("/call/com.count/", json={}, headers=headers)
    assert answer.status_code == 400
    assert counting.calls == 0


async def test_two_keys_are_400(shop: Client, counting: Counting) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "a")]
    answer = await shop.http.post("/call/com.count/", json={}, headers=headers)
    assert answer.status_code == 400
    assert counting.calls == 0


async def test_of_a_large_answer_it_is_kept_that_there_was_one(
    shop: Client, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "MAX_KEPT_BYTES", 10)
    assert (await ask(shop, "/call/com.count/")).status_code == 200
    again = await ask(shop, "/call/com.count/")
    assert again.status_code == 409
    assert "was done" in again.json()["detail"]
    assert "retry-after" not in again.headers
    assert counting.calls == 1


class TestWithLittleRoom:
    """Room for the answers to two requests, as long as they are short."""

    @pytest.fixture
    def config(self, config: Config) -> Config:
        calls = CallConfig(kept_bytes=2 * ROW_BYTES + 200)
        apps = {
            name: msgspec.structs.replace(app, calls=calls) for name, app in config.apps.items()
        }
        return msgspec.structs.replace(config, apps=apps)

    async def test_what_could_not_be_kept_is_not_done(
        self, shop: Client, counting: Counting, limited: Client
    ) -> None:
        first = await ask(shop, "/call/com.count/", key="a")
        assert (await ask(shop, "/call/com.count/", key="b")).status_code == 200
        for _ in range(2):
            refused = await ask(shop, "/call/com.count/", key="c")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert counting.calls == 2
        # What is kept is still answered, and another app has room of its own.
        assert (await ask(shop, "/call/com.count/", key="a")).content == first.content
        assert (await ask(limited, "/publish/com.ok/", key="c")).status_code == 200

    async def test_of_what_there_is_no_room_for_it_is_kept_that_there_was_one(
        self, shop: Client, counting: Counting
    ) -> None:
        counting.text = "x" * 1000
        assert (await ask(shop, "/call/com.count/")).status_code == 200
        assert (await ask(shop, "/call/com.count/")).status_code == 409
        assert counting.calls == 1


class TestInAFile:
    """With a store that can be lost, and found again."""

    @pytest.fixture
    def config(self, config: Config, tmp_path: Path) -> Config:
        url = f"sqlite:///{tmp_path / 'bridge.db'}"
        return msgspec.structs.replace(config, store=StoreConfig(url=url))

    async def test_without_a_store_nothing_is_done(
        self, shop: Client, counting: Counting, tmp_path: Path
    ) -> None:
        path, aside = tmp_path / "bridge.db", tmp_path / "aside.db"
        path.rename(aside)
        assert (await ask(shop, "/call/com.count/")).status_code == 503
        assert counting.calls == 0
        assert (await shop.post("/call/com.count/"))["result"] == 1  # without a key
        aside.rename(path)
        assert (await ask(shop, "/call/com.count/")).json()["result"] == 2

    async def test_an_answer_is_kept_as_soon_as_it_can_be(
        self,
        shop: Client,
        counting: Counting,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("wamp_bridge_server.services.persistence.PAUSE_SECONDS", 0.01)
        path, aside = tmp_path / "bridge.db", tmp_path / "aside.db"
        counting.gate = asyncio.Event()
        asked = asyncio.create_task(ask(shop, "/call/com.count/"))
        await eventually(lambda: counting.calls)
        path.rename(aside)
        counting.gate.set()
        first = await asked
        assert first.status_code == 200
        aside.rename(path)

        async def kept() -> bytes | None:
            answer = await ask(shop, "/call/com.count/")
            return answer.content if answer.status_code == 200 else None

        assert await eventually(kept) == first.content
        assert counting.calls == 1

    async def test_answers_outlive_the_bridge(
        self, shop: Client, counting: Counting, bridge: Bridge, config: Config
    ) -> None:
        first = await ask(shop, "/call/com.count/")
        await bridge.stop()
        other = Bridge(config)
        await other.start()
        headers = {**shop.http.headers, "Idempotency-Key": KEY}
        async with httpx.AsyncClient(base_url=other.url, headers=headers) as http:
            again = await http.post("/call/com.count/", json={})
        await other.stop()
        assert again.content == first.content
        assert counting.calls == 1


async def test_a_claim_that_was_kept_though_the_store_said_no_is_withdrawn(
    shop: Client, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = KeyRoom.claim

    async def keep_and_refuse(room: KeyRoom, asked: Claim) -> Claimed | None:
        await claim(room, asked)
        raise StoreError("it could not be told that this was written")

    with monkeypatch.context() as failing:
        failing.setattr(KeyRoom, "claim", keep_and_refuse)
        assert (await ask(shop, "/call/com.count/")).status_code == 503

    async def answered() -> Any:
        response = await ask(shop, "/call/com.count/")
        return response.json() if response.status_code == 200 else None

    assert (await eventually(answered))["result"] == 1
    assert counting.calls == 1


async def test_a_claim_that_failed_is_not_withdrawn_from_who_claimed_the_key_since(
    shop: Client, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    withdrawn = asyncio.Event()
    withdraw = KeyRoom.withdraw

    async def withdraw_late(room: KeyRoom, claims: Sequence[Claim]) -> None:
        await eventually(lambda: counting.calls == 1)
        await withdraw(room, claims)
        withdrawn.set()

    async def refuse(_room: KeyRoom, _asked: Claim) -> Claimed | None:
        raise StoreError("for a moment")

    monkeypatch.setattr(KeyRoom, "withdraw", withdraw_late)
    with monkeypatch.context() as failing:
        failing.setattr(KeyRoom, "claim", refuse)
        assert (await ask(shop, "/call/com.count/")).status_code == 503
    counting.gate = asyncio.Event()
    first = asyncio.create_task(ask(shop, "/call/com.count/"))
    await withdrawn.wait()
    assert (await ask(shop, "/call/com.count/")).status_code == 409
    counting.gate.set()
    assert (await first).status_code == 200
