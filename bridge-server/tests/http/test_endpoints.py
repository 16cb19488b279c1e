"""Registering, subscribing, taking back, listing and renewing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from support.waiting import eventually

if TYPE_CHECKING:
    from support.clients import Client

URL = "http://127.0.0.1:9/rpc/"


async def register(client: Client, *uris: str, **members: Any) -> list[Any]:
    body = {"endpoints": {uri: f"{URL}{uri}/" for uri in uris}, **members}
    answered = await client.post("/register/", body)
    registrations: list[Any] = answered["registrations"]
    return registrations


async def uris(client: Client, kind: str = "registrations") -> list[str]:
    return [entry["uri"] for entry in (await client.get(f"/{kind}/"))[kind]]


async def test_what_is_registered_is_live_and_listed(shop: Client) -> None:
    first, second = await register(shop, "com.a", "com.b")
    assert first["uri"] == "com.a"
    assert first["url"] == f"{URL}com.a/"
    assert first["match"] == "exact"
    assert first["state"] == "live"
    assert first["reason"] is None
    assert first["lease_expires_at"] is None
    assert (await shop.get("/registrations/"))["registrations"] == [first, second]
    assert await shop.get(f"/registrations/{first['id']}/") == first


async def test_the_same_again_answers_the_same(shop: Client) -> None:
    assert await register(shop, "com.a") == await register(shop, "com.a")
    assert await uris(shop) == ["com.a"]


async def test_a_second_url_replaces_the_first(shop: Client) -> None:
    await register(shop, "com.a")
    await shop.post("/register/", {"endpoints": {"com.a": "http://127.0.0.1:9/other/"}})
    (entry,) = (await shop.get("/registrations/"))["registrations"]
    assert entry["url"] == "http://127.0.0.1:9/other/"


async def test_several_urls_serve_where_invoke_says_so(shop: Client) -> None:
    for number in range(3):
        entry = {"url": f"{URL}{number}/", "invoke": "roundrobin"}
        await shop.post("/register/", {"endpoints": {"com.a": entry}})
    entries = (await shop.get("/registrations/"))["registrations"]
    assert [entry["url"] for entry in entries] == [f"{URL}{number}/" for number in range(3)]
    assert {entry["invoke"] for entry in entries} == {"roundrobin"}
    assert {entry["state"] for entry in entries} == {"live"}


async def test_a_topics_second_url_is_a_second_subscription(shop: Client) -> None:
    for number in range(2):
        await shop.post("/subscribe/", {"endpoints": {"com.t": f"{URL}{number}/"}})
    assert await uris(shop, "subscriptions") == ["com.t", "com.t"]


async def test_options_are_kept_and_shown(shop: Client) -> None:
    procedure = {"url": URL, "match": "prefix", "concurrency": 3, "timeout": 2.5}
    topic = {"url": URL, "match": "wildcard", "ordered": True, "concurrency": 2}
    (registered,) = (await shop.post("/register/", {"endpoints": {"com.p": procedure}}))[
        "registrations"
    ]
    (subscribed,) = (await shop.post("/subscribe/", {"endpoints": {"com..t": topic}}))[
        "subscriptions"
    ]
    assert procedure.items() <= registered.items()
    assert topic.items() <= subscribed.items()


@pytest.mark.parametrize(
    "uri", ["com..x", "com.", ".", "", " ", "com. x", "com.x ", "a#b", "\t", ".com", "x" * 5000]
)
async def test_a_bad_uri_is_422_and_nothing_is_taken(shop: Client, uri: str) -> None:
    await register(shop, "com.before")
    await shop.post("/register/", {"endpoints": {"com.a": URL, uri: URL}}, status=422)
    await shop.post("/subscribe/", {"endpoints": {"com.a": URL, uri: URL}}, status=422)
    (entry,) = (await shop.get("/registrations/"))["registrations"]
    assert (entry["uri"], entry["state"]) == ("com.before", "live")
    assert await uris(shop, "subscriptions") == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/wamp/",
        "ftp://127.0.0.1/",
        "http://",
        "http:///x",
        "http://user:pw@127.0.0.1/",
        "http://@127.0.0.1/",
        "http://127.0.0.1/#x",
        "http://127.0.0.1/#",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:x/",
        "http://[::1/",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/a\nb",
        "http://127.0.0.1\\@x/",
        "http://127.0.0.1/é/",
        "http://[::ffff:127.0.0.1])/",
        "http://127.0.0.1/" + "x" * 2048,
    ],
)
async def test_a_bad_url_is_422(shop: Client, url: str) -> None:
    await shop.post("/register/", {"endpoints": {"com.a": url}}, status=422)
    await shop.post("/subscribe/", {"endpoints": {"com.a": {"url": url}}}, status=422)


@pytest.mark.parametrize(
    "options",
    [
        {"match": "suffix"},
        {"invoke": "all"},
        {"concurrency": 0},
        {"concurrency": -1},
        {"timeout": 0},
        {"timeout": -1},
    ],
)
async def test_an_option_that_is_not_allowed_is_422(shop: Client, options: Any) -> None:
    await shop.post("/register/", {"endpoints": {"com.a": {"url": URL, **options}}}, status=422)


@pytest.mark.parametrize("lease", [0, 0.5, -1, 86401])
async def test_a_lease_is_from_a_second_to_a_day(shop: Client, lease: float) -> None:
    await shop.post("/register/", {"endpoints": {"com.a": URL}, "lease": lease}, status=422)


async def test_permissions_hold(limited: Client) -> None:
    await register(limited, "com.ok.a")
    await limited.post("/register/", {"endpoints": {"com.ok.b": URL, "com.okay": URL}}, status=403)
    prefix = {"url": URL, "match": "prefix"}
    await limited.post("/register/", {"endpoints": {"com.ok": prefix}}, status=403)
    assert await uris(limited) == ["com.ok.a"]


async def test_wamps_own_uris_are_nobodys(shop: Client) -> None:
    await shop.post("/register/", {"endpoints": {"wamp.x": URL}}, status=403)
    await shop.post("/subscribe/", {"endpoints": {"wamp.session.on_join": URL}}, status=403)
    wildcard = {"url": URL, "match": "wildcard"}
    await shop.post("/subscribe/", {"endpoints": {".x": wildcard}}, status=403)
    await shop.post("/call/wamp.session.count/", status=403)
    await shop.post("/publish/wamp.x/", status=403)


async def test_a_uri_that_another_app_holds_is_409_and_nothing_is_taken(
    shop: Client, bank: Client
) -> None:
    await register(shop, "com.a")
    body = {"endpoints": {"com.free": URL, "com.a": URL}}
    answered = await bank.post("/register/", body, status=409)
    assert "com.a" in answered["detail"]
    assert await uris(bank) == []
    await shop.post("/unregister/", {"endpoints": ["com.a"]})
    await bank.post("/register/", body)


async def test_apps_share_a_procedure_where_both_say_so(shop: Client, bank: Client) -> None:
    shared = {"url": URL, "invoke": "roundrobin"}
    for client in (shop, bank):
        answered = await client.post("/register/", {"endpoints": {"com.a": shared}})
        assert answered["registrations"][0]["state"] == "live"
    other = {"url": URL, "invoke": "random"}
    await bank.post("/register/", {"endpoints": {"com.b": other}})
    await shop.post("/register/", {"endpoints": {"com.b": shared}}, status=409)


async def test_another_apps_endpoint_is_404(shop: Client, bank: Client) -> None:
    (entry,) = await register(shop, "com.a")
    path = f"/registrations/{entry['id']}/"
    await bank.get(path, status=404)
    await bank.ask("DELETE", path, status=404)
    await shop.get(f"/subscriptions/{entry['id']}/", status=404)
    await shop.ask("DELETE", path, status=204)
    await shop.get(path, status=404)
    await shop.ask("DELETE", path, status=404)


async def test_taking_back_says_what_was_unknown(shop: Client, bank: Client) -> None:
    await register(shop, "com.a", "com.b", "com.c")
    answered = await shop.post("/unregister/", {"endpoints": ["com.a", "com.zzz"]})
    assert answered == {"unregistered": ["com.a"], "unknown": ["com.zzz"]}
    answered = await shop.post("/unregister/", {"endpoints": {"com.b": "http://other/"}})
    assert answered == {"unregistered": [], "unknown": ["com.b"]}
    answered = await shop.post("/unregister/", {"endpoints": {"com.b": f"{URL}com.b/"}})
    assert answered == {"unregistered": ["com.b"], "unknown": []}
    assert (await bank.post("/unregister/", {"endpoints": ["com.c"]}))["unknown"] == ["com.c"]
    assert await uris(shop) == ["com.c"]


async def test_taking_back_by_match(shop: Client) -> None:
    prefix = {"url": URL, "match": "prefix"}
    await shop.post("/subscribe/", {"endpoints": {"com.t": prefix}})
    await shop.post("/subscribe/", {"endpoints": {"com.t": URL}})
    await shop.post("/unsubscribe/", {"endpoints": ["com.t"], "match": "prefix"})
    (entry,) = (await shop.get("/subscriptions/"))["subscriptions"]
    assert entry["match"] == "exact"
    await shop.post("/unsubscribe/", {"endpoints": ["com.t"], "match": "suffix"}, status=422)


async def test_a_lease_that_nobody_renews_ends(shop: Client) -> None:
    (entry,) = await register(shop, "com.leased", lease=1)
    assert entry["lease_expires_at"] is not None
    await register(shop, "com.stays")
    assert await shop.post("/heartbeat/", {"endpoints": ["com.other"]}) == {"renewed": 0}
    await eventually(lambda: _gone(shop, "com.leased"), within=5)
    assert await uris(shop) == ["com.stays"]


async def _gone(client: Client, uri: str) -> bool:
    return uri not in await uris(client)


async def test_a_heartbeat_renews(shop: Client) -> None:
    (entry,) = await register(shop, "com.leased", lease=60)
    assert await shop.post("/heartbeat/") == {"renewed": 1}
    assert await shop.post("/heartbeat/", {"endpoints": ["com.leased"]}) == {"renewed": 1}
    renewed = await shop.get(f"/registrations/{entry['id']}/")
    assert renewed["lease_expires_at"] > entry["lease_expires_at"]


async def test_lists_come_in_pages(shop: Client) -> None:
    names = [f"com.n{number:03}" for number in range(250)]
    await register(shop, *names)
    seen: list[str] = []
    query = "?limit=100"
    while query:
        answered = await shop.get(f"/registrations/{query}")
        seen += [entry["uri"] for entry in answered["registrations"]]
        query = f"?limit=100&cursor={answered['cursor']}" if answered["cursor"] else ""
    assert seen == names
    assert len((await shop.get("/registrations/"))["registrations"]) == 100
    assert len((await shop.get("/registrations/?limit=1000"))["registrations"]) == 250


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "limit=",
        "limit=000001000999",
        f"limit=000001000{'9' * 5000}",
        "cursor=x",
        "cursor=",
        "cursor=%00",
    ],
)
async def test_a_bad_page_is_422(shop: Client, query: str) -> None:
    for kind in ("registrations", "subscriptions", "sources"):
        await shop.get(f"/{kind}/?{query}", status=422)


async def test_two_at_once_are_one(shop: Client) -> None:
    answers = await asyncio.gather(*(register(shop, "com.a", "com.b") for _ in range(10)))
    assert len({entry["id"] for answered in answers for entry in answered}) == 2
    assert await uris(shop) == ["com.a", "com.b"]
