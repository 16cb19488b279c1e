"""The real bridge, in a process of its own; fixtures of every distribution's tests."""

from __future__ import annotations

import hashlib
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from support.processes import Child, free_port
from support.waiting import eventually_sync
from wamp_bridge.core import Bridge, BridgeError, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "token-of-tests"
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


@contextmanager
def running_bridge(folder: Path, *, port: int = 0, apps: tuple[str, ...] = ()) -> Iterator[str]:
    """The real bridge, in which apps reach each other with no router; its URL.

    Args:
        folder: For its store and its configuration.
        port: Where it listens; any that is free if left out.
        apps: Names; each has the token and the secret of tests, the token after `NAME-`.
    """
    port = port or free_port()
    config = folder / "bridge.toml"
    config.write_text(_config(folder, port, apps or ("shop", "peer")))
    command = [sys.executable, "-m", "wamp_bridge_server", "serve", "--config", str(config)]
    with Child(*command, environ={"TEST_SECRET": SECRET}, folder=folder) as child:
        url = f"http://127.0.0.1:{port}/"
        with Bridge(Settings(url=url, token=token_of("peer"))) as bridge:

            def ready() -> bool:
                try:
                    bridge.registrations()
                except BridgeError:
                    assert child.running, child.output
                    return False
                return True

            eventually_sync(ready, within=20)
        yield url


def token_of(app: str) -> str:
    """The token of an app of `running_bridge`."""
    return f"{app}-{TOKEN}"


def _config(folder: Path, port: int, apps: tuple[str, ...]) -> str:
    lines = [
        f'listen = "127.0.0.1:{port}"',
        "[router]",
        'url = "memory:"',
        'realm = "realm1"',
        "[store]",
        f'url = "sqlite:///{folder / "bridge.db"}"',
    ]
    for app in apps:
        digest = hashlib.sha256(token_of(app).encode()).hexdigest()
        lines += [
            f"[apps.{app}]",
            f'tokens = ["sha256:{digest}"]',
            'secrets = ["env:TEST_SECRET"]',
            'callbacks = ["127.0.0.1:*"]',
        ]
    return "\n".join(lines) + "\n"


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
