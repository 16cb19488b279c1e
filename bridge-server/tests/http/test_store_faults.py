"""A store that fails under a running bridge: told to who asks, and nothing is lost over it."""

# ruff: noqa: ASYNC240 - a small local file blocks nobody here

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp import web

from support.waiting import eventually
from wamp_bridge_server.config import Config, StoreConfig
from wamp_bridge_server.store import Store, StoreError

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from support.clients import Client
    from support.servers import CallbackServer


@pytest.fixture
def router_url() -> str:
    """No router is needed for this."""
    return "memory:"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bridge.db"


@pytest.fixture
def config(config: Config, path: Path) -> Config:
    """Keep all in a file."""
    return msgspec.structs.replace(config, store=StoreConfig(url=f"sqlite:///{path}"))


async def test_a_file_that_is_deleted_and_put_back(
    shop: Client, anonymous: httpx.AsyncClient, app: CallbackServer, path: Path
) -> None:
    await shop.post("/subscribe/", {"endpoints": {"com.x": {"url": app.url, "ordered": True}}})
    await shop.post("/publish/com.x/", {"args": [1]})
    await eventually(lambda: len(app.posted) == 1)
    aside = path.rename(path.with_suffix(".aside"))

    refused = await shop.http.post("/register/", json={"endpoints": {"com.f": app.url}})
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    assert (await shop.http.get("/dead-letters/")).status_code == 503
    for number in (2, 3):
        await shop.post("/publish/com.x/", {"args": [number]})
    health = await anonymous.get("/health/ready")
    assert health.status_code == 503
    assert health.json()["store"] == "failing"
    assert health.json()["deliveries_waiting"] >= 2
    assert len(app.posted) == 1

    aside.rename(path)
    await eventually(lambda: len(app.posted) == 3)
    assert [document["args"] for document in app.of_type("event")] == [[1], [2], [3]]
    await shop.post("/register/", {"endpoints": {"com.f": app.url}})
    assert (await anonymous.get("/health/ready")).json()["store"] == "working"


@pytest.mark.parametrize("again", [False, True])
async def test_what_an_app_declined_is_removed_as_soon_as_the_store_takes_it(
    shop: Client, app: CallbackServer, monkeypatch: pytest.MonkeyPatch, *, again: bool
) -> None:
    """Unless the app subscribes it anew until then."""
    monkeypatch.setattr("wamp_bridge_server.services.persistence.PAUSE_SECONDS", 0.05)
    app.answering = lambda _posted: web.Response(status=410)
    await shop.post("/subscribe/", {"endpoints": {"com.x": app.url}})
    apply, refused = Store.apply, 0

    async def refuse(store: Store, **changes: Any) -> None:
        nonlocal refused
        if changes.get("delete"):
            refused += 1
            raise StoreError("for a while")
        await apply(store, **changes)

    with monkeypatch.context() as failing:
        failing.setattr(Store, "apply", refuse)
        await shop.post("/publish/com.x/")
        await eventually(lambda: refused > 1)
        (subscription,) = (await shop.get("/subscriptions/"))["subscriptions"]
        assert subscription["state"] == "withdrawn"
        if again:
            app.answering = lambda _posted: web.Response()
            await shop.post("/subscribe/", {"endpoints": {"com.x": app.url}})

    async def settled() -> bool:
        states = [each["state"] for each in (await shop.get("/subscriptions/"))["subscriptions"]]
        return states == (["live"] if again else [])

    await eventually(settled)
