"""What stands in requests and envelopes: JSON, good and bad, WAMP's URIs, and URLs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from support.fuzzing.tape import Tape


class Written(str):
    """JSON as it stands, whether or not it is any."""

    __slots__ = ()


_PLAIN: tuple[Any, ...] = (
    *(1, "a", None, True, 0, -1, 1.5, "", "é", "\U0001f600", False, [], {}),
    *(2**53, 2**63 - 1, 2**64 - 1, -(2**63), 1e308, 5e-324, "x" * 300, "\0aGk=", "\0"),
    *("com.fuzz.a", "http://127.0.0.1:1/", "sha256", "\x1f", "\u2028"),
)
_ODD = tuple(
    Written(text)
    for text in (
        *("1e999", "-1e999", "NaN", "Infinity", "01", "+1", ".5", "1.", "0x1", "nul", "'a'", ""),
        *('"\\ud800"', '"\\udc00a"', '"\\u0000"', '"\\u0000!"', '"\\u0000aGk"', '"\\u00"', '"\\x"'),
        *(str(2**64), str(-(2**63) - 1), "1" * 400, "1" * 5000, "-0", "1E+2", "9" * 25 + ".0"),
        *("[" * 61 + "]" * 61, "[" * 63 + "]" * 63, "[" * 70 + "]" * 70, "[" * 2000),
        *('{"a":' * 66 + "1" + "}" * 66, '{"a":1,"a":2}', '{"":1}', '"\x01"', "[1,]", "{,}"),
    )
)
PIECES = tuple(
    text.encode("utf-8", "surrogateescape")
    for text in (
        *('"', "\\", "{", "}", "[", "]", ",", ":", "null", "\0", "\\u0000", "\\ud800", "1e999"),
        *('"token"', '"args"', "\r\n", "\x7f", "\u2028", "é", "\udcff", "\udcc3", "\ufeff"),
    )
)


def value(tape: Tape, depth: int = 3) -> Any:
    """Any value, mostly one of JSON's."""
    kind = tape.below(32)
    if kind >= 28 or depth == 0:
        return tape.pick(_ODD) if kind >= 30 else tape.text(12)
    if kind >= 24:
        return [value(tape, depth - 1) for _ in range(tape.below(4))]
    if kind >= 20:
        return {tape.text(6): value(tape, depth - 1) for _ in range(tape.below(4))}
    return tape.pick(_PLAIN)


def text_of(document: Any) -> bytes:
    """A document as JSON, with what is `Written` as it stands."""
    if isinstance(document, Written):
        return document.encode()
    if isinstance(document, dict):
        members = (text_of(name) + b":" + text_of(item) for name, item in document.items())
        return b"{" + b",".join(members) + b"}"
    if isinstance(document, list):
        return b"[" + b",".join(map(text_of, document)) + b"]"
    return json.dumps(document, ensure_ascii=False).encode()


def spoilt(tape: Tape, document: dict[str, Any]) -> bytes:
    """A document as JSON, now and then with a member of another type, or broken."""
    kind = tape.below(20)
    if kind == 17:
        names = [*document, "token", "args", "more", ""]
        document = {**document, tape.pick(names): value(tape)}
    elif kind == 18:
        return tape.changed(text_of(document), PIECES)
    elif kind == 19:
        return text_of(value(tape))
    return text_of(document)


_NAMES = ("a", "b", "c", "a.b", "d.é", "\U0001f600")
_ODD_URIS = (
    *(
        "",
        ".",
        "..",
        "com..fuzz",
        "com.fuzz.",
        ".com",
        "com fuzz",
        "com.fuzz#a",
        "wamp.session.count",
    ),
    *("wamp.session.kill", "wamp", "w", "com", "com.fuzz.\0", "com.fuzz.\t", "com.fuzz.\u2028"),
    *("x" * 1024, "x" * 1025, "é" * 1024, "a." * 500 + "a", "com.fuzz.a/b", "com.fuzz.a?b", "~Li4"),
    *("com.fuzz.%41", "com.fuzz.\\", "com.fuzz.\ufeff", "com.fuzz.\u00a0", "\U0001f600" * 1024),
)


def uri(tape: Tape) -> str:
    """A WAMP URI, mostly a good one."""
    if tape.chance(6):
        return tape.pick(_ODD_URIS)
    if tape.chance(12):
        return tape.text(20)
    return f"com.fuzz.{tape.pick(_NAMES)}"


_ODD_URLS = (
    *(
        "http://169.254.169.254/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://0xa9fea9fe/",
        "http://127.1/",
    ),
    *("http://①②⑦.0.0.1/", "http://[::1%25eth0]/", "http://[::1/", "http://a:b@c/", "http://c/#d"),
    *("ftp://c/", "//c/", "c", "", "http://", "http:///", "http://c:0/", "http://c:65536/"),
    *("http://c:x/", "http://\\c/", "http://c\n/", "http://c /", "http://" + "c" * 64 + "/"),
    *(
        "http://" + "c." * 130 + "/",
        "http://c/" + "d" * 2040,
        "HTTP://C.:80/",
        "http://[]/",
    ),
    *(
        "http://1/",
        "http://c:/",
        "http://c:+80/",
        "http://c:\uff18\uff10/",
        "http://[v1.c]/",
        "http://c%2f/",
    ),
)


def url(tape: Tape, good: str) -> str:
    """A URL for callbacks, mostly one below a good one that ends in a slash."""
    if tape.chance(5):
        return tape.pick(_ODD_URLS)
    if tape.chance(16):
        return f"http://{tape.text(20)}"
    return good + tape.pick(("", "x/", "y/", "%7Ex/?a=b", "é/"))
