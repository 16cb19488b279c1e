"""What an app has is no other app's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from support.clients import Client
    from support.servers import CallbackServer

URL = "http://127.0.0.1:9/rpc/"


def without_ids(document: dict[str, Any], *ids: str) -> dict[str, Any]:
    """A problem with all left out that names what was asked for."""
    detail = document["detail"]
    for identifier in ids:
        detail = detail.replace(identifier, "ID")
    return {**document, "detail": detail, "request_id": None}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/registrations/{reg}/"),
        ("DELETE", "/registrations/{reg}/"),
        ("GET", "/subscriptions/{sub}/"),
        ("DELETE", "/subscriptions/{sub}/"),
        ("GET", "/calls/{call}/"),
        ("DELETE", "/calls/{call}/"),
    ],
)
async def test_another_apps_object_is_as_if_it_were_not_there(
    shop: Client, bank: Client, app: CallbackServer, method: str, path: str
) -> None:
    endpoints = {"com.a": app.url}
    (reg,) = (await shop.post("/register/", {"endpoints": endpoints}))["registrations"]
    (sub,) = (await shop.post("/subscribe/", {"endpoints": endpoints}))["subscriptions"]
    call = await shop.post("/call/com.a/", {"callback": app.url}, status=202)
    ids = {"reg": reg["id"], "sub": sub["id"], "call": call["id"]}
    others = {kind: f"{identifier[:-1]}~" for kind, identifier in ids.items()}

    theirs = await bank.ask(method, path.format(**ids), status=404)
    nobodys = await bank.ask(method, path.format(**others), status=404)

    assert without_ids(theirs, *ids.values()) == without_ids(nobodys, *others.values())
    for kind in ("registrations", "subscriptions"):
        assert (await bank.get(f"/{kind}/"))[kind] == []
        assert len((await shop.get(f"/{kind}/"))[kind]) == 1
    assert (await shop.get(f"/calls/{call['id']}/"))["id"] == call["id"]


async def test_another_apps_endpoints_can_not_be_taken_back_or_renewed(
    shop: Client, bank: Client
) -> None:
    body = {"endpoints": {"com.a": URL}, "lease": 60}
    await shop.post("/register/", body)
    await shop.post("/subscribe/", body)
    for path, taken in (("/unregister/", "unregistered"), ("/unsubscribe/", "unsubscribed")):
        answered = await bank.post(path, {"endpoints": ["com.a"]})
        assert answered == {taken: [], "unknown": ["com.a"]}
    assert await bank.post("/heartbeat/", {"endpoints": ["com.a"]}) == {"renewed": 0}
    assert await bank.post("/heartbeat/") == {"renewed": 0}
    assert await shop.post("/heartbeat/") == {"renewed": 2}


async def test_another_apps_source_is_not_listed_and_can_not_be_withdrawn(
    shop: Client, bank: Client, app: CallbackServer
) -> None:
    await shop.post("/announce/", {"url": app.url}, status=202)
    assert (await bank.get("/sources/"))["sources"] == []
    assert await bank.post("/withdraw/", {"url": app.url}) == {"withdrawn": 0}
    assert len((await shop.get("/sources/"))["sources"]) == 1


async def test_a_uri_that_another_app_holds(shop: Client, bank: Client) -> None:
    await shop.post("/register/", {"endpoints": {"com.a": URL, "com.b": URL}})
    body = {"endpoints": {"com.a": f"{URL}bank/", "com.c": f"{URL}bank/"}}
    problem = await bank.post("/register/", body, status=409)
    assert problem["detail"] == 'Another app of this bridge holds "com.a"; nothing was done.'
    assert "shop" not in str(problem)
    assert URL not in str(problem)
    assert (await bank.get("/registrations/"))["registrations"] == []
    # It is free for others when it was taken back.
    await shop.post("/unregister/", {"endpoints": ["com.a"]})
    await bank.post("/register/", body)
