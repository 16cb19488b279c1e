"""The page of docs/events.md in a real browser: it follows a topic, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from repository.lot import ROOT
from repository.pages import blocks
from support.peers import joined
from support.processes import Child, free_port
from support.router import CrossbarRouter, running_router
from support.served import ServedBridge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

expect.set_options(timeout=30_000)

TOPIC = "com.shop.sold"
HISTORY = {"type": "memory", "event-history": [{"uri": TOPIC, "match": "exact", "limit": 1000}]}


@pytest.fixture(scope="module")
def router() -> Iterator[CrossbarRouter]:
    with running_router(store=HISTORY) as running:
        yield running


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def bridge(tmp_path: Path, router: CrossbarRouter, port: int) -> Iterator[ServedBridge]:
    shop = [f'cors = ["http://127.0.0.1:{port}"]']
    with ServedBridge(tmp_path, router.url, shop=shop) as served:
        served.wait_until_ready()
        yield served


@pytest.fixture
def app(tmp_path: Path, bridge: ServedBridge, port: int) -> Iterator[str]:
    """Yield where the app of the documentation's page is served."""
    folder = tmp_path / "app"
    folder.mkdir()
    for block in blocks(ROOT / "docs" / "events.md"):
        if block.caption.startswith("news."):
            (folder / block.caption).write_text(block.text)
    environ = {
        "WAMP_BRIDGE_URL": bridge.url,
        "WAMP_BRIDGE_TOKEN": "token-of-shop",
        "WAMP_BRIDGE_VERIFY": "false",
    }
    command = [sys.executable, "-m", "flask", "--app", "news", "run", "--port", str(port)]
    with Child(*command, environ=environ, folder=folder) as child:
        child.line_with("Running on")
        yield f"http://127.0.0.1:{port}/"


def publish(router: CrossbarRouter, *numbers: int) -> None:
    """Publish at the router, in a thread: Playwright has this one's loop."""

    async def publish_all() -> None:
        async with joined(router.url) as publisher, joined(router.url) as observer:
            await observer.subscribe(TOPIC)  # Crossbar keeps history of what somebody gets
            for number in numbers:
                await publisher.publish(TOPIC, f"tea {number}", 1)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, publish_all()).result()


def check_news(page: Page, count: int) -> None:
    shown = [f"1 x tea {number} sold" for number in range(count)]
    expect(page.locator("#news li")).to_have_text(shown)


def test_a_page_follows_a_topic_over_reloads_and_kills_of_the_bridge(
    chromium: Browser, bridge: ServedBridge, app: str, router: CrossbarRouter
) -> None:
    page = chromium.new_context().new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(app)
    expect(page.locator("#state")).to_have_text("live")
    publish(router, 0, 1)
    check_news(page, 2)

    page.goto("about:blank")
    publish(router, 2, 3)
    page.goto(app)
    check_news(page, 4)
    page.reload()
    publish(router, 4)
    check_news(page, 5)

    bridge.kill()
    expect(page.locator("#state")).to_have_text("away")
    publish(router, 5, 6)
    bridge.start()
    bridge.wait_until_ready()
    publish(router, 7)
    check_news(page, 8)
    expect(page.locator("#state")).to_have_text("live")

    # Ended kindly, it is no different; and both at once.
    bridge.stop()
    publish(router, 8)
    bridge.start()
    page.reload()
    publish(router, 9)
    check_news(page, 10)
    assert "token-of-shop" not in page.content() + "".join(asked)
    page.context.close()
