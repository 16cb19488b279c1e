"""Answers of apps, made of octets: good ones, bad ones, and what is no answer at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support.fuzzing import values
from wamp_bridge_server.callbacks.answers import RESULT_TYPE

if TYPE_CHECKING:
    from support.fuzzing.tape import Tape


def answer_to(tape: Tape, kind: str) -> bytes:
    """The octets with which an app answers a message of a kind, before it closes the connection."""
    status = tape.pick(_STATUSES) if tape.chance(3) else 200
    body = values.spoilt(tape, _document(tape, kind))
    media_type = tape.pick(("application/json", RESULT_TYPE, RESULT_TYPE, *_TYPES))
    lines = [f"HTTP/1.1 {status} Whatever", f"content-type: {media_type}"]
    if tape.chance(8):
        lines.append(tape.pick(_HEADERS))
    framing = tape.below(16)
    if framing == 15:
        lines.append(tape.pick(_FRAMINGS))
    elif framing != 14:  # there the end of the connection is that of the body
        lines.append(f"content-length: {len(body)}")
    octets = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body
    if framing == 13:
        octets = tape.changed(octets, (b"\r\n", b"\0", b"HTTP/0.9", b"HTTP/1.1 100 x\r\n\r\n"))
    return octets[: tape.below(len(octets))] if framing == 12 and tape.chance(2) else octets


def _document(tape: Tape, kind: str) -> dict[str, Any]:
    if kind == "manifest":
        return {
            "protocol": tape.pick((1, 2, "1", None)) if tape.chance(6) else 1,
            "procedures": {values.uri(tape): _entry(tape) for _ in range(tape.below(3))},
            "topics": {values.uri(tape): _entry(tape) for _ in range(tape.below(3))},
            "callbacks": ["a", tape.text(4)],
        }
    if tape.chance(3):
        error = {"error": values.uri(tape), "args": [values.value(tape)]}
        return error if tape.below(2) else {**error, "kwargs": {"a": values.value(tape)}}
    return {"args": [values.value(tape), 1], "kwargs": {tape.text(4): values.value(tape)}}


def _entry(tape: Tape) -> Any:
    if tape.chance(8):
        return values.value(tape)
    more = {"match": ("exact", "prefix", "wildcard", "x", 1), "concurrency": (1, 0, "1", 10**9)}
    chosen = {name: tape.pick(of) for name, of in more.items() if tape.chance(4)}
    return {
        "url": tape.pick(("rpc/x/", "../x", "//evil.example/", "http://[", "", "x" * 3000)),
        **chosen,
    }


_STATUSES = (
    *(201, 204, 205, 206, 301, 302, 304, 307, 400, 401, 403, 404, 409, 418, 422, 429),
    *(431, 499, 500, 501, 502, 503, 504, 599, 999, 1000, 100, 101, 103, 0),
)
_TYPES = ("text/html", f"{RESULT_TYPE}; charset=x", "", ";", "\x80", "application/json, x")
_HEADERS = (
    *("retry-after: 1e9", "retry-after: -1", "retry-after: " + "9" * 400, "retry-after: soon"),
    *("location: http://169.254.169.254/", "set-cookie: a=b", "content-encoding: gzip"),
    *("content-encoding: br", "connection: upgrade\r\nupgrade: websocket", "x: " + "y" * 40_000),
    *("trailer: x", " folded", "no colon", "x\x00: y", "content-type: text/plain", "date: never"),
)
_FRAMINGS = (
    *("content-length: 1", "content-length: 99999999", "content-length: -1", "content-length: x"),
    *(
        "transfer-encoding: chunked",
        "transfer-encoding: gzip",
        "content-length: 1\r\ncontent-length: 2",
    ),
    *(
        "transfer-encoding: chunked\r\n\r\n5\r\nab",
        "transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    ),
)
