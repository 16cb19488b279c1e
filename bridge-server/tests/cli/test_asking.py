"""`wamp-bridge call`, `publish`, `subscribe` and `register` against a bridge that runs."""

from __future__ import annotations

import functools
import importlib
import json
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Protocol

import pytest
from click.testing import CliRunner

from support.bridges import SECRET, token_of
from support.waiting import eventually_sync
from wamp_bridge.core import (
    ApplicationError,
    BridgeUnreachable,
    CallTimeout,
    NoSuchProcedure,
    Registry,
    Settings,
    Unavailable,
)
from wamp_bridge_server.cli import _serving
from wamp_bridge_server.cli._asking import named, value

if TYPE_CHECKING:
    from pathlib import Path

    from wamp_bridge.core import Bridge

    from .conftest import Start


ECHO = """
import json, sys
call = json.load(sys.stdin)
if call["args"] == ["fail"]:
    print("not today")
    sys.exit(3)
if call["args"] == ["hang"]:
    open("hangs", "w").close()
    import time
    time.sleep(60)
print(json.dumps([call["procedure"], call["args"], call["kwargs"], sys.argv[1:]]))
"""


@dataclass
class Ended:
    """How a command has ended."""

    status: int
    out: list[str]
    err: list[str]


class Run(Protocol):
    def __call__(self, *arguments: str, **environ: str) -> Ended: ...


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command that ends by itself in this process."""

    def run_here(*arguments: str, **environ: str) -> Ended:
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            for name, text in environ.items():
                patch.setenv(name, text)
            name, *rest = arguments
            module = importlib.import_module(f"wamp_bridge_server.cli._{name}")
            result = CliRunner().invoke(module.command, rest)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout.splitlines(), result.stderr.splitlines())

    return run_here


def test_a_command_serves_a_procedure_and_others_call_it(
    start: Start, run: Run, tmp_path: Path, bridge_url: str, peer: Bridge
) -> None:
    environ = {"WAMP_BRIDGE_URL": bridge_url, "WAMP_BRIDGE_TOKEN": token_of("shop")}
    (tmp_path / "echo.py").write_text(ECHO)
    line = (sys.executable, "echo.py")
    serving = start("register", "com.x.", "--match", "wildcard", "--argv", "--", *line, **environ)
    eventually_sync(lambda: "com.x. is live" in serving.err)

    arguments = ("com.x.y", "1", '{"a": [true]}', "plain text", "-k", "n=null", "-k", "s=a=b")
    called = run("call", *arguments, **environ)
    assert called.status == 0
    assert json.loads(called.out[0]) == [
        "com.x.y",
        [1, {"a": [True]}, "plain text"],
        {"n": None, "s": "a=b"},
        ["1", '{"a":[true]}', "plain text"],
    ]
    failed = run("call", "com.x.y", "fail", **environ)
    assert failed.status == 1
    assert failed.err[-1].startswith("Error: wamp.error.runtime_error ")
    assert "ended with status 3" in failed.err[-1]
    assert "not today" in failed.err[-1]
    with pytest.raises(CallTimeout):
        peer.call("com.x.y", ["hang"], timeout=0.5)
    with pytest.raises(ApplicationError):
        peer.call("com.x.y", ["fail"], {"self": 1, "args": 2})
    assert serving.end(signal.SIGINT) == 0
    with pytest.raises(NoSuchProcedure):
        peer.call("com.x.y")


def test_what_a_command_leaves_behind_holds_nobody_up(
    start: Start, tmp_path: Path, bridge_url: str, peer: Bridge
) -> None:
    environ = {"WAMP_BRIDGE_URL": bridge_url, "WAMP_BRIDGE_TOKEN": token_of("shop")}
    line = ("sh", "-c", 'eval "$0"')
    serving = start("register", "com.sh.x", "--argv", "--", *line, **environ)
    eventually_sync(lambda: "com.sh.x is live" in serving.err)

    assert peer.call("com.sh.x", [r"printf '\000\001\377'"]) == b"\x00\x01\xff"
    with pytest.raises(ApplicationError, match="embedded null byte"):
        peer.call("com.sh.x", ["echo a\0b"])
    behind = "sleep 60 & "  # which keeps standard output open
    with pytest.raises(CallTimeout):
        peer.call("com.sh.x", [behind], timeout=0.5)
    with ThreadPoolExecutor() as pool:
        called = pool.submit(peer.call, "com.sh.x", [f"{behind} touch begun"])
        eventually_sync((tmp_path / "begun").exists)
        assert serving.end(signal.SIGINT) == 0
        with pytest.raises(Unavailable, match="sh was ended"):
            called.result()


def test_events_are_printed_as_they_come(
    start: Start, run: Run, tmp_path: Path, bridge_url: str, shop: Bridge
) -> None:
    (tmp_path / "secret").write_text(SECRET)
    environ = {"WAMP_BRIDGE_URL": bridge_url, "WAMP_BRIDGE_APP": "shop"}
    signing = ("--secret", "file:secret")
    following = start("subscribe", "com.sh", "--match", "prefix", *signing, **environ)
    few = start("subscribe", "com.sh.sold", "--count", "2", *signing, **environ)
    for program in (following, few):
        eventually_sync(functools.partial(_said, program.err, "is live"))

    publications = []
    for number in range(2):
        arguments = ("com.sh.sold", str(number), "-k", "self=1", "-o", "exclude_me=false")
        published = run("publish", *arguments, *signing, **environ)
        assert published.status == 0
        publications.append(int(published.out[0]))
    assert few.end() == 0
    eventually_sync(lambda: len(following.out) == 2)
    for program in (few, following):
        events = [json.loads(line) for line in program.out]
        assert [event["publication"] for event in events] == publications
        assert events[1]["args"] == [1]
        assert events[1]["kwargs"] == {"self": 1}
        assert events[1]["topic"] == "com.sh.sold"
    assert following.end(signal.SIGTERM) == 0
    assert shop.subscriptions() == []
    assert shop.count_dead_letters() == 0


def _said(lines: list[str], text: str) -> bool:
    return any(text in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("call", "com.x"), "Error: WAMP_BRIDGE_URL is not set"),
        (("call", "com.x", "-k", "x"), "Error: 'x' is not of the form NAME=VALUE"),
        (("call", "com..x", "--url", "http://h/", "--token", "env:T"), "Error: "),
        (("publish", "com.x", "--token", "env:NONE"), "Error: Invalid value for --token: "),
        (("register", "a b", "--", "cat"), "Error: 'a b' holds white space"),
        (("register", "", "--", "cat"), "Error: a WAMP URI must be"),
        (("subscribe", "com..x", "--match", "prefix"), "Error: 'com..x' has an empty component"),
        (("register", "com.x"), "Error: there is no command"),
        (("subscribe", "com.x", "--listen", "here"), "Error: Invalid value for --listen: "),
    ],
)
def test_bad_usage_is_one_line(run: Run, arguments: tuple[str, ...], line: str) -> None:
    ended = run(*arguments, T="t")
    assert ended.status == 2
    assert ended.err[-1].startswith(line)


@pytest.mark.parametrize("arguments", [("call", "com.x"), ("register", "com.x", "--", "cat")])
def test_an_unreachable_bridge_is_no_bad_usage(run: Run, arguments: tuple[str, ...]) -> None:
    where = ("--url", "http://127.0.0.1:1/", "--token", "env:T")
    ended = run(arguments[0], *where, *arguments[1:], T="t")
    assert ended.status == 1
    assert "could not be reached" in ended.err[-1]


def test_how_it_stands_is_told_where_that_is_new(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_serving, "_RENEWAL_SECONDS", 0.001)
    settings = Settings(url="http://127.0.0.1:1/", token="t")
    serving = _serving.Serving(settings, Registry(), "127.0.0.1:0", None)
    away = BridgeUnreachable("it is away")
    taken = SimpleNamespace(uri="com.x", state="refused", reason="it is taken")
    live = SimpleNamespace(uri="com.x", state="live", reason=None)
    coming = iter([live, live, away, away, taken, taken, live])

    def hold(_bridge: Bridge, _url: str) -> list[object]:
        entry = next(coming, None)
        if entry is None:
            serving.stopped.set()
        if isinstance(entry, Exception):
            raise entry
        return [entry or live]

    released: list[str] = []
    serving.run(settings, "http://h/", hold, lambda _, url: released.append(url))
    assert capsys.readouterr().err.splitlines() == [
        "com.x is live",
        "wamp-bridge: not renewed: it is away",
        "com.x is refused: it is taken",
        "com.x is live",
    ]
    assert released == ["http://h/"]


def test_values_are_json_or_texts() -> None:
    assert [value(text) for text in ("1", "1.5", "null", '"1"', "NaN", "a b", "[1", "")] == [
        *(1, 1.5, None, "1", "NaN", "a b", "[1", ""),
    ]
    assert named(["a=1", "b="]) == {"a": 1, "b": ""}
