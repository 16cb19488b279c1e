"""The tables of what the bridge holds."""

from __future__ import annotations

from typing import Any

import httpx

from wamp_bridge.core import Bridge, Settings
from wamp_bridge.core._listing import listing


def bridge_that_holds(**kinds: list[dict[str, Any]]) -> Bridge:
    def answer(request: httpx.Request) -> httpx.Response:
        kind = request.url.path.strip("/")
        return httpx.Response(200, json={kind: kinds.get(kind, []), "cursor": None})

    settings = Settings(url="http://bridge/", token="t")
    return Bridge(settings, transport=httpx.MockTransport(answer))


def endpoint(uri: str, state: str, reason: str | None = None) -> dict[str, Any]:
    url = f"http://shop/wamp/{uri}/"
    return {"id": uri, "uri": uri, "url": url, "match": "exact", "state": state, "reason": reason}


def test_what_is_held_stands_in_aligned_columns_sorted_by_uri() -> None:
    source = {"id": "s", "url": "http://shop/wamp/", "state": "live", "reason": None}
    with bridge_that_holds(
        sources=[source],
        registrations=[
            endpoint("com.shop.price", "live"),
            endpoint("com.shop.buy", "refused", "taken by another"),
        ],
        subscriptions=[endpoint("com.news", "pending")],
    ) as bridge:
        shown = listing(bridge)
    assert shown.splitlines() == [
        "SOURCE             STATE  REASON",
        "http://shop/wamp/  live",
        "",
        "PROCEDURE       MATCH  STATE    URL                               REASON",
        "com.shop.buy    exact  refused  http://shop/wamp/com.shop.buy/    taken by another",
        "com.shop.price  exact  live     http://shop/wamp/com.shop.price/",
        "",
        "TOPIC     MATCH  STATE    URL                         REASON",
        "com.news  exact  pending  http://shop/wamp/com.news/",
    ]


def test_nothing_held_is_said_in_words() -> None:
    with bridge_that_holds() as bridge:
        assert listing(bridge) == "no source\n\nno procedure\n\nno topic"
