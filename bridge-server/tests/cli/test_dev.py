"""`wamp-bridge dev` as a process: what it prints, keeps and leaves behind."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.waiting import eventually_sync
from wamp_bridge.core import Bridge, Settings
from wamp_bridge_server.cli._dev import _origins
from wamp_bridge_server.config import Address
from wamp_bridge_server.devrouter.handshake import router_answers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Ask, Program, Start

MEMORY = ("--router", "memory:", "--listen", "127.0.0.1:0")
CROSSBAR = ("--listen", "127.0.0.1:0", "--router-listen", "127.0.0.1:0")
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
ENDPOINTS = {"endpoints": {"com.shop.pay": "http://127.0.0.1:9/"}}


def ready(program: Program) -> tuple[str, str]:
    _, url, router_url = program.printed("ready ", within=240).split(" ")
    return url, router_url


def exports(program: Program) -> dict[str, str]:
    lines = [shlex.split(line) for line in program.out if line.startswith("export ")]
    assert [len(words) for words in lines] == [2] * len(lines)
    pairs = (words[1].partition("=") for words in lines)
    return {name: value for name, _, value in pairs}


@contextmanager
def occupied(port: int) -> Iterator[None]:
    """Have a port listened on, by this test or by whoever does already."""
    try:
        server = socket.create_server(("127.0.0.1", port))
    except OSError:
        yield
        return
    with server:
        yield


def processes(folder: Path) -> list[int]:
    """Processes whose command line names a folder, except this one."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in command and int(process.name) != os.getpid():
            found.append(int(process.name))
    return found


def test_what_is_not_given_is_made_up(start: Start, ask: Ask, tmp_path: Path) -> None:
    program = start("dev", *MEMORY, TMPDIR=str(tmp_path))
    url, router_url = ready(program)
    assert router_url == "memory:"
    given = exports(program)
    assert list(given) == [
        "WAMP_BRIDGE_URL",
        "WAMP_BRIDGE_APP",
        "WAMP_BRIDGE_TOKEN",
        "WAMP_BRIDGE_SECRET",
    ]
    assert given["WAMP_BRIDGE_URL"] == url
    assert given["WAMP_BRIDGE_APP"] == "app"
    assert re.fullmatch(r"wbt_[A-Za-z0-9]{49}", given["WAMP_BRIDGE_TOKEN"])
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", given["WAMP_BRIDGE_SECRET"])
    assert ask(url, "registrations/", token=given["WAMP_BRIDGE_TOKEN"])
    assert len(list(tmp_path.iterdir())) == 1
    assert program.end(signal.SIGTERM) == 0
    assert list(tmp_path.iterdir()) == []
    assert not any(given["WAMP_BRIDGE_TOKEN"] in line for line in program.err)


def test_what_is_given_is_taken(start: Start, ask: Ask) -> None:
    arguments = ("--app", "shop", "--token", "it's a token", "--secret", SECRET)
    program = start("dev", *MEMORY, *arguments)
    url, _ = ready(program)
    assert exports(program) == {
        "WAMP_BRIDGE_URL": url,
        "WAMP_BRIDGE_APP": "shop",
        "WAMP_BRIDGE_TOKEN": "it's a token",
        "WAMP_BRIDGE_SECRET": SECRET,
    }
    assert ask(url, "registrations/", token="it's a token")
    assert program.end(signal.SIGINT) == 0


def test_what_is_printed_signs_requests(start: Start) -> None:
    program = start("dev", *MEMORY)
    ready(program)
    printed = exports(program)
    del printed["WAMP_BRIDGE_TOKEN"]
    with Bridge(Settings.load(printed)) as bridge:
        assert bridge.settings.signs
        assert bridge.registrations() == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_on_all_addresses_signatures_may_be_for_the_machines_own_names(host: str) -> None:
    listen, public_urls = _origins(Address(host, 0))
    assert listen.host == host
    for name in ("127.0.0.1", "[::1]", "localhost"):
        assert f"http://{name}:{listen.port}" in public_urls
    assert _origins(Address("127.0.0.1", 0)) == (Address("127.0.0.1", 0), ())


def test_data_keeps_endpoints_and_what_was_made_up(start: Start, ask: Ask, tmp_path: Path) -> None:
    arguments = ("dev", *MEMORY, "--data", str(tmp_path / "a" / "b"))
    program = start(*arguments)
    url, _ = ready(program)
    before = exports(program)
    ask(url, "register/", ENDPOINTS, token=before["WAMP_BRIDGE_TOKEN"])
    assert program.end(signal.SIGTERM) == 0
    assert (tmp_path / "a" / "b" / "token").stat().st_mode & 0o777 == 0o600

    program = start(*arguments)
    url, _ = ready(program)
    after = exports(program)
    assert after == {**before, "WAMP_BRIDGE_URL": url}
    (found,) = ask(url, "registrations/", token=after["WAMP_BRIDGE_TOKEN"])["registrations"]
    assert found["uri"] == "com.shop.pay"
    assert program.end(signal.SIGTERM) == 0


