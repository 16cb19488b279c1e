"""`python -m wamp_bridge.core`, typed by a person."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.plain_server import PlainServer, Reply, plain_server
from wamp_bridge.core.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = {"id": "s", "url": "http://shop.test/wamp/", "state": "live", "reason": None}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlainServer]:
    with plain_server(lambda _: Reply(200, {"source": SOURCE})) as server:
        monkeypatch.setenv("WAMP_BRIDGE_URL", server.url)
        monkeypatch.setenv("WAMP_BRIDGE_TOKEN", "t")
        monkeypatch.setenv("WAMP_BRIDGE_CALLBACK_URL", "http://shop.test/wamp/")
        yield server


def test_an_app_is_announced_by_its_environment(
    server: PlainServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["announce"]) == 0
    assert capsys.readouterr().out == "http://shop.test/wamp/ is live\n"
    assert server.asked[0].document == {"url": "http://shop.test/wamp/", "wait": True}


def test_what_goes_wrong_is_told_in_one_line(
    server: PlainServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answering = lambda _: Reply(401, {"title": "Unauthorized", "detail": "who are you?"})
    assert main(["withdraw"]) == 1
    assert capsys.readouterr() == ("", "error: who are you?\n")


def test_it_runs_as_a_module(server: PlainServer) -> None:
    server.answering = lambda asked: Reply(200, {asked.path.split("/")[1]: [], "cursor": None})
    command = [sys.executable, "-m", "wamp_bridge.core", "list"]
    shown = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True)
    assert "no topic" in shown.stdout
