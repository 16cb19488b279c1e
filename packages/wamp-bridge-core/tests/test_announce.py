"""When an app is announced, how often, and what is said when it can't be."""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys
import threading
import traceback
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from support.plain_server import PlainServer, Reply, plain_server
from support.processes import free_port
from support.waiting import eventually_sync
from wamp_bridge.core import Announcer, Request, WampBridgeBase, _announce, _serving
from wamp_bridge.core._serving import Lookout, Role, listening

if TYPE_CHECKING:
    from collections.abc import Iterator

TAKEN = Reply(202, {"source": {"id": "s", "url": "u", "state": "pending", "reason": None}})
CALLBACK_URL = "http://127.0.0.1:9/wamp/"


def ours() -> list[str]:
    """The threads of the announcers; the one that looks out is none of `threading`'s."""
    names = [thread.name for thread in threading.enumerate()]
    for frame in sys._current_frames().values():
        called = [each.f_code for each, _ in traceback.walk_stack(frame)]
        names += ["wamp-bridge-look"] * (_announce._Watch._look.__code__ in called)
    return [name for name in names if name.startswith("wamp-bridge-")]


@pytest.fixture(autouse=True)
def no_thread_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(_announce, "_FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(_announce, "LOOK_FOR_SECONDS", 0.3)
    yield
    eventually_sync(lambda: not ours())


@pytest.fixture
def server() -> Iterator[PlainServer]:
    with plain_server(lambda _: TAKEN) as server:
        yield server


def app_at(url: str | None, **settings: Any) -> WampBridgeBase:
    given = {"url": url, "token": "t", "callback_url": CALLBACK_URL} | settings
    return WampBridgeBase({f"WAMP_BRIDGE_{name.upper()}": text for name, text in given.items()})


def over(app: WampBridgeBase) -> None:
    eventually_sync(lambda: "wamp-bridge-announce" not in ours())
    assert app.announcer._begun


def test_an_app_that_serves_is_announced_once(
    server: PlainServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wamp_bridge")
    app = app_at(server.url)
    for _ in range(5):
        app.announcer.serving()
    eventually_sync(lambda: app.announcer.answered)
    over(app)
    app.announcer.serving()
    app.announcer.requested()
    app.announcer.prepare()
    assert [asked.document for asked in server.asked] == [{"url": CALLBACK_URL}]
    assert f"announced {CALLBACK_URL}" in caplog.text


def test_a_bridge_that_fails_is_asked_until_it_answers(
    server: PlainServer, caplog: pytest.LogCaptureFixture
) -> None:
    replies: list[Reply | None] = [Reply(500), None, None, None, Reply(502), Reply(429), TAKEN]
    server.answering = lambda _: replies.pop(0)
    app = app_at(server.url)
    app.announcer.serving()
    eventually_sync(lambda: app.announcer.answered)
    over(app)
    assert replies == []
    assert caplog.text.count("asking again") == 1


@pytest.mark.parametrize(
    ("status", "named"),
    [
        (401, "WAMP_BRIDGE_TOKEN"),
        (403, "this app's section"),
        (404, "WAMP_BRIDGE_URL"),
        (405, "WAMP_BRIDGE_URL"),
        (422, "WAMP_BRIDGE_CALLBACK_URL"),
        (400, "WAMP_BRIDGE_CALLBACK_URL"),
        (409, "because of this"),
    ],
)
def test_a_bridge_that_refuses_is_not_asked_again_and_the_log_says_what_to_do(
    server: PlainServer, caplog: pytest.LogCaptureFixture, status: int, named: str
) -> None:
    server.answering = lambda _: Reply(status, {"title": "No", "detail": "because of this"})
    app = app_at(server.url)
    app.announcer.serving()
    over(app)
    assert len(server.asked) == 1
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert named in record.getMessage()
    assert "because of this" in record.getMessage()


def test_settings_that_can_not_work_are_told(caplog: pytest.LogCaptureFixture) -> None:
    app = app_at("nonsense")
    app.announcer.serving()
    over(app)
    assert "WAMP_BRIDGE_URL" in caplog.text


def test_a_missing_token_is_told(server: PlainServer, caplog: pytest.LogCaptureFixture) -> None:
    app = app_at(server.url, token=None)
    app.announcer.serving()
    over(app)
    assert "WAMP_BRIDGE_TOKEN" in caplog.text
    assert server.asked == []


def test_handlers_that_no_one_can_reach_are_told(
    server: PlainServer, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_at(server.url, callback_url=None)
    app.announcer.serving()
    over(app)
    assert caplog.text == ""  # it only calls and publishes

    app = app_at(server.url, callback_url=None)
    app.rpc("f")(lambda: None)
    app.announcer.serving()
    over(app)
    assert "WAMP_BRIDGE_CALLBACK_URL" in caplog.text
    assert server.asked == []


@pytest.mark.parametrize("settings", [{"url": None}, {"announce": False}])
def test_nothing_is_announced_where_nobody_wants_it(
    server: PlainServer, settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    app = app_at(settings.pop("url", server.url), **settings)
    app.announcer.serving()
    over(app)
    assert server.asked == []
    assert caplog.text == ""


def test_asking_again_ends_when_the_app_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    app = app_at(f"http://127.0.0.1:{free_port()}/")
    app.announcer.serving()
    eventually_sync(lambda: "asking again" in caplog.text)
    app.close()
    over(app)
    app.announcer.serving()
    assert ours() == []


def test_a_prepared_app_is_announced_when_a_socket_listens(server: PlainServer) -> None:
    app = app_at(server.url)  # whose own listening socket was there before
    app.announcer.prepare()
    with socket.create_server(("127.0.0.1", 0)):
        eventually_sync(lambda: app.announcer.answered)
    assert len(server.asked) == 1


def test_an_app_whose_server_starts_again_is_announced_again(server: PlainServer) -> None:
    app = app_at(server.url)
    for times in (1, 2):
        app.announcer.starting()
        with socket.create_server(("127.0.0.1", 0)):
            eventually_sync(lambda: app.announcer.answered)
        app.close()
        assert len(server.asked) == times
    assert app.announcer.looked() is False


def test_a_server_that_takes_long_to_start_is_still_seen(server: PlainServer) -> None:
    app = app_at(server.url)
    app.announcer.prepare()
    eventually_sync(lambda: not ours())
    app.announcer.starting()
    eventually_sync(lambda: ours() == ["wamp-bridge-look"])
    with socket.create_server(("127.0.0.1", 0)):
        eventually_sync(lambda: app.announcer.answered)


def test_looking_out_ends_though_nothing_is_seen(server: PlainServer) -> None:
    app = app_at(server.url)
    app.announcer.prepare()
    eventually_sync(lambda: ours() == ["wamp-bridge-look"])
    eventually_sync(lambda: not ours())
    assert server.asked == []


def test_one_thread_looks_out_for_all_apps(server: PlainServer) -> None:
    apps = [app_at(server.url) for _ in range(20)]
    for app in apps:
        app.announcer.prepare()
    eventually_sync(lambda: ours() == ["wamp-bridge-look"])
    for app in apps:
        app.close()


def test_an_app_that_is_gone_is_not_kept(server: PlainServer) -> None:
    app = app_at(server.url)
    app.announcer.prepare()
    gone = weakref.ref(app.announcer)
    del app

    def forgotten() -> bool:
        gc.collect()
        return gone() is None

    eventually_sync(forgotten)
    assert server.asked == []


def test_a_request_that_a_test_made_up_announces_nothing(
    server: PlainServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_announce, "listening", frozenset)  # this process has the plain server
    app = app_at(server.url)
    app.handle(Request("GET", "", {}))
    assert not app.announcer._begun
    assert ours() == []


def test_a_request_to_a_server_announces(server: PlainServer) -> None:
    app = app_at(server.url)
    assert app.handle(Request("GET", "", {})).status == 405
    eventually_sync(lambda: app.announcer.answered)
    assert len(server.asked) == 1


async def test_a_request_to_an_asynchronous_server_announces(server: PlainServer) -> None:
    app = app_at(server.url)
    assert (await app.handle_async(Request("GET", "", {}))).status == 405
    eventually_sync(lambda: app.announcer.answered)


def test_withdrawing_ends_announcing(server: PlainServer) -> None:
    app = app_at(server.url)
    app.withdraw()
    app.announcer.serving()
    assert [asked.path for asked in server.asked] == ["/withdraw/"]
    app.close()


# The signs


def test_sockets_that_listen_are_found() -> None:
    before = listening()
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
        socket.socket() as idle,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        datagrams.bind(("127.0.0.1", 0))
        assert listening() - before == {listener.fileno()}
        assert client.fileno() not in listening()
        assert idle.fileno() not in listening()
    assert listening() == before


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no such sockets here")
def test_sockets_of_the_file_system_count(tmp_path: Any) -> None:
    before = listening()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        assert listening() - before == {listener.fileno()}


def test_sockets_are_found_where_descriptors_can_not_be_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_serving, "_DESCRIPTORS", ("/nowhere/fd",))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert listener.fileno() in listening()
        assert -1 not in listening()


def test_looking_does_not_disturb_who_uses_the_descriptors() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def look() -> None:
            while not stop.is_set():
                listening()

        thread = threading.Thread(target=look)
        thread.start()
        try:
            for _ in range(300):
                with socket.create_connection(listener.getsockname()) as client:
                    accepted, _ = listener.accept()
                    with accepted:
                        client.sendall(b"x")
                        assert accepted.recv(1) == b"x"
                read, write = os.pipe()
                os.close(read)
                os.close(write)
        finally:
            stop.set()
            thread.join()


def test_a_socket_must_be_seen_twice() -> None:
    lookout = Lookout()
    assert lookout.look() is Role.UNKNOWN
    with socket.create_server(("127.0.0.1", 0)):
        assert [lookout.look(), lookout.look()] == [Role.UNKNOWN, Role.SERVER]
    assert lookout.look() is Role.UNKNOWN


INIT, ARBITER = "gunicorn.workers.base:init_process", "gunicorn.arbiter:spawn_worker"


@pytest.mark.parametrize(
    ("modules", "environ", "role"),
    [
        (["__main__", "gunicorn.arbiter"], {}, Role.SPAWNER),
        (["__main__", "gunicorn.arbiter", "gunicorn.workers.base"], {}, Role.SERVER),
        (["gevent.hub", "gunicorn.workers.ggevent:patch", INIT, ARBITER], {}, Role.UNKNOWN),
        (["gunicorn.workers.sync:run", INIT, ARBITER], {}, Role.SERVER),
        (["uvicorn_worker:run", INIT, "uvicorn_worker:init_process", ARBITER], {}, Role.SERVER),
        (["gunicorn.arbiter", "gunicorn.util", "gunicorn.workers.base"], {}, Role.UNKNOWN),
        (["importlib._bootstrap", "gunicorn.workers.base"], {}, Role.UNKNOWN),
        (["uvicorn.server"], {}, Role.SERVER),
        (["uvicorn.supervisors.multiprocess", "uvicorn.main"], {}, Role.BYSTANDER),
        (["uvicorn.server", "uvicorn.supervisors.multiprocess"], {}, Role.SERVER),
        (["uvicornish"], {}, Role.UNKNOWN),
        (["werkzeug._reloader"], {}, Role.BYSTANDER),
        (["werkzeug._reloader"], {"WERKZEUG_RUN_MAIN": "true"}, Role.UNKNOWN),
        (["socketserver", "werkzeug.serving"], {}, Role.UNKNOWN),
    ],
)
def test_known_servers_are_told_by_what_the_main_thread_is_at(
    monkeypatch: pytest.MonkeyPatch, modules: list[str], environ: dict[str, str], role: Role
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    calls = [(name, function or "f") for name, _, function in (m.partition(":") for m in modules)]
    with socket.create_server(("127.0.0.1", 0)):
        lookout = Lookout()  # the socket was there before, as for servers that listen first
        monkeypatch.setattr(_serving, "_calls", lambda _frame: calls)
        lookout.look()
        assert lookout.look() is role


def test_looking_at_sockets_leaves_them_as_they_are() -> None:
    with socket.create_server(("127.0.0.1", 0)) as blocking, socket.socket() as other:
        other.setblocking(False)
        socket.setdefaulttimeout(5.0)
        try:
            assert blocking.fileno() in _serving.listening()
        finally:
            socket.setdefaulttimeout(None)
        assert os.get_blocking(blocking.fileno())
        assert not os.get_blocking(other.fileno())


def test_a_server_that_loads_the_app_is_told_by_the_stack() -> None:
    names: dict[str, Any] = {"__name__": "gunicorn.workers.base", "Lookout": Lookout}
    exec("def load(): return Lookout()", names)
    with socket.create_server(("127.0.0.1", 0)):
        lookout = names["load"]()
        assert [lookout.look(), lookout.look()] == [Role.UNKNOWN, Role.SERVER]
        assert not lookout.spawner
    names["__name__"] = "gunicorn.arbiter"
    assert names["load"]().spawner


@pytest.mark.parametrize("module", ["uwsgi", "mod_wsgi"])
def test_a_server_that_embeds_python_is_told_by_its_module(
    monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with socket.create_server(("127.0.0.1", 0)):
        lookout = Lookout()
        assert [lookout.look(), lookout.look()] == [Role.UNKNOWN, Role.SERVER]


def test_the_child_of_a_fork_begins_anew_unless_it_was_announced(server: PlainServer) -> None:
    def begin(**state: Any) -> Announcer:
        announcer = app_at(server.url).announcer
        for name, value in state.items():
            setattr(announcer, name, value)
        return announcer

    seen = Lookout()
    assert begin(_lookout=seen).forked()
    assert begin(_lookout=seen, _begun=True).forked()
    assert not begin(_lookout=seen, answered=True).forked()
    assert not begin().forked()
    stopped = begin(_lookout=seen)
    stopped.stop()
    assert not stopped.forked()
    assert stopped._ends.is_set()