def test_data_that_can_not_be(start: Start) -> None:
    program = start("dev", *MEMORY, "--data", "/dev/null/x")
    assert program.end() == 2
    assert program.err == ["wamp-bridge: --data /dev/null/x: can't be made: Not a directory"]


@pytest.mark.parametrize("option", ["--listen", "--router-listen"])
def test_an_address_that_was_asked_for_and_is_taken(start: Start, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        other = {"--listen": "--router-listen", "--router-listen": "--listen"}[option]
        program = start("dev", option, address, other, "127.0.0.1:0")
        assert program.end() == 2
    (line,) = program.err
    assert line == f"wamp-bridge: {option} {address}: can't be listened on: address already in use"
    assert program.out == []


@pytest.mark.parametrize(
    ("option", "address"), [("--listen", "192.0.2.1:8181"), ("--router-listen", "192.0.2.1:0")]
)
def test_an_address_of_another_machine(start: Start, option: str, address: str) -> None:
    program = start("dev", option, address)
    assert program.end() == 2
    reason = "can't be listened on: cannot assign requested address"
    assert program.err[-1] == f"wamp-bridge: {option} {address}: {reason}"
    assert program.out == []


def test_a_default_port_that_is_taken_gives_way(start: Start) -> None:
    with occupied(8181):
        program = start("dev", "--router", "memory:")
        url, _ = ready(program)
        assert url != "http://127.0.0.1:8181/"
        told = program.logged("port is taken, a free one is used")
        assert told["taken"] == "127.0.0.1:8181"
        assert program.end(signal.SIGTERM) == 0


def test_a_router_that_is_away_is_waited_for(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    program = start("dev", "--listen", "127.0.0.1:0", "--router", f"rs://127.0.0.1:{port}")
    program.logged("waiting for the router", within=30)
    assert not any(line.startswith("ready") for line in program.out)
    assert len(exports(program)) == 4
    assert program.end(signal.SIGTERM) == 0


def test_a_whole_system(start: Start, ask: Ask, tmp_path: Path) -> None:
    program = start("dev", *CROSSBAR, TMPDIR=str(tmp_path))
    url, router_url = ready(program)
    match = re.fullmatch(r"ws://127\.0\.0\.1:(\d+)/ws", router_url)
    assert match
    assert router_answers("127.0.0.1", int(match[1]), "realm1")
    token = exports(program)["WAMP_BRIDGE_TOKEN"]
    ask(url, "register/", ENDPOINTS, token=token)

    def state() -> bool:
        (found,) = ask(url, "registrations/", token=token)["registrations"]
        return bool(found["state"] == "live")

    eventually_sync(state)
    assert program.end(signal.SIGINT) == 0
    assert not router_answers("127.0.0.1", int(match[1]), "realm1")
    assert processes(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_it_ends_when_its_router_ends(start: Start, tmp_path: Path) -> None:
    program = start("dev", *CROSSBAR, TMPDIR=str(tmp_path))
    ready(program)
    for process in processes(tmp_path):
        os.kill(process, signal.SIGKILL)
    assert program.end() == 1
    assert program.err[-1] == "wamp-bridge: the router has ended by itself"


def test_kill_9_leaves_no_router(start: Start, tmp_path: Path) -> None:
    program = start("dev", *CROSSBAR, TMPDIR=str(tmp_path))
    ready(program)
    assert processes(tmp_path) != []
    program.end(signal.SIGKILL)
    eventually_sync(lambda: processes(tmp_path) == [])


def test_a_signal_while_the_router_starts(start: Start, tmp_path: Path) -> None:
    program = start("dev", *CROSSBAR, TMPDIR=str(tmp_path))
    program.logged("starting the router")
    assert program.end(signal.SIGTERM) == 0
    assert processes(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_router_that_does_not_start(start: Start, tmp_path: Path) -> None:
    crossbar = tmp_path / "crossbar"
    crossbar.write_text("#!/bin/sh\necho 'no such luck'\nexit 3\n")
    crossbar.chmod(0o755)
    program = start("dev", *CROSSBAR, "--crossbar", str(crossbar))
    assert program.end() == 1
    assert program.err[-2:] == ["no such luck", "wamp-bridge: the router ended while it started"]
