"""A FastAPI app is announced by whatever serves it, and works there; against the real bridge."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from support.fastapi_servers import SERVERS, ServedApp
from support.holding import held_ids, is_held, pid_of
from support.processes import free_port
from support.waiting import eventually_sync
from wamp_bridge.core import Bridge, CallTimeout

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("server", SERVERS)
def test_an_app_is_announced_and_served(
    server: str, bridge_url: str, peer: Bridge, shop: Bridge, tmp_path: Path
) -> None:
    with ServedApp(server, bridge=bridge_url, folder=tmp_path) as app:
        eventually_sync(lambda: is_held(shop, app.child), within=30)
        assert [entry.uri for entry in shop.subscriptions()] == ["com.shop.told"]
        assert [source.url for source in shop.sources()] == [app.source]
        assert isinstance(peer.call("com.shop.worker"), int)
        assert peer.call("com.shop.add", [2, 3]) == 5
        peer.publish("com.shop.told", ["hello"])
        eventually_sync(lambda: "hello" in app.events())
        eventually_sync(
            lambda: not [name for name in peer.call("com.shop.threads") if "wamp" in name]
        )
        assert app.events().count("hello") == 1
        if server != "starlette":
            assert httpx.get(f"{app.url}ask").json()[0] == 3
    assert "Traceback" not in app.child.output
    lifespans = app.events().count("starts"), app.events().count("ends")
    assert (lifespans == (0, 0)) == (server in ("starlette", "uvicorn-without-lifespan"))
    if server == "uvicorn":
        assert lifespans == (1, 1)


def test_several_workers_are_one_app(
    bridge_url: str, peer: Bridge, shop: Bridge, tmp_path: Path
) -> None:
    with ServedApp("uvicorn-3-workers", bridge=bridge_url, folder=tmp_path) as app:
        eventually_sync(lambda: is_held(shop), within=30)
        workers: set[int | None] = set()

        def all_seen() -> bool:
            # at once, or all would go along one connection, to one worker
            with ThreadPoolExecutor(20) as threads:
                workers.update(threads.map(lambda _: pid_of(peer), range(20)))
            return len(workers - {None}) == 3

        eventually_sync(all_seen, within=30)
        assert app.child.pid not in workers
        texts = [f"event{number}" for number in range(20)]
        for text in texts:
            peer.publish("com.shop.told", [text])
        eventually_sync(lambda: len([text for text in app.events() if "event" in text]) == 20)
        assert len(shop.sources()) == 1
        assert len(shop.registrations()) == len({entry.uri for entry in shop.registrations()})


@pytest.mark.parametrize("server", ["uvicorn-with-reloader", "fastapi-dev"])
def test_an_app_that_is_reloaded_is_one_app(
    server: str, bridge_url: str, peer: Bridge, shop: Bridge, tmp_path: Path
) -> None:
    with ServedApp(server, bridge=bridge_url, folder=tmp_path) as app:
        eventually_sync(lambda: is_held(shop), within=30)
        before = held_ids(shop)
        first = peer.call("com.shop.worker")
        file = app.folder / "fastapi_app.py"
        file.write_text(file.read_text() + "\n\n@rpc()\ndef added() -> int:\n    return 1\n")
        eventually_sync(lambda: pid_of(peer) not in (None, first), within=30)
        eventually_sync(lambda: len(held_ids(shop)) == len(before) + 1, within=30)
        eventually_sync(lambda: is_held(shop), within=30)
        assert peer.call("com.shop.added") == 1
        assert set(before) < set(held_ids(shop))


def test_an_app_that_is_killed_and_started_again_is_one_app(
    bridge_url: str, peer: Bridge, shop: Bridge, tmp_path: Path
) -> None:
    port = free_port()
    with ServedApp("uvicorn", bridge=bridge_url, folder=tmp_path, port=port) as app:
        eventually_sync(lambda: is_held(shop), within=30)
        before = held_ids(shop)
        first = peer.call("com.shop.worker")
        app.child.kill()
    with ServedApp("uvicorn", bridge=bridge_url, folder=tmp_path, port=port) as app:
        eventually_sync(lambda: pid_of(peer) not in (None, first), within=30)
        eventually_sync(lambda: is_held(shop), within=30)
        assert held_ids(shop) == before


def test_a_worker_runs_a_hundred_invocations_at_once(
    bridge_url: str, peer: Bridge, shop: Bridge, tmp_path: Path
) -> None:
    with ServedApp("uvicorn", bridge=bridge_url, folder=tmp_path):
        eventually_sync(lambda: is_held(shop), within=30)
        with ThreadPoolExecutor(100) as threads:
            calls = [threads.submit(peer.call, "com.shop.meet", [100]) for _ in range(100)]
            assert [call.result(30) for call in calls] == [100] * 100


def test_a_call_that_is_given_up_is_cancelled_in_the_app(
    bridge_url: str, peer: Bridge, shop: Bridge, tmp_path: Path
) -> None:
    with ServedApp("uvicorn", bridge=bridge_url, folder=tmp_path) as app:
        eventually_sync(lambda: is_held(shop), within=30)
        with pytest.raises(CallTimeout):
            peer.call("com.shop.wait", timeout=1)
        eventually_sync(lambda: "cancelled" in app.events())
    assert "Traceback" not in app.child.output
