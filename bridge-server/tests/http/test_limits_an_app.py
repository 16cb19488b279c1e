"""What one app may have at once."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
import pytest
from aiohttp import web

from wamp_bridge_server.services import endpoints, sources

if TYPE_CHECKING:
    from support.clients import Client
    from support.servers import CallbackServer, Posted
    from wamp_bridge_server.bridge import Bridge
    from wamp_bridge_server.config import Config


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
    monkeypatch.setattr(endpoints, "ENDPOINTS_AN_APP", 1)
    named = {uri: {"url": "x/"} for uri in ("com.a", "com.b")}
    app.answering = lambda _: web.json_response({"protocol": 1, "procedures": named})
    body = {"url": app.url, "wait": True}
    refused = await shop.post("/announce/", body, status=HTTPStatus.BAD_GATEWAY)
    assert "more than 1 endpoints" in refused["detail"]


async def test_an_apps_sources_bring_no_more_than_it_may_have(
    shop: Client, app: CallbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "ENDPOINTS_AN_APP", 3)

    def answer(posted: Posted) -> web.Response:
        name = posted.path.strip("/")
        named = {f"com.{name}.{which}": {"url": "x/"} for which in "ab"}
        return web.json_response({"protocol": 1, "procedures": named})

    app.answering = answer
    await shop.post("/announce/", {"url": f"{app.url}one/", "wait": True})
    body = {"url": f"{app.url}two/", "wait": True}
    refused = await shop.post("/announce/", body, status=HTTPStatus.BAD_GATEWAY)
    assert "more than 1 endpoints" in refused["detail"]
    assert len((await shop.get("/registrations/"))["registrations"]) == 2


async def test_an_app_has_so_many_sources(
    shop: Client,
    bank: Client,
    app: CallbackServer,
    config: Config,
    bridge: Bridge,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sources, "SOURCES_AN_APP", 1)
    await shop.post("/announce/", {"url": app.url}, status=HTTPStatus.ACCEPTED)
    other = {"url": f"{app.url}other/"}
    refused = await shop.post("/announce/", other, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    assert "at most 1 sources" in refused["detail"]
    await shop.post("/announce/", {"url": app.url}, status=HTTPStatus.ACCEPTED)  # it has that
    await bank.post("/announce/", other, status=HTTPStatus.ACCEPTED)
    # What the operator names is not counted.
    named = msgspec.structs.replace(config.apps["shop"], sources=(other["url"],))
    await bridge.reload(msgspec.structs.replace(config, apps={**config.apps, "shop": named}))
    assert len((await shop.get("/sources/"))["sources"]) == 2
    await shop.post("/withdraw/", {"url": app.url})
    await shop.post("/announce/", {"url": f"{app.url}third/"}, status=HTTPStatus.ACCEPTED)
