"""Crossbar as a child process: it starts, it ends, it ends with us."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from support.peers import joined
from support.router import CrossbarRouter
from support.waiting import eventually_sync
from wamp_bridge_server.devrouter import RouterError, crossbar_executable
from wamp_bridge_server.devrouter.handshake import router_answers
from wamp_bridge_server.devrouter.ports import free_port, is_free

PROGRAM = """
import sys
from wamp_bridge_server.devrouter import CrossbarRouter
router = CrossbarRouter()
router.start()
print(router.port, router._supervisor.pid, router._group, flush=True)
sys.stdin.read()
"""


def processes_of(group: int) -> list[int]:
    """The processes of a process group that have not ended."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[2]) == group and fields[0] != "Z":
                found.append(int(entry.name))
    return found


async def test_one_port_speaks_rawsocket_and_websocket(router: CrossbarRouter) -> None:
    assert router.running
    for url in (router.url, router.websocket_url):
        async with joined(url) as peer:
            assert await peer.call("wamp.session.count") >= 1


def test_it_stops_with_all_its_processes_and_starts_again_at_the_same_port(
    own_router: CrossbarRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, port = own_router._group, own_router.port
    assert group is not None
    assert len(processes_of(group)) >= 2
    own_router.start()  # which it is already
    assert own_router._group == group
    own_router.stop()
    own_router.stop()
    assert processes_of(group) == []
    assert not own_router.running
    assert is_free(own_router.host, port)
    monkeypatch.setenv("WAMP_BRIDGE_TOKEN", "s3cret")
    own_router.start()
    assert own_router.port == port
    assert router_answers(own_router.host, port, own_router.realm)
    own_router.suspend()
    assert not router_answers(own_router.host, port, own_router.realm, timeout=0.3)
    own_router.resume()
    eventually_sync(lambda: router_answers(own_router.host, port, own_router.realm))
    group = own_router._group
    assert group is not None
    for process in processes_of(group):
        assert b"s3cret" not in Path(f"/proc/{process}/environ").read_bytes()
    own_router.suspend()
    own_router.stop()
    assert processes_of(group) == []


@pytest.mark.parametrize("victim", ["parent", "supervisor", "worker"])
def test_nothing_is_left_when_one_is_killed(victim: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        port, supervisor, group = map(int, parent.stdout.readline().split())
        processes = processes_of(group)
        assert group in processes
        worker = max(processes)
        victims = {"parent": parent.pid, "supervisor": supervisor, "worker": worker}
        os.kill(victims[victim], signal.SIGKILL)
        eventually_sync(lambda: processes_of(group) == [], within=15)
        eventually_sync(lambda: is_free("127.0.0.1", port))
        assert parent.stdin is not None
        parent.stdin.close()


def test_a_port_in_use_is_a_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RouterError, match=f"127.0.0.1:{port}: address already in use"):
            CrossbarRouter(port=port).start()


def test_an_executable_that_is_none_is_a_clear_error(tmp_path: Path) -> None:
    router = CrossbarRouter(executable=tmp_path / "crossbar")
    with pytest.raises(RouterError, match="cannot start the router"):
        router.start()
    assert not router.running


def test_another_executable_may_be_given_and_its_end_is_told(tmp_path: Path) -> None:
    executable = tmp_path / "crossbar"
    executable.write_text("#!/bin/sh\necho no such thing >&2\nexit 7\n")
    executable.chmod(0o755)
    router = CrossbarRouter(executable=executable)
    with pytest.raises(RouterError, match="no such thing"):
        router.start()
    assert not router.running


def test_a_configuration_that_crossbar_refuses_is_told() -> None:
    with pytest.raises(RouterError, match=r"(?s)ended while it started.*nonsense"):
        CrossbarRouter(auth={"nonsense": {}}).start()


def test_a_router_that_never_answers_is_given_up(tmp_path: Path) -> None:
    executable = tmp_path / "crossbar"
    executable.write_text("#!/bin/sh\nsleep 600\n")
    executable.chmod(0o755)
    router = CrossbarRouter(executable=executable)
    with pytest.raises(RouterError, match="did not answer within"):
        router.start(timeout=0.3)
    assert not router.running


def test_its_folder_may_be_given_and_its_secrets_are_its_owners(tmp_path: Path) -> None:
    directory = tmp_path / "node"
    with CrossbarRouter(
        directory=directory, realm="realm2", executable=crossbar_executable()
    ) as it:
        config = directory / ".crossbar" / "config.json"
        assert config.stat().st_mode & 0o077 == 0
        assert json.loads(config.read_text())["workers"][0]["realms"][0]["name"] == "realm2"
        assert (directory / "router.log").exists()
        assert not router_answers(it.host, it.port, "realm1")
        it.kill()
        assert not it.running
    # Left by the one that was killed: it must not keep the next one from starting.
    (directory / ".crossbar" / "node.pid").write_text(json.dumps({"pid": os.getpid(), "argv": []}))
    with CrossbarRouter(directory=directory, port=it.port) as again:
        assert again.running
    assert directory.exists()


def test_ports_are_not_those_of_outgoing_connections() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    port = free_port("127.0.0.1")
    assert is_free("127.0.0.1", port)
    assert port < max(first, 32768)


def test_an_address_of_the_sixth_version() -> None:
    router = CrossbarRouter(host="::1", port=1234)
    assert router.url == "rs://[::1]:1234"
    assert router.websocket_url == "ws://[::1]:1234/ws"


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n\r\n", b"\x7f\xf1\0\0\0\0\0\2{}"])
def test_what_answers_otherwise_is_no_router(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):  # who asked may be gone by now
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                connection.recv(100)

        thread = threading.Thread(target=serve)
        thread.start()
        assert not router_answers("127.0.0.1", port, "realm1", timeout=5)
        thread.join()
