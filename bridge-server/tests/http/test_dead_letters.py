"""Dead letters: listed, replayed and deleted by the app whose they are."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp import web

from support.waiting import eventually
from wamp_bridge_server.config import Config, DeliveryConfig
from wamp_bridge_server.store import StoreError
from wamp_bridge_server.store.dead_letters import DeadLetterRoom

if TYPE_CHECKING:
    from support.clients import Client
    from support.servers import CallbackServer, Posted


@pytest.fixture
def router_url() -> str:
    """No router is needed for this."""
    return "memory:"


@pytest.fixture
def config(config: Config) -> Config:
    """Have each app's deliveries tried once."""
    once = DeliveryConfig(schedule=(0.0,))
    apps = {
        name: msgspec.structs.replace(app, deliveries=once) for name, app in config.apps.items()
    }
    return msgspec.structs.replace(config, apps=apps)


@pytest.fixture
async def letters(shop: Client, app: CallbackServer) -> list[dict[str, Any]]:
    """Have three of one topic, and one of another."""
    app.answering = lambda _posted: web.Response(status=500, text="sorry")
    await shop.post("/subscribe/", {"endpoints": {"com.x": app.url, "com.y": app.url}})
    for topic in ("com.x", "com.x", "com.x", "com.y"):
        await shop.post(f"/publish/{topic}/", {"args": [1]})

    async def dead() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await shop.get("/dead-letters/"))["dead_letters"]
        return found if len(found) == 4 else []

    found = await eventually(dead)
    app.posted.clear()
    app.answering = lambda _posted: web.Response()
    return sorted(found, key=lambda letter: letter["uri"])


async def number(client: Client, query: str = "") -> int:
    return len((await client.get(f"/dead-letters/{query}"))["dead_letters"])


async def test_they_are_listed(shop: Client, bank: Client, letters: list[dict[str, Any]]) -> None:
    letter = letters[0]
    assert {name: letter[name] for name in ("uri", "type", "attempts", "last_status", "error")} == {
        "uri": "com.x",
        "type": "event",
        "attempts": 1,
        "last_status": 500,
        "error": "status 500",
    }
    assert letter["endpoint"].startswith("sub_")
    assert letter["created_at"] <= letter["dead_at"]
    one = await shop.get(f"/dead-letters/{letter['id']}/")
    assert [failure["answer"] for failure in one["failures"]] == ["sorry"]
    assert await number(bank) == 0
    await bank.get(f"/dead-letters/{letter['id']}/", status=404)


async def test_they_are_chosen(shop: Client, letters: list[dict[str, Any]]) -> None:
    endpoint, created = letters[0]["endpoint"], letters[0]["created_at"]
    assert await number(shop, "?uri=com.x") == 3
    assert await number(shop, f"?endpoint={endpoint}") == 3
    assert await number(shop, "?error=STATUS") == 4
    assert await number(shop, "?error=refused") == 0
    assert await number(shop, f"?until={created}") == 0
    assert await number(shop, f"?since={created}") == 4
    for query in ("?urj=com.x", "?since=soon", "?since=nan", "?limit=0", "?cursor=YWZ0ZXI6eA"):
        await shop.get(f"/dead-letters/{query}", status=422)
    for number_beyond in ("9" * 19, "9" * 5000, "\u0663"):
        cursor = urlsafe_b64encode(b"after:" + number_beyond.encode()).decode().rstrip("=")
        await shop.get(f"/dead-letters/?cursor={cursor}", status=422)


async def test_they_come_in_pages(shop: Client, letters: list[dict[str, Any]]) -> None:
    first = await shop.get("/dead-letters/?limit=3")
    second = await shop.get(f"/dead-letters/?limit=3&cursor={first['cursor']}")
    assert (len(first["dead_letters"]), len(second["dead_letters"])) == (3, 1)
    assert second["cursor"] is None
    seen = {each["id"] for each in first["dead_letters"] + second["dead_letters"]}
    assert seen == {letter["id"] for letter in letters}


async def test_one_is_replayed_under_its_id(
    shop: Client, app: CallbackServer, letters: list[dict[str, Any]]
) -> None:
    identifier = letters[0]["id"]
    replayed = await shop.post(f"/dead-letters/{identifier}/replay/", status=202)
    assert replayed == {"replayed": 1}
    await eventually(lambda: len(app.posted) == 1)
    assert app.posted[0].headers["webhook-id"] == identifier
    await shop.post(f"/dead-letters/{identifier}/replay/", status=404)
    assert await number(shop) == 3


async def test_a_range_or_all_is_replayed(
    shop: Client, bank: Client, app: CallbackServer, letters: list[dict[str, Any]]
) -> None:
    assert await bank.post("/dead-letters/replay/", status=202) == {"replayed": 0, "left": 0}
    some = await shop.post("/dead-letters/replay/", {"uri": "com.x", "limit": 2}, status=202)
    assert some == {"replayed": 2, "left": 0}
    rest = await shop.post("/dead-letters/replay/", {}, status=202)
    assert rest["replayed"] == 2
    await eventually(lambda: len(app.posted) == 4)
    assert {posted.headers["webhook-id"] for posted in app.posted} == {
        letter["id"] for letter in letters
    }
    for body in ({"limit": 0}, {"urj": "com.x"}, {"uri": 1}):
        await shop.post("/dead-letters/replay/", body, status=400 if "limit" not in body else 422)


