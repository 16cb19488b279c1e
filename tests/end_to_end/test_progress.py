"""Progressive results between real apps, behind real servers, and other WAMP clients."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from support.flask_servers import APPS
from support.peers import ApplicationError, CallResult, joined
from support.processes import Child, free_port
from support.served import SECRET, ServedBridge
from support.waiting import eventually
from wamp_bridge.core import AsyncBridge, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from support.peers import Peer
    from support.router import CrossbarRouter

STEPS = 1000


@pytest.fixture(scope="module")
def bridge(
    tmp_path_factory: pytest.TempPathFactory, router: CrossbarRouter
) -> Iterator[ServedBridge]:
    with ServedBridge(tmp_path_factory.mktemp("bridge"), router.url) as served:
        served.wait_until_ready()
        yield served


class Served:
    """An app in a process of its own, and what it noted."""

    def __init__(self, command: str, bridge: ServedBridge, prefix: str, folder: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/"
        self.gate = folder / "gate"
        self._events = folder / "events"
        self._events.touch()
        environ = {
            "WAMP_BRIDGE_URL": bridge.url,
            "WAMP_BRIDGE_TOKEN": "token-of-shop",
            "WAMP_BRIDGE_SECRET": SECRET,
            "WAMP_BRIDGE_APP": "shop",
            "WAMP_BRIDGE_CALLBACK_URL": f"{self.url}wamp/",
            "WAMP_BRIDGE_PREFIX": prefix,
            "EVENTS_FILE": str(self._events),
            "GATE_FILE": str(self.gate),
        }
        program = command.format(port=port).split()
        self.child = Child(sys.executable, "-m", *program, environ=environ, folder=APPS)

    @property
    def noted(self) -> list[str]:
        return self._events.read_text().splitlines()


@pytest.fixture
def flask_app(bridge: ServedBridge, namespace: str, tmp_path: Path) -> Iterator[Served]:
    command = "gunicorn stepping_flask:app --bind 127.0.0.1:{port} --workers 2"
    served = Served(command, bridge, namespace, tmp_path)
    with served.child:
        yield served


@pytest.fixture
def fastapi_app(bridge: ServedBridge, namespace: str, tmp_path: Path) -> Iterator[Served]:
    command = "uvicorn stepping_fastapi:app --port {port} --log-level warning"
    served = Served(command, bridge, namespace, tmp_path)
    with served.child:
        yield served


async def until_served(peer: Peer, procedure: str, *args: Any) -> None:
    async def served() -> bool:
        try:
            await peer.call(procedure, *args)
        except ApplicationError as error:
            uri: str = error.error
            return uri != "wamp.error.no_such_procedure"
        return True

    await eventually(served, within=20)


async def test_a_flask_generator_behind_gunicorn_and_an_autobahn_caller(
    flask_app: Served, router: CrossbarRouter, namespace: str
) -> None:
    procedure = f"{namespace}.count"
    async with joined(router.url) as peer:
        await until_served(peer, procedure, 0)
        steps: list[int] = []
        _, reply = peer.request_call(
            procedure, [STEPS], {"wait_at": STEPS - 1}, on_progress=steps.append
        )
        await eventually(lambda: steps)
        assert str(STEPS - 1) not in flask_app.noted  # so the first is there before the last
        flask_app.gate.touch()
        assert await asyncio.wait_for(reply, 20) == "done"
        assert steps == list(range(STEPS))
        assert await peer.call(procedure, 3) == "done"
        await a_caller_goes_away_half_way(peer, procedure, flask_app)


async def a_caller_goes_away_half_way(peer: Peer, procedure: str, app: Served) -> None:
    before, steps = len(app.noted), list[int]()
    request, reply = peer.request_call(
        procedure, [STEPS], {"slow_from": STEPS // 2}, on_progress=steps.append
    )
    await eventually(lambda: len(steps) > STEPS // 2)
    peer.cancel(request)
    with pytest.raises(ApplicationError, match="canceled"):
        await reply
    await eventually(lambda: app.noted[-1] == "closed in stepping_flask")
    assert len(app.noted) - before < STEPS


class Callee:
    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.made = 0
        self.cancelled = False

    async def count(self, wanted: int) -> AsyncIterator[Any]:
        try:
            for number in range(wanted):
                if number == wanted - 1:
                    await self.gate.wait()
                self.made += 1
                yield number
            yield CallResult("done")
        except asyncio.CancelledError:
            self.cancelled = True
            raise


async def test_a_fastapi_app_and_an_autobahn_callee(
    fastapi_app: Served, router: CrossbarRouter, namespace: str
) -> None:
    procedure, callee = f"{namespace}.theirs", Callee()
    async with joined(router.url) as peer, httpx.AsyncClient(timeout=20) as http:
        await until_served(peer, f"{namespace}.ready")
        await peer.register(procedure, callee.count)
        url = f"{fastapi_app.url}follow/{procedure}"
        following = asyncio.create_task(http.get(url, params={"wanted": STEPS}))
        await eventually(lambda: "took 0" in fastapi_app.noted)
        assert callee.made < STEPS
        callee.gate.set()
        answer = (await following).json()
        assert answer == {"taken": list(range(STEPS)), "result": "done"}
        callee.gate.clear()
        params = {"wanted": STEPS, "leave_at": STEPS // 2}
        answer = (await http.get(url, params=params)).json()
        assert len(answer["taken"]) == STEPS // 2 + 1
        await eventually(lambda: callee.cancelled)
        await a_generator_is_cancelled_while_it_waits(peer, f"{namespace}.wait", fastapi_app)


async def test_a_cancelled_task_cancels_its_call(
    bridge: ServedBridge, router: CrossbarRouter, namespace: str
) -> None:
    callee = Callee()
    settings = Settings(url=bridge.url, token="token-of-bank")
    async with joined(router.url) as peer, AsyncBridge(settings) as asking:
        await peer.register(namespace, callee.count)
        calling = asyncio.create_task(asking.call(namespace, [1]))
        await eventually(lambda: peer.session._serving)
        calling.cancel()
        await asyncio.wait([calling])
        await eventually(lambda: callee.cancelled)


async def a_generator_is_cancelled_while_it_waits(peer: Peer, procedure: str, app: Served) -> None:
    steps: list[str] = []
    request, reply = peer.request_call(procedure, on_progress=steps.append)
    await eventually(lambda: steps == ["first"])
    peer.cancel(request)
    with pytest.raises(ApplicationError, match="canceled"):
        await reply
    await eventually(lambda: app.noted[-1] == "cancelled")
