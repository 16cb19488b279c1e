"""A Pyramid app is announced by whatever serves it, and works there; against the real bridge."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import httpx
import pytest

from support.holding import held_ids, is_held, pid_of
from support.processes import free_port
from support.pyramid_servers import SERVERS, ServedApp
from support.waiting import eventually_sync

if TYPE_CHECKING:
    from pathlib import Path

    from wamp_bridge.core import Bridge

PROCEDURES = ["com.shop.add", "com.shop.threads", "com.shop.worker"]


def answers(url: str) -> bool:
    try:
        return httpx.get(url).text == "hello"
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("server", SERVERS)
def test_an_app_is_announced_and_served(
    server: str, bridge_url: str, peer: Bridge, shop: Bridge, tmp_path: Path
) -> None:
    with ServedApp(server, bridge=bridge_url, folder=tmp_path) as app:
        eventually_sync(lambda: is_held(shop, app.child), within=60)
        assert sorted(entry.uri for entry in shop.registrations()) == PROCEDURES
        assert [entry.uri for entry in shop.subscriptions()] == ["com.shop.told"]
        assert [source.url for source in shop.sources()] == [app.source]
        assert peer.call("com.shop.add", [2, 3]) == 5
        peer.publish("com.shop.told", ["hello"])
        eventually_sync(app.events)
        eventually_sync(
            lambda: not [name for name in peer.call("com.shop.threads") if "wamp" in name]
        )
        assert app.events() == ["hello"]
        assert answers(app.url)
    assert "Traceback" not in app.child.output


def test_an_app_that_is_killed_and_started_again_is_one_app(
    bridge_url: str, peer: Bridge, shop: Bridge, tmp_path: Path
) -> None:
    port = free_port()
    with ServedApp("pserve", bridge=bridge_url, folder=tmp_path, port=port) as app:
        eventually_sync(lambda: is_held(shop), within=60)
        before = held_ids(shop)
        first = peer.call("com.shop.worker")
        app.child.kill()
    with ServedApp("pserve", bridge=bridge_url, folder=tmp_path, port=port):
        eventually_sync(lambda: pid_of(peer) not in (None, first), within=60)
        eventually_sync(lambda: is_held(shop))
        assert held_ids(shop) == before
        assert len(shop.sources()) == 1


def test_four_workers_are_one_app_and_outlive_one_of_them(
    bridge_url: str, peer: Bridge, shop: Bridge, tmp_path: Path
) -> None:
    with ServedApp("gunicorn-4-workers", bridge=bridge_url, folder=tmp_path) as app:
        eventually_sync(lambda: is_held(shop), within=60)
        before = shop.registrations(), shop.subscriptions()
        victim = peer.call("com.shop.worker")
        os.kill(victim, signal.SIGKILL)
        eventually_sync(lambda: pid_of(peer) not in (None, victim), within=60)
        texts = [f"event{number}" for number in range(20)]
        for text in texts:
            peer.publish("com.shop.told", [text])
        eventually_sync(lambda: len(app.events()) >= len(texts))
        assert sorted(app.events()) == sorted(texts)
        assert (shop.registrations(), shop.subscriptions()) == before
        assert len(shop.sources()) == 1
