"""Requests to the bridge, made of octets: most of them good, others wrong in all sorts of ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from support.fuzzing import values
from support.fuzzing.routes import QUERIES, ROUTES, World
from support.signing import COVERED, Headers, crossbar_query, parameters, sign

if TYPE_CHECKING:
    from support.fuzzing.tape import Tape


@dataclass(frozen=True)
class Asked:
    """A request as it goes out.

    Attributes:
        octets: All of it.
        whole: Whether it is HTTP beyond doubt, so that there must be one answer to it.
        head: Whether the answer has no body.
    """

    octets: bytes
    whole: bool
    head: bool = False


def asked(tape: Tape, world: World) -> Asked:
    """A request."""
    method, path, document = tape.pick(ROUTES)(tape, world)
    body = values.spoilt(tape, document) if document is not None else b""
    if tape.chance(16):
        method = tape.pick(_METHODS)
    if tape.chance(24):
        path = tape.pick(_PATHS)
    if tape.chance(24):
        path += tape.pick(QUERIES)
    if document is None and tape.chance(24):
        body = values.text_of(values.value(tape))
    headers, path, body = _with_credentials(tape, world, method, path, body)
    if tape.chance(8):
        headers.append(tape.pick(_HEADERS))
    if tape.chance(32):
        headers = [header for header in headers if header[0] != tape.pick(_LEFT_OUT)]
    return _written(tape, method, path, headers, body)


_METHODS = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "PATCH",
    "OPTIONS",
    "TRACE",
    "QUERY",
    "M-SEARCH",
)
_PATHS = (
    *(
        "/",
        "//",
        "/call//",
        "/call/%00/",
        "/call/%FF%FE/",
        "/call/%C0%80/",
        "/call/a/b/",
        "/call/%/",
    ),
    *("/metrics", "/openapi.json", "/dead-letters/", "/events/com.fuzz.a/", "/CALL/com.fuzz.a/"),
    *("/call/../register/", "/call/com.fuzz.a;x=1/", "/health/live/../ready", "/x" * 3000, "/%zz"),
    *("*", "http://127.0.0.1/health/live", "http://evil.example/register/", "//evil.example/call"),
    *("/call/" + "%41" * 400 + "/", "/call/" + "a" * 20_000, "/publish/" + "%F0%9F%98%80" * 1100),
)
_HEADERS: Headers = [
    *(("wamp-bridge-protocol", version) for version in ("1", "2", "", "one", "1, 2")),
    *(
        ("content-type", kind)
        for kind in ("text/plain", "application/json; charset=latin-1", ";", "")
    ),
    ("content-type", "multipart/form-data; boundary=x"),
    ("content-encoding", "gzip"),
    ("content-encoding", "identity"),
    ("expect", "100-continue"),
    ("expect", "200-ok"),
    ("prefer", "respond-async"),
    ("prefer", 'respond-async; wait=1, "'),
    ("upgrade", "websocket"),
    ("upgrade", "h2c"),
    ("connection", "keep-alive, te"),
    ("connection", "close"),
    ("cookie", "a=b; " * 50),
    ("x", "y" * 8_000),
    ("x", "y" * 33_000),
    ("accept", "text/event-stream"),
    ("range", "bytes=0-1"),
    ("origin", "http://evil.example"),
    ("x-forwarded-host", "evil.example"),
    ("forwarded", "for=127.0.0.1;host=evil.example"),
    ("x-http-method-override", "DELETE"),
    ("idempotency-key", "\x80\xff"),
    *(("idempotency-key", key) for key in ("a", '"a"', '"b c"', "b c", "", "x" * 300) * 3),
    ("last-event-id", "0"),
    ("if-none-match", "*"),
    ("host", "evil.example"),
    ("transfer-encoding", "gzip, chunked"),
    ("authorization", "Bearer"),
    ("authorization", "Basic dG9rZW46"),
    ("signature", "sig=:AAAA:"),
    ("signature-input", 'sig=("@method");tag="wamp-bridge"'),
]
_LEFT_OUT = ("host", "authorization", "signature", "signature-input", "content-digest")


_CROSSBARS = ("/call", "/publish")


def _with_credentials(
    tape: Tape, world: World, method: str, path: str, body: bytes
) -> tuple[Headers, str, bytes]:
    kind = tape.below(24)
    host = [("host", world.host)]
    token = world.tokens[tape.pick(("shop", "bank"))]
    if kind == 23:
        return host, path, body
    if kind == 22:
        wrong = (token[:-1], "", f"{token} ", "é", f"x{token}")
        return [*host, ("authorization", f"Bearer {tape.pick(wrong)}")], path, body
    if kind >= 16 and path in _CROSSBARS:
        key, secret = world.crossbar
        changed: dict[str, str | None] = {}
        if kind == 16:
            name = tape.pick(("timestamp", "seq", "nonce", "signature", "key"))
            changed = {name: tape.pick(("", "0", "-1", "é", None, "9" * 300, "\uff11"))}
        query = crossbar_query(changed.pop("key", key), secret, body, **changed)
        return [*host, ("content-type", "application/json")], path + query, body
    if kind >= 12:
        return _signed(tape, world, method, path, body), path, body
    if kind >= 9 and body.startswith(b"{") and len(body) > 2:
        return host, path, b'{"token":"%b",' % token.encode() + body[1:]
    return [*host, ("authorization", f"Bearer {token}")], path, body


def _signed(tape: Tape, world: World, method: str, path: str, body: bytes) -> Headers:
    changed: dict[str, str | None] = {}
    covered = None
    if tape.chance(6):
        name = tape.pick(("created", "keyid", "nonce", "tag", "alg", "expires", "x"))
        changed = {name: tape.pick(_OF_SIGNATURES)}
    elif tape.chance(12):
        covered = tuple(tape.pick(COVERED) for _ in range(tape.below(6)))
    written = parameters(**changed)
    headers = sign(world.secret, method, world.host, path, body, written=written, covered=covered)
    if tape.chance(12):
        at = tape.below(len(headers))
        name, text = headers[at]
        pieces = (b'"', b";", b"=", b",", b"(", b")", b":", b" ", b'tag="wamp-bridge"', b"sig=")
        headers[at] = name, tape.changed(text.encode(), pieces).decode("latin-1")
    return headers


_OF_SIGNATURES = (
    *(
        "0",
        "99999999999",
        "-1",
        "1.5",
        '""',
        '"shop"',
        '"bank"',
        '"nobody"',
        "?1",
        ":AAAA:",
        "x",
        None,
    ),
    *(
        f'"{"n" * 21}"',
        f'"{"n" * 22}"',
        f'"{"n" * 257}"',
        '"hmac-sha256"',
        '"ed25519"',
        '"wamp-bridge"',
    ),
)


def _written(tape: Tape, method: str, path: str, headers: Headers, body: bytes) -> Asked:
    whole = path.startswith("/") and path.isascii() and " " not in path
    lines = [f"{method} {path} HTTP/1.1".encode()]
    for name, text in headers:
        line = f"{name}: {text}".encode("latin-1", "replace")
        # What is no HTTP may be cut off, or taken for the beginning of something longer.
        whole = whole and line.isascii() and line[len(name) :].decode().isprintable()
        whole = whole and name not in {"transfer-encoding", "upgrade"}
        lines.append(line)
    framing = tape.below(24)
    if framing == 23 and len(body) > 1:
        half = len(body) // 2
        lines.append(b"transfer-encoding: chunked")
        parts = (body[:half], body[half:], b"")
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    elif framing == 22:
        whole = False
        lines.append(tape.pick(_FRAMINGS))
    elif body or method not in {"GET", "HEAD", "DELETE"}:
        lines.append(b"content-length: %d" % len(body))
    octets = b"\r\n".join([*lines, b"", b""]) + body
    if framing == 21:
        whole = False
        octets = tape.changed(octets, _NO_HTTP)
    elif framing == 20 and tape.chance(2):
        whole = False
        octets = octets[: tape.below(len(octets))]
    return Asked(octets, whole, head=method == "HEAD")


_FRAMINGS = (
    *(
        b"content-length: 99999999",
        b"content-length: -1",
        b"content-length: 1, 1",
        b"content-length: +1",
    ),
    *(b"content-length: 0\r\ncontent-length: 5", b"content-length: 0x5", b"content-length: 1e1"),
    *(
        b"content-length: " + b"9" * 400,
        b"content-length : 0",
        b"content-length:\t0",
        b"content-length: ",
    ),
    *(b"transfer-encoding: chunked\r\ncontent-length: 5", b"transfer-encoding: chunked, chunked"),
    *(
        b"transfer-encoding: x",
        b"transfer-encoding:\x0bchunked",
        b"transfer-encoding: chunked\r\n\r\nx",
    ),
    *(
        b"transfer-encoding: chunked\r\n\r\n-1\r\n",
        b"transfer-encoding: chunked\r\n\r\n0\r\nx: y\r\n",
    ),
    *(
        b"transfer-encoding: chunked\r\n\r\n5\r\nab",
        b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    ),
    *(
        b" folded: x",
        b"x: y\r\n folded",
        b"no colon",
        b"x\x00: y",
        b"x: y\x00",
        b": nameless",
        b"x: y\nz: w",
    ),
)
_NO_HTTP = (
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b":",
        b"HTTP/1.0",
        b"HTTP/2.0",
        b"HTTP/1.1\r\n\r\n",
        b"\xff",
    ),
    *(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", b"\r\n\r\n"),
)
