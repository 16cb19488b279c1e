"""`wamp-bridge serve` as a process: started, signalled, killed and started again."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import threading
import urllib.error
from typing import TYPE_CHECKING

import pytest

from wamp_bridge_server.config import hash_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Ask, Program, Start

ENVIRON = {
    "WAMP_BRIDGE_SERVER_LISTEN": "127.0.0.1:0",
    "WAMP_BRIDGE_SERVER_ROUTER_URL": "memory:",
    "WAMP_BRIDGE_SERVER_APPS_SHOP_TOKENS": "sha256:" + hash_token("shop-token"),
    "WAMP_BRIDGE_SERVER_APPS_SHOP_CALLBACKS": "127.0.0.1:*",
}


def url_of(program: Program) -> str:
    url: str = program.logged("serving")["url"]
    return url


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        yield port


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_order(start: Start, ask: Ask, number: signal.Signals) -> None:
    program = start("serve", **ENVIRON)
    url = url_of(program)
    assert ask(url, "registrations/") == {"registrations": [], "cursor": None}
    assert program.end(number) == 0
    assert [line["event"] for line in program.logs()][-2:] == ["stopping", "stopped"]
    assert len(program.logs()) == len(program.err)
    assert program.out == []
    with socket.socket() as probe:
        port = int(url.rstrip("/").rpartition(":")[2])
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_sighup_does_not_end_it(start: Start, ask: Ask) -> None:
    program = start("serve", **ENVIRON)
    url = url_of(program)
    program.process.send_signal(signal.SIGHUP)
    program.logged("configuration taken")
    assert ask(url, "registrations/")
    assert program.end(signal.SIGTERM) == 0


def test_a_signal_while_it_starts(start: Start) -> None:
    program = start("--log-level", "debug", "serve", **ENVIRON)
    program.logged("starting")
    assert program.end(signal.SIGTERM) == 0


def test_a_second_signal_ends_it_at_once(start: Start, ask: Ask) -> None:
    program = start("serve", **ENVIRON)
    url = url_of(program)
    with socket.create_server(("127.0.0.1", 0)) as app:
        endpoints = {"com.shop.slow": f"http://127.0.0.1:{app.getsockname()[1]}/"}
        ask(url, "register/", {"endpoints": endpoints})

        def call() -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                ask(url, "call/com.shop.slow/", {})

        caller = threading.Thread(target=call)
        caller.start()
        connection, _ = app.accept()  # and no answer: an end in order has to wait for it
        with connection:
            program.process.send_signal(signal.SIGTERM)
            program.logged("stopping")
            assert program.end(signal.SIGTERM) == -signal.SIGTERM
            caller.join()


def test_what_was_registered_is_there_after_a_kill(start: Start, ask: Ask) -> None:
    program = start("serve", **ENVIRON)
    endpoints = {"com.shop.pay": "http://127.0.0.1:9/wamp/"}
    ask(url_of(program), "register/", {"endpoints": endpoints})
    program.end(signal.SIGKILL)
    program = start("serve", **ENVIRON)
    (found,) = ask(url_of(program), "registrations/")["registrations"]
    assert found["uri"] == "com.shop.pay"
    assert program.end(signal.SIGTERM) == 0


def test_an_address_that_is_taken(start: Start, taken: int) -> None:
    program = start("serve", **{**ENVIRON, "WAMP_BRIDGE_SERVER_LISTEN": f"127.0.0.1:{taken}"})
    assert program.end() == 1
    assert [line for line in program.err if not line.startswith("{")] == [
        f"wamp-bridge: can't listen on 127.0.0.1:{taken}: address already in use"
    ]


def test_an_address_that_is_not_ours(start: Start) -> None:
    program = start("serve", **{**ENVIRON, "WAMP_BRIDGE_SERVER_LISTEN": "host.invalid:0"})
    assert program.end() == 1
    (line,) = [line for line in program.err if not line.startswith("{")]
    assert line.startswith("wamp-bridge: can't listen on host.invalid:0: ")


def test_a_store_that_another_bridge_has(start: Start) -> None:
    first = start("serve", **ENVIRON)
    url_of(first)
    second = start("serve", **ENVIRON)
    assert second.end() == 1
    (line,) = [line for line in second.err if not line.startswith("{")]
    assert line == (
        f"wamp-bridge: store wamp-bridge.db: another bridge (process {first.process.pid}) has it "
        "open; stop that one, or give this one a store of its own"
    )
    assert first.end(signal.SIGTERM) == 0


def test_no_token_and_no_secret_is_logged(start: Start, ask: Ask) -> None:
    environ = {
        **ENVIRON,
        "WAMP_BRIDGE_SERVER_APPS_SHOP_SECRETS": "env:S",
        "S": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    }
    program = start("--log-level", "debug", "serve", **environ)
    url = url_of(program)
    ask(url, "registrations/")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        ask(url, "registrations/", token="guessed-token")
    assert program.end(signal.SIGTERM) == 0
    everything = "\n".join(program.err)
    for secret in ("shop-token", "guessed-token", "whsec_", "MDEyMzQ1"):
        assert secret not in everything