async def test_one_whose_endpoint_is_gone_goes_to_the_present_one(
    shop: Client, app: CallbackServer, letters: list[dict[str, Any]]
) -> None:
    await shop.post("/unsubscribe/", {"endpoints": ["com.x"]})
    await shop.post(f"/dead-letters/{letters[0]['id']}/replay/", status=409)
    await shop.post("/dead-letters/replay/", {"uri": "com.x"}, status=409)
    assert await shop.post("/dead-letters/replay/", {}, status=202) == {"replayed": 1, "left": 3}
    await shop.post("/subscribe/", {"endpoints": {"com.x": f"{app.url}anew/"}})
    assert (await shop.post("/dead-letters/replay/", {}, status=202))["replayed"] == 3
    await eventually(lambda: len(app.posted) == 4)
    assert [posted.path for posted in app.posted].count("/anew/") == 3


async def test_one_that_was_replayed_though_the_store_said_no_arrives(
    shop: Client,
    app: CallbackServer,
    letters: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replay = DeadLetterRoom.replay

    async def replay_and_refuse(*args: Any, **kwargs: Any) -> tuple[int, int]:
        await replay(*args, **kwargs)
        raise StoreError("it could not be told that this was written")

    monkeypatch.setattr(DeadLetterRoom, "replay", replay_and_refuse)
    await shop.post(f"/dead-letters/{letters[0]['id']}/replay/", status=503)
    await eventually(lambda: len(app.posted) == 1)
    assert app.posted[0].headers["webhook-id"] == letters[0]["id"]


async def test_they_are_deleted(shop: Client, bank: Client, letters: list[dict[str, Any]]) -> None:
    await bank.ask("DELETE", f"/dead-letters/{letters[0]['id']}/", status=404)
    await shop.ask("DELETE", f"/dead-letters/{letters[0]['id']}/", status=204)
    assert await shop.ask("DELETE", "/dead-letters/?uri=com.x&limit=1") == {"deleted": 1}
    await shop.ask("DELETE", "/dead-letters/?urj=com.x", status=422)
    assert await shop.ask("DELETE", "/dead-letters/") == {"deleted": 2}
    assert (await shop.get("/health/ready"))["dead_letters"] == 0


async def test_what_waits_for_what_is_taken_back_becomes_dead_letters(
    shop: Client, app: CallbackServer
) -> None:
    answer = asyncio.Event()

    async def answering(_posted: Any) -> web.Response:
        await answer.wait()
        return web.Response()

    app.answering = answering
    topic = {"url": app.url, "concurrency": 1, "schedule": [0, 3600], "dead_letters": 60}
    await shop.post("/subscribe/", {"endpoints": {"com.x": topic}})
    for _ in range(3):
        await shop.post("/publish/com.x/", {})
    await eventually(lambda: len(app.posted) == 1)
    await shop.post("/unsubscribe/", {"endpoints": ["com.x"]})

    async def given_up() -> bool:
        return await number(shop, "?error=taken") == 2

    await eventually(given_up)
    answer.set()

    async def settled() -> bool:
        return bool((await shop.get("/health/ready"))["deliveries_waiting"] == 0)

    await eventually(settled)
    assert len(app.posted) == 1
    await shop.post(
        "/subscribe/", {"endpoints": {"com.x": {"url": app.url, "schedule": []}}}, status=422
    )


async def test_410_of_what_was_taken_back_meanwhile_does_no_harm(
    shop: Client, app: CallbackServer
) -> None:
    gate = asyncio.Event()

    async def answering(posted: Posted) -> web.Response:
        if posted.path == "/old/":
            await gate.wait()
            return web.Response(status=410)
        return web.Response()

    app.answering = answering
    await shop.post("/subscribe/", {"endpoints": {"com.x": f"{app.url}old/"}})
    await shop.post("/publish/com.x/")
    await eventually(lambda: len(app.posted) == 1)
    await shop.post("/unsubscribe/", {"endpoints": ["com.x"]})
    await shop.post("/subscribe/", {"endpoints": {"com.x": f"{app.url}new/"}})
    gate.set()
    await eventually(lambda: number(shop))
    await shop.post("/publish/com.x/")
    await eventually(lambda: app.posted[-1].path == "/new/")


async def test_what_no_store_can_be_asked_for_is_422(shop: Client) -> None:
    for name in ("endpoint", "uri", "error"):
        await shop.get(f"/dead-letters/?{name}=a%00b", status=422)
        await shop.post("/dead-letters/replay/", {name: "a\0b"}, status=422)
    for path in ("/call/com.x%00y/", "/publish/%00/", "/dead-letters/msg_%00/replay/"):
        await shop.post(path, {}, status=422)
    await shop.get("/calls/call_%00/", status=422)
    await shop.post("/register/", {"endpoints": {"com.x\0": "http://127.0.0.1:1/"}}, status=422)
