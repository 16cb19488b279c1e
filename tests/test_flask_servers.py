"""A Flask app is announced by whatever serves it, and works there; against the real bridge."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import httpx
import pytest

from support.bridges import running_bridge, token_of
from support.flask_servers import SERVERS, ServedApp
from support.holding import is_held
from support.processes import free_port
from support.waiting import eventually_sync
from wamp_bridge.core import Bridge, BridgeError, Settings

if TYPE_CHECKING:
    from pathlib import Path

PROCEDURES = ["com.shop.add", "com.shop.threads", "com.shop.worker"]


@pytest.mark.parametrize("server", [name for name in SERVERS if not name.endswith("-workers")])
def test_an_app_is_announced_and_served(
    server: str, bridge_url: str, peer: Bridge, shop: Bridge, tmp_path: Path
) -> None:
    with ServedApp(server, bridge=bridge_url, folder=tmp_path) as app:
        eventually_sync(lambda: is_held(shop, app.child), within=20)
        assert sorted(entry.uri for entry in shop.registrations()) == PROCEDURES
        assert [entry.uri for entry in shop.subscriptions()] == ["com.shop.told"]
        assert [source.url for source in shop.sources()] == [app.source]
        assert isinstance(peer.call("com.shop.worker"), int)
        assert peer.call("com.shop.add", [2, 3]) == 5
        peer.publish("com.shop.told", ["hello"])
        eventually_sync(app.events)
        eventually_sync(
            lambda: not [name for name in peer.call("com.shop.threads") if "wamp" in name]
        )
        assert app.events() == ["hello"]
    assert "Traceback" not in app.child.output


def test_four_workers_are_one_app_and_outlive_one_of_them(
    bridge_url: str, peer: Bridge, shop: Bridge, tmp_path: Path
) -> None:
    with ServedApp("gunicorn-4-workers", bridge=bridge_url, folder=tmp_path) as app:
        eventually_sync(lambda: is_held(shop), within=20)
        before = shop.registrations(), shop.subscriptions()
        workers: set[int] = set()

        def all_seen() -> bool:
            workers.add(peer.call("com.shop.worker"))
            return len(workers) == 4

        eventually_sync(all_seen)
        victim = workers.pop()
        os.kill(victim, signal.SIGKILL)

        def replaced() -> bool:
            try:
                pid = peer.call("com.shop.worker")
            except BridgeError:  # a connection that the victim had taken
                return False
            assert pid != victim
            return pid not in workers

        eventually_sync(replaced, within=20)
        texts = [f"event{number}" for number in range(40)]
        for text in texts:
            peer.publish("com.shop.told", [text])
        eventually_sync(lambda: len(app.events()) >= len(texts))
        # the newcomer announces itself, too, and one set of registrations stays one
        assert (shop.registrations(), shop.subscriptions()) == before
        assert len(shop.sources()) == 1
        assert sorted(app.events()) == sorted(texts)


def test_an_app_starts_before_its_bridge_and_is_announced_when_that_comes(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    with ServedApp("gunicorn-1-worker", bridge=url, folder=tmp_path) as app:
        eventually_sync(lambda: answers(app.url))
        app.child.line_with("not announced yet")
        with (
            running_bridge(tmp_path, port=port),
            Bridge(Settings(url=url, token=token_of("shop"))) as shop,
        ):
            eventually_sync(lambda: is_held(shop), within=20)


def answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False
