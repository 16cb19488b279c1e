"""What there is at the router: procedures, topics, and who holds them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from support.waiting import eventually
from wamp_bridge_server.services import directory, recall

if TYPE_CHECKING:
    import httpx

    from support.clients import Client
    from support.servers import CallbackServer
    from wamp_bridge_server.bridge import Bridge


async def listed(client: Client, kind: str, prefix: str = "com.", **query: Any) -> dict[str, Any]:
    """What an app finds below a prefix, by URI and match."""
    found: dict[str, Any] = {}
    cursor = None
    while True:
        asked = {**query, **({} if cursor is None else {"cursor": cursor})}
        response = await client.http.get(f"/{kind}/", params=asked)
        assert response.status_code == 200, response.text
        document = response.json()
        assert len(document[kind]) <= int(query.get("limit", 100))
        found |= {f"{each['uri']} {each['match']}": each for each in document[kind]}
        cursor = document["cursor"]
        if cursor is None:
            return {name: each for name, each in found.items() if name.startswith(prefix)}


async def test_procedures_and_topics_are_told_with_their_holders(
    shop: Client, bank: Client, app: CallbackServer, namespace: str
) -> None:
    endpoint = {"url": app.url, "invoke": "roundrobin"}
    for client in (shop, bank):
        await client.post("/register/", {"endpoints": {f"{namespace}.pay": endpoint}})
        await client.post("/subscribe/", {"endpoints": {f"{namespace}.paid": app.url}})
    # Crossbar 26.10 lists no subscriptions by wildcard.
    wildcard, prefix = (
        {f"{namespace}.": {"url": app.url, "match": "wildcard"}},
        {f"{namespace}.p": {"url": app.url, "match": "prefix"}},
    )
    await shop.post("/register/", {"endpoints": wildcard})
    await shop.post("/subscribe/", {"endpoints": prefix})

    procedures = await listed(shop, "procedures", namespace)
    topics = await listed(shop, "topics", namespace)

    pay = procedures.pop(f"{namespace}.pay exact")
    assert pay["invoke"] == "roundrobin"
    assert pay["callees"] == 2
    assert pay["created_at"] > 1.7e9
    assert [*procedures] == [f"{namespace}. wildcard"]
    assert {name: each["subscribers"] for name, each in topics.items()} == {
        f"{namespace}.paid exact": 2,
        f"{namespace}.p prefix": 1,
    }


async def test_pages_leave_nothing_out(shop: Client, app: CallbackServer, namespace: str) -> None:
    names = {f"{namespace}.p{number}" for number in range(7)}
    await shop.post("/register/", {"endpoints": dict.fromkeys(names, app.url)})
    found = await listed(shop, "procedures", namespace, limit=3)
    assert {each["uri"] for each in found.values()} == names


async def test_an_app_is_told_only_of_what_it_may_call(
    shop: Client, limited: Client, app: CallbackServer, namespace: str
) -> None:
    secret = f"{namespace}.secret"
    open_to_it = f"com.ok.{namespace.rpartition('.')[2]}"
    endpoints = {secret: app.url, open_to_it: app.url}
    await shop.post("/register/", {"endpoints": endpoints})
    found = {each["uri"] for each in (await listed(limited, "procedures")).values()}
    assert open_to_it in found
    assert all(uri.startswith("com.ok") for uri in found)


async def test_a_bad_page_is_refused(shop: Client) -> None:
    for query in ("limit=0", "limit=x", "cursor=x"):
        await shop.get(f"/topics/?{query}", status=422)
    response = await shop.http.get("/procedures/")
    assert response.json()["procedures"] is not None
    assert (await shop.http.post("/procedures/", json={})).status_code == 405


@pytest.mark.parametrize("path", ["/procedures/", "/topics/", "/topics/com.x/history/"])
async def test_who_hangs_up_has_the_router_asked_no_more(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    ends: list[str] = []

    async def asked_for_long(*_: object) -> None:
        ends.append("")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ends[-1] = "given up"
            raise

    monkeypatch.setattr(directory.Directory, "page", asked_for_long)
    monkeypatch.setattr(recall.Recall, "events", asked_for_long)
    url = urlsplit(bridge.url)
    _, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: bridge\r\nAuthorization: Bearer token-of-shop\r\n"
        "\r\n".encode()
    )
    await eventually(lambda: ends)
    writer.transport.abort()
    await eventually(lambda: ends == ["given up"])


async def test_it_is_for_apps_alone(anonymous: httpx.AsyncClient) -> None:
    for path in ("/procedures/", "/topics/", "/topics/com.x/history/"):
        assert (await anonymous.get(path)).status_code == 401


async def test_history_of_a_topic_that_none_is_kept_of(
    shop: Client, app: CallbackServer, namespace: str
) -> None:
    await shop.post("/subscribe/", {"endpoints": {f"{namespace}.t": app.url}})
    for topic in ("t", "unknown"):
        problem = await shop.get(f"/topics/{namespace}.{topic}/history/", status=None)
        assert problem["status"] in (404, 501)
        assert "history" in problem["detail"] or "get_events" in problem["detail"]
    await shop.get(f"/topics/{namespace}.t/history/?from=x", status=422)
    await shop.get(f"/topics/{namespace}.t/history/?since=soon", status=422)
    await shop.get(f"/topics/{namespace}..t/history/", status=422)
    await shop.get("/topics/wamp.session.on_join/history/", status=403)
