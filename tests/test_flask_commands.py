"""Only what serves a Flask app announces it: its commands and whoever imports it do not."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from support.flask_servers import APPS, ServedApp, app_environ
from support.plain_server import Asked, PlainServer, Reply, plain_server
from support.processes import Child
from support.waiting import eventually_sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCE = "http://127.0.0.1:9/wamp/"

COMMANDS = {
    "shell": ("flask", "--app", "plain", "shell"),
    "routes": ("flask", "--app", "plain", "routes"),
    "list": ("flask", "--app", "plain", "wamp", "list"),
    "custom": ("flask", "--app", "plain", "take-long"),
}


@pytest.fixture
def bridge() -> Iterator[PlainServer]:
    with plain_server(answer) as server:
        yield server


def answer(asked: Asked) -> Reply:
    kind = asked.path.partition("?")[0].strip("/")
    if kind == "announce":
        source = {"id": "s", "url": asked.document["url"], "state": "live", "reason": None}
        return Reply(200 if asked.document.get("wait") else 202, {"source": source})
    return Reply(200, {kind: [], "cursor": None})


def announcements(bridge: PlainServer) -> list[object]:
    return [asked.document["url"] for asked in bridge.asked if asked.path == "/announce/"]


def test_commands_announce_nothing(bridge: PlainServer, tmp_path: Path) -> None:
    (tmp_path / "startup.py").write_text("import time; time.sleep(1)")
    environ = app_environ(bridge.url, SOURCE, tmp_path)
    environ["PYTHONSTARTUP"] = str(tmp_path / "startup.py")  # what a shell runs first
    with ExitStack() as stack:
        children = {
            name: stack.enter_context(
                Child(sys.executable, "-m", *command, environ=environ, folder=APPS)
            )
            for name, command in COMMANDS.items()
        }
        for child in children.values():
            assert child.wait() == 0, child.output
    assert "/wamp/" in children["routes"].output
    assert "no procedure" in children["list"].output
    assert announcements(bridge) == []


def test_the_command_announces_once(bridge: PlainServer, tmp_path: Path) -> None:
    environ = app_environ(bridge.url, SOURCE, tmp_path)
    command = ["flask", "--app", "plain", "wamp", "announce"]
    with Child(sys.executable, "-m", *command, environ=environ, folder=APPS) as child:
        assert child.wait() == 0, child.output
    assert child.lines == [f"{SOURCE} is live"]
    assert announcements(bridge) == [SOURCE]


def test_the_reloader_announces_again_after_each_reload(
    bridge: PlainServer, tmp_path: Path
) -> None:
    (tmp_path / "plain.py").write_text((APPS / "plain.py").read_text())
    with ServedApp(
        "flask-run-with-reloader", bridge=bridge.url, folder=tmp_path, apps=tmp_path
    ) as app:
        eventually_sync(lambda: announcements(bridge) == [app.source], within=20)
        with (tmp_path / "plain.py").open("a") as source:
            source.write("# changed\n")
        eventually_sync(lambda: announcements(bridge) == [app.source] * 2, within=20)
