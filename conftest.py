"""Fixtures of every distribution's tests."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from support.bridges import running_bridge, token_of
from support.router import CrossbarRouter, running_router
from wamp_bridge.core import Bridge, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["support.leaks"]

# No test depends on how fast the machine is.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


@pytest.fixture(scope="session")
def router() -> Iterator[CrossbarRouter]:
    """Yield a real Crossbar for all tests together, who must neither stop nor suspend it."""
    with running_router() as running:
        yield running


@pytest.fixture
def own_router() -> Iterator[CrossbarRouter]:
    """Yield a real Crossbar for one test alone, which may do with it what it likes."""
    with running_router() as running:
        yield running


@pytest.fixture
def namespace() -> str:
    """Return a URI prefix that is this test's alone on the shared router."""
    return f"com.test_{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def bridge_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a bridge for all tests together, in which its apps meet with no router."""
    with running_bridge(tmp_path_factory.mktemp("bridge")) as url:
        yield url


@pytest.fixture
def peer(bridge_url: str) -> Iterator[Bridge]:
    """Yield another app of the same bridge, which calls the shop and publishes to it."""
    with Bridge(Settings(url=bridge_url, token=token_of("peer"))) as bridge:
        yield bridge


@pytest.fixture
def shop(bridge_url: str) -> Iterator[Bridge]:
    """Yield the bridge as the shop sees it, and leave nothing of the shop there."""
    with Bridge(Settings(url=bridge_url, token=token_of("shop"))) as bridge:
        yield bridge
        for source in bridge.sources():
            bridge.withdraw(source.url)
