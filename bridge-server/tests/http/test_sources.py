"""Sources: announced, read, withdrawn, restored."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from support.servers import callback_server
from support.waiting import eventually
from wamp_bridge_server.services import sources
from wamp_bridge_server.store import Store, StoreError

if TYPE_CHECKING:
    from support.clients import Client
    from support.servers import CallbackServer, Posted


def manifest(procedures: Any = None, topics: Any = None, **members: Any) -> dict[str, Any]:
    document = {
        "protocol": 1,
        "procedures": {name: {"url": f"rpc/{name}/"} for name in procedures or ()},
        "topics": {name: {"url": f"pub/{name}/"} for name in topics or ()},
        "callbacks": [],
    }
    return {**document, **members}


def serving(document: Any, status: int = 200) -> Any:
    def answering(posted: Posted) -> web.Response:
        if posted.document["type"] == "manifest":
            return web.json_response(document, status=status)
        return web.json_response(posted.path)

    return answering


@pytest.fixture(autouse=True)
def _short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "ROUND_SECONDS", 0.2)


async def announce(client: Client, app: CallbackServer, *, status: int = 200) -> Any:
    return await client.post("/announce/", {"url": f"{app.url}wamp/", "wait": True}, status=status)


async def states(client: Client, kind: str = "registrations") -> dict[str, str]:
    return {e["uri"]: e["state"] for e in (await client.get(f"/{kind}/"))[kind]}


async def source_state(client: Client) -> str:
    (source,) = (await client.get("/sources/"))["sources"]
    state: str = source["state"]
    return state


async def test_a_source_brings_what_its_manifest_names(shop: Client, app: CallbackServer) -> None:
    app.answering = serving(manifest(["com.a", "com.b"], ["com.t"]))
    answered = await announce(shop, app)
    assert answered["source"]["state"] == "live"
    assert answered["source"]["url"] == f"{app.url}wamp/"
    assert app.posted[0].document == {"type": "manifest", "source": f"{app.url}wamp/"}
    await eventually(lambda: _are(shop, {"com.a": "live", "com.b": "live"}))
    assert await states(shop, "subscriptions") == {"com.t": "live"}
    assert (await shop.post("/call/com.a/"))["result"] == "/wamp/rpc/com.a/"


async def test_a_manifest_says_how_events_are_delivered(shop: Client, app: CallbackServer) -> None:
    said = {"schedule": [0, 2.5], "timeout": 5, "dead_letters": 60}
    app.answering = serving({**manifest(), "topics": {"com.t": {"url": "pub/com.t/", **said}}})
    await announce(shop, app)
    (subscription,) = (await shop.get("/subscriptions/"))["subscriptions"]
    assert said.items() <= subscription.items()


async def _are(client: Client, expected: dict[str, str]) -> bool:
    return await states(client) == expected


async def test_an_announcement_is_answered_at_once(shop: Client, app: CallbackServer) -> None:
    app.answering = serving(manifest(["com.a"]))
    answered = await shop.post("/announce/", {"url": f"{app.url}wamp/"}, status=202)
    assert answered["source"]["state"] == "pending"
    await eventually(lambda: _are(shop, {"com.a": "live"}))


async def test_a_source_that_is_not_there_is_502_and_asked_again(
    shop: Client, app: CallbackServer
) -> None:
    app.answering = lambda _posted: web.Response(status=404)
    answered = await announce(shop, app, status=502)
    assert "404" in answered["detail"]
    app.answering = serving(manifest(["com.a"]))
    await eventually(lambda: _are(shop, {"com.a": "live"}))


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"protocol": 2},
        {"procedures": {}},
        manifest(procedures={}, callbacks=[5]),
        {"protocol": 1, "procedures": {"com..x": {"url": "x"}}},
        {"protocol": 1, "procedures": {"com.x": {"url": "ftp://127.0.0.1/"}}},
        {"protocol": 1, "procedures": {"com.x": {"url": "x", "invoke": "all"}}},
    ],
)
async def test_what_is_no_manifest_is_502(shop: Client, app: CallbackServer, document: Any) -> None:
    app.answering = serving(document)
    await announce(shop, app, status=502)
    assert await states(shop) == {}
    assert await source_state(shop) in {"pending", "withdrawn"}


async def test_a_late_manifest_is_504(
    shop: Client, app: CallbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wamp_bridge_server.services.manifests.TIMEOUT_SECONDS", 0.1)

    async def never(_posted: Posted) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    app.answering = never
    await announce(shop, app, status=504)


async def test_a_manifest_that_changes_changes_what_is_held(
    shop: Client, app: CallbackServer
) -> None:
    app.answering = serving(manifest(["com.a", "com.b"]))
    await announce(shop, app)
    app.answering = serving(manifest(["com.b", "com.c"]))
    await eventually(lambda: _are(shop, {"com.b": "live", "com.c": "live"}))


async def test_what_an_announcement_misses_is_not_taken_for_gone(
    shop: Client, app: CallbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "ROUND_SECONDS", 60)
    app.answering = serving(manifest(["com.a", "com.b"]))
    await announce(shop, app)
    app.answering = serving(manifest(["com.b"]))
    for _ in range(5):  # replicas of an older version behind the same URL
        await announce(shop, app)
    assert await states(shop) == {"com.a": "live", "com.b": "live"}


async def test_a_dead_source_is_withdrawn_and_comes_back(shop: Client, app: CallbackServer) -> None:
    app.answering = serving(manifest(["com.a"], ["com.t"]))
    await announce(shop, app)
    app.answering = lambda _posted: web.Response(status=500)
    await eventually(lambda: _are(shop, {"com.a": "withdrawn"}))
    assert await source_state(shop) == "withdrawn"
    answered = await shop.post("/call/com.a/", status=404)
    assert answered["error"] == "wamp.error.no_such_procedure"
    await shop.post("/publish/com.t/", {"params": ["kept"]})
    app.answering = serving(manifest(["com.a"], ["com.t"]))
    await eventually(lambda: _are(shop, {"com.a": "live"}))
    await eventually(lambda: app.of_type("event"))
    assert app.of_type("event")[0]["args"] == ["kept"]


async def test_two_sources_serve_together_and_each_event_goes_to_one(
    shop: Client, app: CallbackServer
) -> None:
    app.answering = serving(manifest(["com.a"], ["com.t"]))
    for name in ("one", "two"):
        body = {"url": f"{app.url}{name}/", "wait": True}
        await shop.post("/announce/", body)
    served = {(await shop.post("/call/com.a/"))["result"] for _ in range(4)}
    assert served == {"/one/rpc/com.a/", "/two/rpc/com.a/"}
    for _ in range(4):
        await shop.post("/publish/com.t/")
    await eventually(lambda: len(app.of_type("event")) == 4)


async def test_a_source_that_refuses_connections_costs_no_call_where_another_serves(
    shop: Client, app: CallbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "ROUND_SECONDS", 60)  # it goes on being taken for live
    app.answering = serving(manifest(["com.a"]))
    async with callback_server(app.answering) as other:
        await announce(shop, app)
        await announce(shop, other)
        await asyncio.gather(*(shop.post("/call/com.a/") for _ in range(4)))
        assert {"invocation"} <= {posted.document["type"] for posted in other.posted}
    for _ in range(4):
        assert (await shop.post("/call/com.a/"))["result"] == "/wamp/rpc/com.a/"
    tries = [posted.headers["wamp-bridge-attempt"] for posted in app.posted[-4:]]
    assert sorted(tries) == ["1", "1", "2", "2"]


async def test_calls_go_to_the_source_that_has_room(shop: Client, app: CallbackServer) -> None:
    one_at_once = manifest(procedures={})
    one_at_once["procedures"] = {"com.a": {"url": "rpc/com.a/", "concurrency": 1}}
    done = asyncio.Event()

    async def answering(posted: Posted) -> web.Response:
        if posted.document["type"] == "invocation":
            await done.wait()
            return web.json_response(posted.path)
        return web.json_response(one_at_once)

    app.answering = answering
    for name in ("one", "two"):
        await shop.post("/announce/", {"url": f"{app.url}{name}/", "wait": True})
    calls = [asyncio.create_task(shop.post("/call/com.a/"))]
    await eventually(lambda: len(app.of_type("invocation")) == 1)
    calls += [asyncio.create_task(shop.post("/call/com.a/"))]
    await eventually(lambda: len(app.of_type("invocation")) == 2)
    refused = await shop.post("/call/com.a/", status=503)
    assert refused["error"] == "wamp.error.unavailable"
    done.set()
    results = {(await call)["result"] for call in calls}
    assert results == {"/one/rpc/com.a/", "/two/rpc/com.a/"}


async def test_what_a_manifest_may_not_have_is_refused_and_the_rest_serves(
    limited: Client, app: CallbackServer
) -> None:
    app.answering = serving(manifest(["com.ok.a", "com.other"]))
    await announce(limited, app)
    await eventually(lambda: _are(limited, {"com.ok.a": "live", "com.other": "refused"}))


async def test_withdrawing_forgets_all_of_it(
    shop: Client, bank: Client, app: CallbackServer
) -> None:
    app.answering = serving(manifest(["com.a", "com.b"]))
    await announce(shop, app)
    url = {"url": f"{app.url}wamp/"}
    assert await bank.post("/withdraw/", url) == {"withdrawn": 0}
    assert await shop.post("/withdraw/", url) == {"withdrawn": 2}
    assert await shop.post("/withdraw/", url) == {"withdrawn": 0}
    assert await states(shop) == {}
    assert (await shop.get("/sources/"))["sources"] == []


async def test_many_announcements_at_once_are_one_source(shop: Client, app: CallbackServer) -> None:
    app.answering = serving(manifest(["com.a"]))
    await asyncio.gather(*(announce(shop, app) for _ in range(8)))
    assert len((await shop.get("/sources/"))["sources"]) == 1
    await eventually(lambda: _are(shop, {"com.a": "live"}))


@pytest.mark.parametrize("url", ["", "x", "ftp://x/", "http://a@b/"])
async def test_a_bad_source_is_422(shop: Client, url: str) -> None:
    await shop.post("/announce/", {"url": url}, status=422)


@pytest.mark.parametrize("url", ["//[", "http://[/", "http://[::1"])
async def test_a_url_that_none_can_join_is_no_end_of_the_source(
    shop: Client, app: CallbackServer, url: str
) -> None:
    app.answering = serving({"protocol": 1, "procedures": {"com.a": {"url": url}}})
    await announce(shop, app, status=502)
    app.answering = serving(manifest(["com.a"]))
    answered = await announce(shop, app)
    assert answered["source"]["state"] == "live"


async def test_taking_back_what_a_manifest_names_meanwhile_is_no_end_of_the_source(
    shop: Client, app: CallbackServer
) -> None:
    names = [f"com.n{number}" for number in range(10)]
    app.answering = serving(manifest(names))
    await announce(shop, app)
    for entry in (await shop.get("/registrations/"))["registrations"]:
        await asyncio.gather(
            shop.ask("DELETE", f"/registrations/{entry['id']}/", status=None),
            announce(shop, app),
        )
    answered = await announce(shop, app)
    assert answered["source"]["state"] == "live"
    assert await states(shop) == dict.fromkeys(names, "live")


async def test_a_source_that_cannot_be_taken_out_stays(
    shop: Client, app: CallbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.answering = serving(manifest(["com.a"]))
    await announce(shop, app)

    async def locked(*_args: Any, **_kwargs: Any) -> None:
        raise StoreError("the database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "apply", locked)
        await shop.post("/withdraw/", {"url": f"{app.url}wamp/"}, status=503)
    answered = await announce(shop, app)
    assert answered["source"]["state"] == "live"
    assert await shop.post("/withdraw/", {"url": f"{app.url}wamp/"}) == {"withdrawn": 1}
