"""Chromium, and the examples as `nox -s demo` runs them."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from examples.demo.shops import SHOPS
from playwright.sync_api import Browser, Page, sync_playwright

from support.processes import Child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[3]
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")
# No word to anybody but the page: not for updates, not for what else a browser asks its maker.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 30.0


@dataclass(frozen=True)
class Served:
    """A shop that is served; `url` is its page's."""

    name: str
    url: str


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Yield a headless Chromium, that of the machine."""
    executable = next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert executable, "there is no Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=SHOPS)
def shop(request: pytest.FixtureRequest) -> Iterator[Served]:
    """Yield the shop of each framework, as `nox -s demo -- NAME --stay` leaves it."""
    command = [sys.executable, "-m", "examples.demo", request.param, "--stay"]
    with Child(*command, environ={"NO_COLOR": "1"}, folder=ROOT) as demo:
        line = demo.line_with("The shop's page is ", within=300)
        yield Served(request.param, line.split()[4].rstrip(","))


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[[str], Page]]:
    """Return what opens a page, in a window whose cookies are its own, and waits until it is live.

    The page must load once, and complain of nothing.
    """
    opened: list[tuple[Page, list[str], list[str]]] = []

    def open_it(url: str) -> Page:
        page = chromium.new_context().new_page()
        page.set_default_timeout(PATIENCE * 1000)
        loads: list[str] = []
        complaints: list[str] = []
        page.on("load", lambda loaded: loads.append(loaded.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        opened.append((page, loads, complaints))
        page.goto(url)
        page.locator("#live", has_text=re.compile("^live$")).wait_for()
        return page

    yield open_it
    for page, loads, complaints in opened:
        page.context.close()
        assert len(loads) == 1, loads
        assert complaints == []
