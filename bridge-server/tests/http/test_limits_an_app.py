"""What one app may have at once."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from wamp_bridge_server.services import endpoints, manifests

if TYPE_CHECKING:
    from support.clients import Client
    from support.servers import CallbackServer


@pytest.fixture
def router_url() -> str:
    return "memory:"


async def test_an_app_has_so_many_endpoints(
    shop: Client, bank: Client, app: CallbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "ENDPOINTS_AN_APP", 2)
    await shop.post("/register/", {"endpoints": {"com.a": app.url}})
    both = {"endpoints": {"com.b": app.url, "com.c": app.url}}
    refused = await shop.post("/subscribe/", both, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    assert "at most 2 endpoints" in refused["detail"]
    await shop.post("/subscribe/", {"endpoints": {"com.b": app.url}})
    await shop.post("/register/", {"endpoints": {"com.a": app.url}})  # that one it has
    await shop.post("/register/", {"endpoints": {"com.a": app.url + "other/"}})  # in its place
    await bank.post("/subscribe/", both)


async def test_a_manifest_names_so_many_endpoints(
    shop: Client, app: CallbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifests, "ENDPOINTS_AN_APP", 1)
    named = {uri: {"url": "x/"} for uri in ("com.a", "com.b")}
    app.answering = lambda _: web.json_response({"protocol": 1, "procedures": named})
    body = {"url": app.url, "wait": True}
    refused = await shop.post("/announce/", body, status=HTTPStatus.BAD_GATEWAY)
    assert "more than 1 endpoints" in refused["detail"]
