"""What the logs look like, for people and for programs."""

from __future__ import annotations

import io
import json
import logging as stdlib_logging
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from wamp_bridge_server import logging

if TYPE_CHECKING:
    from collections.abc import Iterator


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, text)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave no handler, and no hook for warnings, to other tests."""
    yield
    structlog.reset_defaults()
    stdlib_logging.captureWarnings(False)
    root = stdlib_logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, logging._Foreign)]:
        root.removeHandler(handler)
    root.setLevel(stdlib_logging.WARNING)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_for_programs() -> None:
    stream = io.StringIO()
    logging.configure(stream)
    log = structlog.get_logger("wamp_bridge.http")
    log.info("request finished", status=200, request_id="r1", thing={1}, text="a\nb✓")
    (line,) = lines(stream)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {
        "level": "info",
        "logger": "wamp_bridge.http",
        "event": "request finished",
        "status": 200,
        "request_id": "r1",
        "thing": "{1}",
        "text": "a\nb✓",
    }


def test_a_line_for_people() -> None:
    stream = io.StringIO()
    logging.configure(stream, json=False)
    log = structlog.get_logger("wamp_bridge.http")
    log.warning("request refused", status=422, path="/a b", text="x\ny\x1b[31m", empty="")
    (line,) = stream.getvalue().splitlines()
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d\.\d{3} warning http: request refused        "
        r"status=422 path='/a b' text='x\\ny\\x1b\[31m' empty=''",
        line,
    )


def test_colours_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    logging.configure(stream)
    structlog.get_logger("wamp_bridge.http").info("joined")
    assert "\x1b[32minfo" in stream.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    logging.configure(stream)
    structlog.get_logger("wamp_bridge.http").info("joined")
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("json", [True, False])
def test_an_exception_is_told_whole(json: bool) -> None:
    stream = io.StringIO()
    logging.configure(stream, json=json)
    log = structlog.get_logger("wamp_bridge.http")
    try:
        int("gone")
    except ValueError as error:
        log.exception("request failed", request_id="r1")
        failure = error
    log.error("request failed", exc_info=failure)
    log.error("no exception", exc_info=True)  # noqa: LOG014 - a mistake
    assert stream.getvalue().count("ValueError: invalid") == 2
    assert stream.getvalue().count("Traceback") == 2


def test_what_is_below_the_level_costs_nothing() -> None:
    class Costly:
        def __str__(self) -> str:
            raise AssertionError("formatted")

        __repr__ = __str__

    stream = io.StringIO()
    logging.configure(stream, level="warning")
    log = structlog.get_logger("wamp_bridge.x")
    log.debug("never", thing=Costly())
    log.info("never %s", Costly())
    log.warning("once")
    assert [line["event"] for line in lines(stream)] == ["once"]


def test_a_logger_follows_a_second_configuration() -> None:
    first, second = io.StringIO(), io.StringIO()
    log = structlog.get_logger("wamp_bridge.x")
    logging.configure(first)
    log.info("first")
    logging.configure(second, json=False)
    log.info("second")
    assert [line["event"] for line in lines(first)] == ["first"]
    assert "info    x: second" in second.getvalue()


OTHER_LIBRARIES = """
import logging, warnings
from wamp_bridge_server.logging import configure
configure(level="debug")
configure(level="debug")  # again, and no line comes twice
other = logging.getLogger("aiohttp.server")
other.info("no")
other.warning("slow: %d", 3)
other.error("wrong %s arguments %s", "number of")
try:
    {}["gone"]
except KeyError:
    other.exception("handler failed")
warnings.warn("careful")
"""


def test_other_libraries_come_through_from_warnings_upwards() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OTHER_LIBRARIES], capture_output=True, text=True, check=True
    )
    found = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["logger"], line["level"], line["event"]) for line in found[:3]] == [
        ("aiohttp.server", "warning", "slow: 3"),
        ("aiohttp.server", "error", "wrong %s arguments %s"),
        ("aiohttp.server", "error", "handler failed"),
    ]
    assert "KeyError: 'gone'" in found[2]["exception"]
    assert found[3]["logger"] == "py.warnings"
    assert "careful" in found[3]["event"]
    assert len(found) == 4


def test_a_stream_that_fails_does_not_stop_anyone() -> None:
    logging.configure(Broken())
    structlog.get_logger("wamp_bridge.x").info("to a full disk")
    closed = io.StringIO()
    logging.configure(closed)
    closed.close()
    structlog.get_logger("wamp_bridge.x").info("to nobody")


def test_a_program_that_logs_to_a_pipe() -> None:
    program = (
        "import structlog; from wamp_bridge_server import logging; logging.configure();"
        "structlog.get_logger('wamp_bridge.x').info('here')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stderr)["event"] == "here"
    assert done.stdout == ""
