"""The bridge's logs: readable lines on a terminal, a JSON object a line elsewhere.

Every module that logs has `log = structlog.get_logger("wamp_bridge.NAME")` at its top and calls
`log.info("what happened", key=value)`: the event is a constant sentence without a full stop, what
varies is in the keys, and neither holds a token, a secret or the body of a user. `request_id` is
the key of a request's id, `app` that of an app's name, `reason` of why something failed.

Nothing is bound to tasks or threads (no contextvars); a call below the level returns before
anything is formatted. What other libraries log through `logging` comes out in the same form, from
warnings upwards, for below them autobahn and SQLAlchemy write what they carry.
"""

from __future__ import annotations

import contextlib
import json as json_module
import logging
import os
import sys
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

LEVELS = ("debug", "info", "warning", "error", "critical")

_PREFIX = "wamp_bridge."
_COLOURS = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "1;31"}
_EVENT_WIDTH = 28


def configure(stream: TextIO | None = None, json: bool | None = None, level: str = "info") -> None:
    """Set up logging for this process, again if need be.

    Args:
        stream: Where lines go, one write each; standard error by default. What can't be written
            is dropped: a full disk or a closed pipe must not end the bridge.
        json: Whether lines are JSON; by default when the stream is no terminal.
        level: The lowest level that is shown, one of `LEVELS`.
    """
    target = sys.stderr if stream is None else stream
    terminal = target.isatty()
    colours = terminal and not os.environ.get("NO_COLOR")
    _output.stream = target
    _output.render = _json_line if json or (json is None and not terminal) else _Console(colours)
    number = getattr(logging, level.upper())
    structlog.configure(
        processors=[_render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_Logger,
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Foreign)]:
        root.removeHandler(handler)
    root.addHandler(_Foreign())
    root.setLevel(max(number, logging.WARNING))
    logging.captureWarnings(True)


class _Output:
    """Where everything goes. One for the process, so that loggers that are cached follow it."""

    def __init__(self) -> None:
        self.stream: TextIO = sys.stderr
        self.render: Callable[[MutableMapping[str, Any]], str] = _json_line

    def write(self, line: str) -> None:
        # ValueError: the stream was closed.
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(line + "\n")
            self.stream.flush()


class _Logger:
    """What structlog writes to; it has the logger's name."""

    __slots__ = ("name",)

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        _output.write(line)

    debug = info = warning = error = critical = msg


class _Foreign(logging.Handler):
    """Takes what libraries log."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):  # a mistake of theirs in the arguments
            text = str(record.msg)
        fields: dict[str, Any] = {"event": text}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        _output.write(_line(record.name, record.levelname.lower(), fields))


def _render(logger: _Logger, level: str, fields: MutableMapping[str, Any]) -> str:
    return _line(logger.name, level, fields)


def _line(name: str, level: str, fields: MutableMapping[str, Any]) -> str:
    exc_info = fields.pop("exc_info", None)
    event = fields.pop("event", "")
    line = {"level": level, "logger": name, "event": event, **fields}
    if exc_info and (trace := _traceback(exc_info)):
        line["exception"] = trace
    return _output.render(line)


def _traceback(exc_info: Any) -> str:
    if isinstance(exc_info, BaseException):
        error: BaseException | None = exc_info
    elif isinstance(exc_info, tuple):
        error = exc_info[1]
    else:
        error = sys.exc_info()[1]
    return "".join(traceback.format_exception(error)).rstrip() if error else ""


def _json_line(line: MutableMapping[str, Any]) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json_module.dumps({"time": now, **line}, default=repr)


class _Console:
    """Time, level, logger and event in columns, then the fields; a traceback below."""

    def __init__(self, colours: bool) -> None:
        self._colours = colours

    def __call__(self, line: MutableMapping[str, Any]) -> str:
        fields = dict(line)
        level = fields.pop("level")
        name = fields.pop("logger").removeprefix(_PREFIX)
        event = _plain(fields.pop("event"))
        trace = fields.pop("exception", "")
        now = datetime.now().astimezone().strftime("%H:%M:%S.%f")[:-3]
        what = f"{name}: {event}" if name else event
        pairs = " ".join(self._paint(f"{key}=", "36") + _value(fields[key]) for key in fields)
        text = " ".join(
            (
                self._paint(now, "2"),
                self._paint(f"{level:<7}", _COLOURS.get(level, "0")),
                f"{what:<{_EVENT_WIDTH}} {pairs}" if pairs else what,
            )
        )
        return "\n    ".join([text, *trace.splitlines()])

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colours else text


def _value(value: object) -> str:
    text = str(value)
    bare = text.isprintable() and not set(text) & set(" \"'=") and text != ""
    return text if bare else repr(text)


def _plain(event: object) -> str:
    """An event on one line, whatever a library put into it."""
    text = str(event).strip()
    return text if text.isprintable() else repr(text)[1:-1]


_output = _Output()
