"""Apps under real servers announce themselves; those that only import an app don't."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from support.plain_server import PlainServer, Reply, plain_server
from support.processes import Child, free_port, program
from support.waiting import eventually_sync
from wamp_bridge.core import Request, Response, generate_secret
from wamp_bridge.core.testing import SignedBridge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="prefork servers need a fork")

SECRET = generate_secret()

APP = """
import logging, os, sys, time
from wamp_bridge.core import Request, WampBridgeBase, _announce

logging.basicConfig(level="INFO", stream=sys.stdout, format="%(process)d %(message)s")
wamp = WampBridgeBase()

@wamp.rpc("com.shop.pid")
def pid():
    return os.getpid()

def app(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    headers = {
        name[5:].replace("_", "-"): text
        for name, text in environ.items() if name.startswith("HTTP_")
    }
    answer = wamp.handle(Request(environ["REQUEST_METHOD"], environ["PATH_INFO"], headers, body))
    start_response(f"{answer.status} .", list(answer.headers.items()))
    return [answer.body]

wamp.announcer.prepare()

def looked_to_the_end():
    while _announce._watch._running:
        time.sleep(0.01)
    print("looked to the end", flush=True)
"""

WAITRESS = "from app import app; import sys, waitress; waitress.serve(app, port=int(sys.argv[1]))"
WSGIREF = """
import sys
from wsgiref.simple_server import make_server
from app import app
with make_server("127.0.0.1", int(sys.argv[1]), app) as server:
    server.serve_forever()
"""
WERKZEUG = """
import sys
from werkzeug.serving import run_simple
from app import app
run_simple("127.0.0.1", int(sys.argv[1]), app, use_reloader="reload" in sys.argv)
"""


class Site:
    """A folder with the app, a bridge that takes announcements, and a port for a server."""

    def __init__(self, folder: Path, bridge: PlainServer) -> None:
        self.folder = folder
        self.bridge = bridge
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.environ = {
            "WAMP_BRIDGE_URL": bridge.url,
            "WAMP_BRIDGE_TOKEN": "t",
            "WAMP_BRIDGE_SECRET": SECRET,
            "WAMP_BRIDGE_CALLBACK_URL": self.url,
            "PYTHONPATH": str(folder),
            "PYTHONWARNINGS": "error::DeprecationWarning:wamp_bridge",
        }
        (folder / "app.py").write_text(APP)

    def start(self, *command: str) -> Child:
        return Child(*command, environ=self.environ, folder=self.folder)

    def script(self, source: str, *arguments: str) -> Child:
        (self.folder / "main.py").write_text(source)
        return self.start(sys.executable, "main.py", str(self.port), *arguments)

    def gunicorn(self, *options: str) -> Child:
        bind = f"127.0.0.1:{self.port}"
        return self.start(program("gunicorn"), "--no-control-socket", "-b", bind, *options)

    def announced(self, times: int = 1) -> None:
        eventually_sync(lambda: len(self.bridge.asked) >= times, within=30)
        for asked in self.bridge.asked:
            assert (asked.path, asked.document) == ("/announce/", {"url": self.url})

    def serves(self) -> Any:
        def send(request: Request) -> Response:
            answer = httpx.post(self.url, content=request.body, headers=dict(request.headers))
            return Response(answer.status_code, dict(answer.headers), answer.content)

        bridge = SignedBridge(send, [SECRET])
        assert list(bridge.manifest()["procedures"]) == ["com.shop.pid"]
        return bridge.invoke("com.shop.pid")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    source = {"id": "s", "url": "u", "state": "pending", "reason": None}
    with plain_server(lambda _: Reply(202, {"source": source})) as bridge:
        yield Site(tmp_path, bridge)


def pids_that_announced(child: Child) -> set[int]:
    return {int(line.split()[0]) for line in child.lines if "announced http" in line}


@pytest.mark.parametrize("options", [[], ["--preload"], ["-k", "gthread", "--threads", "2"]])
def test_gunicorn_s_workers_announce_each_of_them(site: Site, options: list[str]) -> None:
    with site.gunicorn("-w", "4", *options, "app:app") as child:
        site.announced(4)
        eventually_sync(lambda: len(pids_that_announced(child)) == 4)
        assert site.serves() in pids_that_announced(child)
        assert child.pid not in pids_that_announced(child)

        before = pids_that_announced(child)
        os.kill(min(before), signal.SIGKILL)
        site.announced(5)
        eventually_sync(lambda: len(pids_that_announced(child)) == 5)


@pytest.mark.parametrize("options", [[], ["--preload"]])
def test_one_worker_is_free_to_answer_while_it_is_announced(site: Site, options: list[str]) -> None:
    """A bridge that asks for the manifest before it answers the announcement gets it."""
    plain = site.bridge.answering

    def ask_back(asked: Any) -> Reply | None:
        site.serves()
        return plain(asked)

    site.bridge.answering = ask_back
    with site.gunicorn("-w", "1", *options, "app:app") as child:
        child.line_with("announced http")


def test_an_app_that_takes_long_to_load_is_announced_when_it_is_loaded(site: Site) -> None:
    (site.folder / "app.py").write_text(
        """
import time
from wamp_bridge.core import Announcer
looks, look = [], Announcer.looked
Announcer.looked = lambda announcer: looks.append(1) or look(announcer)
"""
        + APP
        + """
while len(looks) < 5:
    time.sleep(0.01)
print("loaded", flush=True)
"""
    )
    with site.gunicorn("-w", "1", "app:app") as child:
        child.line_with("announced http")
        lines = [line for line in child.lines if "announced" in line or "loaded" in line]
        assert lines[0] == "loaded"


@pytest.mark.parametrize("script", [WAITRESS, WSGIREF, WERKZEUG])
def test_a_server_within_a_script_announces(site: Site, script: str) -> None:
    with site.script(script) as child:
        site.announced()
        child.line_with("announced http")
        assert site.serves() == child.pid


def test_waitress_serve_announces(site: Site) -> None:
    with site.start(program("waitress-serve"), "--port", str(site.port), "app:app") as child:
        site.announced()
        assert site.serves() == child.pid


def test_only_the_child_of_a_reloader_announces_after_each_reload(site: Site) -> None:
    with site.script(WERKZEUG, "reload") as child:
        site.announced(1)
        first = site.serves()
        assert first != child.pid
        (site.folder / "app.py").write_text(APP + "\n# changed\n")
        site.announced(2)
        eventually_sync(lambda: len(pids_that_announced(child)) == 2)
        assert pids_that_announced(child) == {first, site.serves()}
        assert len(site.bridge.asked) == 2


def test_an_app_that_forks_without_a_server_of_a_known_name_announces(site: Site) -> None:
    script = """
import os, sys, socket
from wsgiref.simple_server import make_server
from app import app
server = make_server("127.0.0.1", int(sys.argv[1]), app)
if os.fork() == 0:
    server.serve_forever()
os.wait()
"""
    with site.script(script) as child:
        site.announced()
        assert site.serves() != child.pid


SHORT = "import wamp_bridge.core._announce as announce; announce.LOOK_FOR_SECONDS = 0.5\n"


BYSTANDERS = {
    "imports": "import app; app.looked_to_the_end()",
    # who listened before the app was there doesn't listen for it
    "listened before": """
import socket
other = socket.create_server(("127.0.0.1", 0))
import app
app.looked_to_the_end()
""",
    "connects": """
import app, os, socket, urllib.parse
bridge = urllib.parse.urlsplit(os.environ["WAMP_BRIDGE_URL"])
connection = socket.create_connection((bridge.hostname, bridge.port))
app.looked_to_the_end()
""",
    # a task queue's workers are forked, and serve nobody
    "forks": """
import app, multiprocessing
worker = multiprocessing.get_context("fork").Process(target=app.looked_to_the_end)
worker.start()
worker.join()
app.looked_to_the_end()
""",
}


@pytest.mark.parametrize("script", BYSTANDERS.values(), ids=BYSTANDERS.keys())
def test_a_process_that_only_imports_an_app_announces_nothing(site: Site, script: str) -> None:
    with site.script(SHORT + script) as child:
        assert child.wait() == 0, child.output
        assert "looked to the end" in child.output
    assert site.bridge.asked == []


def test_nothing_is_announced_where_it_is_switched_off(site: Site) -> None:
    site.environ["WAMP_BRIDGE_ANNOUNCE"] = "false"
    with site.script(WAITRESS):
        eventually_sync(lambda: _serves(site), within=30)
        for _ in range(3):
            site.serves()
    assert site.bridge.asked == []


def _serves(site: Site) -> bool:
    try:
        return bool(site.serves())
    except httpx.ConnectError:
        return False


def test_a_bridge_that_is_not_up_yet_is_asked_again(tmp_path: Path) -> None:
    port = free_port()
    source = {"id": "s", "url": "u", "state": "pending", "reason": None}
    site = Site(tmp_path, PlainServer(f"http://127.0.0.1:{port}/", lambda _: None))
    with site.script(WAITRESS) as child:
        child.line_with("asking again")
        with plain_server(lambda _: Reply(202, {"source": source}), port=port) as bridge:
            eventually_sync(lambda: bridge.asked, within=30)
            child.line_with("announced http")
