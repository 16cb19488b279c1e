"""The event that a router retains comes to a new subscription, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from support.clients import Client, plain_http
from support.peers import joined
from support.servers import CallbackServer, callback_server
from support.waiting import eventually
from wamp_bridge_server.bridge import Bridge
from wamp_bridge_server.config import Config, StoreConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from support.router import CrossbarRouter


@pytest.fixture
def router_url(router: CrossbarRouter) -> str:
    return router.url


@pytest.fixture
async def app() -> AsyncIterator[CallbackServer]:
    async with callback_server() as server:
        yield server


def heard(app: CallbackServer, path: str = "/") -> list[tuple[Any, bool]]:
    """The events that came there: their arguments, and whether they were retained."""
    events = [posted.document for posted in app.posted if posted.path == path]
    return [(event["args"], event["details"].get("retained", False)) for event in events]


async def subscribe(shop: Client, topic: str, url: str, **options: Any) -> None:
    await shop.post("/subscribe/", {"endpoints": {topic: {"url": url, **options}}})


async def test_a_new_subscription_gets_it_once(
    shop: Client, app: CallbackServer, router: CrossbarRouter, namespace: str
) -> None:
    async with joined(router.url) as peer:
        await peer.publish(namespace, "old", options={"retain": True})
        await peer.publish(namespace, "of yesterday", options={"retain": True})
        await subscribe(shop, namespace, app.url, get_retained=True)
        await eventually(lambda: heard(app) == [(["of yesterday"], True)])
        # The same request again makes nothing new; one for a second URL does, for that alone.
        await subscribe(shop, namespace, app.url, get_retained=True)
        await subscribe(shop, namespace, f"{app.url}second", get_retained=True)
        await eventually(lambda: heard(app, "/second") == [(["of yesterday"], True)])
        await subscribe(shop, namespace, f"{app.url}third")
        await peer.publish(namespace, "new", options={"retain": True})
        new = (["new"], False)
        await eventually(lambda: heard(app, "/third") == [new])
        await eventually(lambda: heard(app, "/second")[1:] == [new])
        await eventually(lambda: heard(app)[1:] == [new])


async def test_where_there_is_none_yet_the_first_event_comes_once(
    shop: Client, app: CallbackServer, router: CrossbarRouter, namespace: str
) -> None:
    async with joined(router.url) as peer:
        await subscribe(shop, namespace, app.url, get_retained=True)
        await peer.publish(namespace, "first", options={"retain": True})
        await eventually(lambda: heard(app) == [(["first"], False)])
        await subscribe(shop, namespace, f"{app.url}second", get_retained=True)
        await eventually(lambda: heard(app, "/second") == [(["first"], True)])
        assert len(heard(app)) == 1


async def test_it_does_not_come_again_when_the_bridge_does(
    config: Config, app: CallbackServer, router: CrossbarRouter, namespace: str, tmp_path: Path
) -> None:
    config = replace(config, store=StoreConfig(url=f"sqlite:///{tmp_path / 'bridge.db'}"))
    headers = {"Authorization": "Bearer token-of-shop"}
    async with joined(router.url) as peer:
        await peer.publish(namespace, "old", options={"retain": True})
        for first in (True, False):
            bridge = Bridge(config)
            await bridge.start()
            try:
                async with plain_http(bridge.url, headers=headers) as http:
                    shop = Client(http)
                    await subscribe(shop, namespace, app.url, get_retained=True)
                    if first:
                        await eventually(lambda: heard(app) == [(["old"], True)])
                    else:
                        await peer.publish(namespace, "new")
                        await eventually(lambda: heard(app)[1:] == [(["new"], False)])
            finally:
                await bridge.stop()


class TestWithoutRetention:
    @pytest.fixture
    def router_url(self) -> str:
        return "memory:"

    async def test_it_is_refused(self, shop: Client, app: CallbackServer) -> None:
        wanted = {"url": app.url, "get_retained": True}
        problem = await shop.post("/subscribe/", {"endpoints": {"com.a": wanted}}, status=422)
        assert "broker.event_retention" in problem["detail"]
        assert not (await shop.get("/subscriptions/"))["subscriptions"]
