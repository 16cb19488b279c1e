"""Routers other than Crossbar, each started once, and a bridge at each of them."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.clients import Client
from support.javascript import JavaScriptPeer, joined_by_javascript
from support.node import npm_package
from support.processes import Child, free_port
from support.served import ServedBridge
from support.servers import CallbackServer, callback_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

HERE = Path(__file__).parent
XCONN = "XCONN_PYTHON"
"""The variable that says which Python has xconn installed."""


@dataclass
class OtherRouter:
    """A router that speaks WebSocket, to be ended and started again."""

    name: str
    command: list[str]
    folder: Path
    port: int = field(default_factory=free_port)
    child: Child | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def start(self) -> None:
        self.child = Child(*self.command, str(self.port), folder=self.folder)
        self.child.line_with("ready")

    def kill(self) -> None:
        assert self.child is not None
        self.child.kill()


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which npm has installed what is in `npm`."""
    return npm_package(tmp_path_factory.mktemp("npm"), HERE / "npm")


@pytest.fixture(scope="module", params=["xconn", "fox-wamp"])
def other_router(
    request: pytest.FixtureRequest, package: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OtherRouter]:
    """Yield each of the routers."""
    if request.param == "xconn":
        # It stands in an environment of its own, which `nox -s routers` makes.
        python = os.environ.get(XCONN, sys.executable)
        folder = tmp_path_factory.mktemp("xconn")
        router = OtherRouter("xconn", [python, str(HERE / "xconn" / "serve.py")], folder)
    else:
        router = OtherRouter("fox-wamp", ["node", "fox.cjs"], package)
    router.start()
    yield router
    assert router.child is not None
    router.child.stop()


@pytest.fixture(scope="module")
def served(
    other_router: OtherRouter, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedBridge]:
    """Yield a bridge at the router."""
    with ServedBridge(tmp_path_factory.mktemp("bridge"), other_router.url) as bridge:
        bridge.wait_until_ready()
        yield bridge


@pytest.fixture
async def shop(served: ServedBridge) -> AsyncIterator[Client]:
    """Yield an app."""
    async with served.client() as http:
        yield Client(http)


@pytest.fixture
async def bank(served: ServedBridge) -> AsyncIterator[Client]:
    """Yield another app."""
    async with served.client("bank") as http:
        yield Client(http)


@pytest.fixture
async def app() -> AsyncIterator[CallbackServer]:
    """Yield where the apps' callbacks go."""
    async with callback_server() as server:
        yield server


@pytest.fixture
async def peer(other_router: OtherRouter, package: Path) -> AsyncIterator[JavaScriptPeer]:
    """Yield another client of the router."""
    async with joined_by_javascript(package, other_router.url) as made:
        yield made
