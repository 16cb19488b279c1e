"""Fixtures of every distribution's tests."""

from __future__ import annotations

import signal
import uuid
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from support.router import CrossbarRouter, running_router

if TYPE_CHECKING:
    from collections.abc import Iterator

# In this order: what searches for leaks is there before what others are made with.
pytest_plugins = ["support.leaks", "support.bridges"]

# No test depends on how fast the machine is.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

# Programs that tests start are ended as by Ctrl-C, which they must not have learnt to ignore from
# a shell that has us run in the background.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def router() -> Iterator[CrossbarRouter]:
    """Yield a real Crossbar for all tests together, who must neither stop nor suspend it."""
    with running_router() as running:
        yield running


@pytest.fixture(scope="session")
def second_router() -> Iterator[CrossbarRouter]:
    """Yield the one that `own_router` hands on: to start one takes longer than most tests."""
    with running_router() as running:
        yield running


@pytest.fixture
def own_router(second_router: CrossbarRouter) -> CrossbarRouter:
    """Return a real Crossbar that one test at a time has, which may do with it what it likes."""
    second_router.resume()
    second_router.start()  # if the test before has ended it
    return second_router


@pytest.fixture
def namespace() -> str:
    """Return a URI prefix that is this test's alone on the shared router."""
    return f"com.test_{uuid.uuid4().hex[:12]}"
