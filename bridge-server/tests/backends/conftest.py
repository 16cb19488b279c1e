from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from support.listening import Listening
from support.scripted_router import HURRIED, ScriptedRouter, scripted_router
from support.waiting import eventually
from wamp_bridge_server.backends.memory import MemoryBackend
from wamp_bridge_server.backends.wamp import WampBackend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.router import CrossbarRouter
    from wamp_bridge_server.backends.base import Backend, Session


@pytest.fixture
def listening() -> Listening:
    return Listening()


@pytest.fixture
async def no_task_left() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    await eventually(lambda: asyncio.all_tasks() <= before | {asyncio.current_task()})


@pytest.fixture(params=["memory", "rawsocket", "websocket"])
async def backend(
    request: pytest.FixtureRequest, listening: Listening, no_task_left: None
) -> AsyncIterator[Backend]:
    """Each kind of backend, started; every test with it is a test of all kinds."""
    assert no_task_left is None
    made: Backend
    if request.param == "memory":
        made = MemoryBackend()
    else:
        router: CrossbarRouter = request.getfixturevalue("router")
        made = WampBackend(router.url if request.param == "rawsocket" else router.websocket_url)
    await made.start(listening)
    yield made
    await made.close()


@pytest.fixture
async def wamp(
    router: CrossbarRouter, listening: Listening, no_task_left: None
) -> AsyncIterator[WampBackend]:
    """A WAMP backend at the shared router."""
    assert no_task_left is None
    made = WampBackend(router.url)
    await made.start(listening)
    yield made
    await made.close()


@pytest.fixture
async def scripted(no_task_left: None) -> AsyncIterator[ScriptedRouter]:
    assert no_task_left is None
    async with scripted_router() as router:
        yield router


@pytest.fixture
async def session(scripted: ScriptedRouter, listening: Listening) -> AsyncIterator[Session]:
    """A session of an app, joined; the only one, as the bridge's own can't be told apart."""
    backend = WampBackend(scripted.url, patience=HURRIED)
    backend._listener = listening
    made = backend.session("shop")
    await eventually(lambda: made.joined)
    yield made
    await backend.close()
