"""Only what serves a Django project announces it: no other command of `manage.py` does."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from support.django_servers import start_shop
from support.flask_servers import app_environ
from support.plain_server import Asked, PlainServer, Reply, plain_server
from support.processes import Child

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCE = "http://127.0.0.1:9/wamp/"

COMMANDS = {
    "check": ["check"],
    "migrate": ["migrate"],
    "shell": ["shell", "-c", "import time; time.sleep(1)"],
    "test": ["test"],
    "list": ["wamp", "list"],
}

# A live server listens and serves, but what a test serves is nobody's business.
LIVE_TEST = """
import time
from urllib.error import HTTPError
from urllib.request import urlopen

from django.test import LiveServerTestCase

class LiveTest(LiveServerTestCase):
    def test_the_dispatcher_is_served(self):
        with self.assertRaises(HTTPError) as caught:
            urlopen(f"{self.live_server_url}/wamp/")
        caught.exception.close()
        self.assertEqual(caught.exception.code, 405)
        time.sleep(1)
"""


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
    start_shop(tmp_path)
    (tmp_path / "shop" / "tests.py").write_text(LIVE_TEST)
    environ = app_environ(bridge.url, SOURCE, tmp_path)
    with ExitStack() as stack:
        children = {
            name: stack.enter_context(
                Child(sys.executable, "manage.py", *command, environ=environ, folder=tmp_path)
            )
            for name, command in COMMANDS.items()
        }
        for child in children.values():
            assert child.wait(within=60) == 0, child.output
    assert "no issues" in children["check"].output
    assert "Ran 1 test" in children["test"].output
    assert "no procedure" in children["list"].output
    assert announcements(bridge) == []


def test_the_command_announces_once(bridge: PlainServer, tmp_path: Path) -> None:
    start_shop(tmp_path)
    environ = app_environ(bridge.url, SOURCE, tmp_path)
    command = [sys.executable, "manage.py", "wamp", "announce"]
    with Child(*command, environ=environ, folder=tmp_path) as child:
        assert child.wait() == 0, child.output
    assert child.lines == [f"{SOURCE} is live"]
    assert announcements(bridge) == [SOURCE]
