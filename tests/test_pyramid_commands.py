"""Only what serves a Pyramid app announces it: its commands and whoever imports it do not."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from support.flask_servers import app_environ
from support.plain_server import Asked, PlainServer, Reply, plain_server
from support.processes import Child, program
from support.pyramid_servers import APPS, FILES, ServedApp
from support.waiting import eventually_sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCE = "http://127.0.0.1:9/wamp/"
INI = ("pyramid_app.ini", "http_port=9")

COMMANDS = {
    "proutes": ("-m", "pyramid.scripts.proutes", *INI),
    "pviews": ("-m", "pyramid.scripts.pviews", INI[0], "/wamp/", INI[1]),
    "pshell": ("-m", "pyramid.scripts.pshell", "-p", "python", *INI),
    "script": ("script.py",),
    "list": (program("pwamp"), INI[0], "list", INI[1]),
}
SCRIPT = """
import time
from pyramid.paster import bootstrap
with bootstrap("pyramid_app.ini", options={"http_port": "9"}) as env:
    print(env["request"].wamp.call("com.shop.add", [2, 3]))
    time.sleep(1)
"""


@pytest.fixture
def bridge() -> Iterator[PlainServer]:
    with plain_server(answer) as server:
        yield server


@pytest.fixture
def app_folder(tmp_path: Path) -> Path:
    for name in FILES:
        shutil.copy(APPS / name, tmp_path)
    return tmp_path


def answer(asked: Asked) -> Reply:
    kind = asked.path.partition("?")[0].strip("/")
    if kind == "announce":
        source = {"id": "s", "url": asked.document["url"], "state": "live", "reason": None}
        return Reply(200 if asked.document.get("wait") else 202, {"source": source})
    return Reply(200, {kind: [], "cursor": None, "result": 5, "args": [5], "kwargs": {}})


def announcements(bridge: PlainServer) -> list[object]:
    return [asked.document["url"] for asked in bridge.asked if asked.path == "/announce/"]


def test_commands_announce_nothing(bridge: PlainServer, app_folder: Path) -> None:
    (app_folder / "startup.py").write_text("import time; time.sleep(1)")
    (app_folder / "script.py").write_text(SCRIPT)
    environ = {**app_environ(bridge.url, SOURCE, app_folder), "PYTHONPATH": str(app_folder)}
    environ["PYTHONSTARTUP"] = str(app_folder / "startup.py")  # what a shell runs first
    with ExitStack() as stack:
        children = {
            name: stack.enter_context(
                Child(sys.executable, *command, environ=environ, folder=app_folder)
            )
            for name, command in COMMANDS.items()
        }
        for child in children.values():
            assert child.wait() == 0, child.output
    assert "/wamp/{path:.*}" in children["proutes"].output
    assert "wamp_answered" not in children["pviews"].output
    assert "5" in children["script"].lines
    assert "no procedure" in children["list"].output
    assert announcements(bridge) == []


def test_the_command_announces_once(bridge: PlainServer, app_folder: Path) -> None:
    environ = {**app_environ(bridge.url, SOURCE, app_folder), "PYTHONPATH": str(app_folder)}
    command = [program("pwamp"), INI[0], "announce", INI[1]]
    with Child(*command, environ=environ, folder=app_folder) as child:
        assert child.wait() == 0, child.output
    assert child.lines[-1] == f"{SOURCE} is live"
    assert announcements(bridge) == [SOURCE]


def test_the_reloader_announces_again_after_a_reload(bridge: PlainServer, tmp_path: Path) -> None:
    with ServedApp("pserve-with-reloader", bridge=bridge.url, folder=tmp_path) as app:
        eventually_sync(lambda: announcements(bridge) == [app.source], within=60)
        changed_at = 0.0

        def announced_again() -> bool:
            # the reloader misses what changes before it has begun to look, and doesn't say when
            nonlocal changed_at
            if time.monotonic() > changed_at + 5:
                changed_at = time.monotonic()
                with (tmp_path / "pyramid_app.py").open("a") as source:
                    source.write("# changed\n")
            return len(announcements(bridge)) > 1

        eventually_sync(announced_again, within=60)
        assert set(announcements(bridge)) == {app.source}
