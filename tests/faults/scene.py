"""A router, the bridge and an app, each a process, with a proxy on each way between two of them."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp

from faults.ledger import Ledger
from faults.parts import App, WatchedBridge
from faults.proxy import Proxy, proxy_to
from support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from faults.ledger import Reckoning
    from support.router import CrossbarRouter

# The app subscribes to the first two and serves the third; the fourth is served to it.
ORDERED, LOOSE = "com.load.ordered", "com.load.loose"
SERVED, WORK = "com.load.served", "com.load.work"


@dataclass
class Scene:
    """What the suite does things to. Made by `set_up`.

    Proxies are named by who connects through them to whom.
    """

    router: CrossbarRouter
    bridge: WatchedBridge
    app: App
    bridge_to_router: Proxy
    bridge_to_app: Proxy
    app_to_bridge: Proxy
    ledger: Ledger = field(default_factory=lambda: Ledger(ordered=[ORDERED]))
    numbers: Counter[str] = field(default_factory=Counter)
    """How many events of each topic, and calls, were begun."""
    heard: bool = False
    """Whether the bridge is subscribed, as far as one can know."""

    async def start_bridge(self) -> None:
        """Start it; on return it answers, but it need not be subscribed."""
        await asyncio.to_thread(self.bridge.start)

    async def kill_bridge(self) -> None:
        """End it with `kill -9`."""
        self.heard = False
        await asyncio.to_thread(self.bridge.kill)

    async def subscribe(self) -> None:
        """Have the app's endpoints in the bridge, and live."""
        url = f"http://127.0.0.1:{self.bridge_to_app.port}/"
        topics = {ORDERED: {"url": url, "ordered": True}, LOOSE: {"url": url}}
        await self.ask("POST", "register/", {"endpoints": {SERVED: url}})
        await self.ask("POST", "subscribe/", {"endpoints": topics})
        await self.subscribed()

    async def subscribed(self, within: float = 30.0) -> None:
        """Wait until the bridge says that all endpoints are live."""

        async def live() -> bool:
            try:
                found = (await self.ask("GET", "subscriptions/"))["subscriptions"]
                found += (await self.ask("GET", "registrations/"))["registrations"]
            except (aiohttp.ClientError, OSError):
                return False
            return all(entry["state"] == "live" for entry in found)

        await eventually(live, within=within)
        self.heard = True

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the bridge as the app, and not through the proxy.

        Raises:
            aiohttp.ClientError: It refuses, or is not there.
            TimeoutError: It doesn't answer.
        """
        async with (
            aiohttp.ClientSession(self.bridge.url, headers=TOKEN, timeout=PATIENCE) as http,
            http.request(method, path, json=body, raise_for_status=True) as response,
        ):
            return await response.json()

    def reckon(self) -> Reckoning:
        """Hold what has arrived against what was promised."""
        return self.ledger.reckon(self.app.book, self.bridge.committed())


# What fails is tried again soon, for nobody waits five minutes here, and never given up.
DELIVERIES = f"""
[apps.shop.deliveries]
schedule = {[0, 1, *[2] * 90]}
timeout = 10
history = 10000
"""
TOKEN = {"Authorization": "Bearer token-of-shop"}
PATIENCE = aiohttp.ClientTimeout(total=10)


@asynccontextmanager
async def set_up(router: CrossbarRouter, settings: str = DELIVERIES) -> AsyncIterator[Scene]:
    """Start what goes with a router, and have the endpoints live; nothing stays behind.

    Args:
        router: Stays as it is.
        settings: More of the bridge's configuration.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        app = App(folder)
        stack.callback(app.kill)
        await asyncio.to_thread(app.start)
        to_router = await stack.enter_async_context(proxy_to(_port(router.url)))
        to_app = await stack.enter_async_context(proxy_to(app.port))
        bridge = WatchedBridge(folder, f"rs://127.0.0.1:{to_router.port}", settings)
        await asyncio.to_thread(stack.enter_context, bridge)
        to_bridge = await stack.enter_async_context(proxy_to(_port(bridge.url)))
        scene = Scene(router, bridge, app, to_router, to_app, to_bridge)
        await scene.subscribe()
        yield scene


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port
