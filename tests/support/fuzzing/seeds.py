"""What parsers are fed to begin with, and the pieces that changes of it are made of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import cbor2
import msgpack

from support.fuzzing.values import PIECES
from support.vectors import vectors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_REQUESTS = [
    dict(vector["headers"]) | {"body": vector["body"]}
    for kind in ("accepted", "refused", "ignored")
    for vector in vectors("requests")[kind]
]


def _of_requests(*names: str) -> list[bytes]:
    found = ("\n".join(request.get(name, "") for name in names) for request in _REQUESTS)
    return [text.encode("utf-8", "surrogateescape") for text in dict.fromkeys(found)]


def _json(documents: Iterable[Any]) -> list[bytes]:
    return [json.dumps(document).encode() for document in documents]


def _octets(*texts: str) -> list[bytes]:
    return [text.encode() for text in texts]


_ENVELOPES = vectors("envelopes")
_VALUES = [vector["text"] for vector in vectors("values")["values"]]
_QUERY = "key=shop&timestamp=2023-11-14T22:13:20.000Z&seq=1&nonce=2&signature=AAAA"
_MANIFEST = {
    "protocol": 1,
    "procedures": {"com.a": {"url": "rpc/a/", "match": "exact", "invoke": "single", "timeout": 1}},
    "topics": {"com.b": {"url": "../b", "match": "prefix", "fanout": True, "concurrency": 5}},
    "callbacks": ["c"],
}
_CONFIGURATION = f"""
listen = "127.0.0.1:8181"
public_urls = ["https://a.example"]
router = {{ url = "rs://127.0.0.1:8080", realm = "r", auth = {{ method = "anonymous" }} }}
[apps.shop]
tokens = [{{ token = "sha256:{"0" * 64}", expires = 2030-01-01T00:00:00Z }}]
callbacks = ["10.0.0.0/8:*"]
sources = ["http://10.0.0.5:8000/wamp/"]
allow = {{ call = ["com.a"], publish = ["*"] }}
rate = 5.5
"""
_BODIES = (
    {"endpoints": {"com.a": "http://127.0.0.1/"}, "lease": 5, "token": "t"},
    {"endpoints": {"com.a": {"url": "http://127.0.0.1/", "match": "exact", "invoke": "first"}}},
    {"endpoints": ["com.a"], "match": "exact"},
    {"params": [1], "timeout": 1.5, "callback": "http://127.0.0.1/", "options": {}},
    {"args": [1], "kwargs": {"a": 1}, "options": {"acknowledge": True, "eligible": [1]}},
    {"url": "http://127.0.0.1/", "wait": True},
)
_URLS = (
    *("http://127.0.0.1:8000/wamp/", "https://app.example:8000/x?y=z", "http://[fd00::1]:8000/"),
    *("http://[::ffff:10.0.0.1]/", "http://app.example./", "http://user:pw@h/", "http://0x7f.1/"),
    *("http://app.example:8000", "http://app.example:08000/", "HTTP://APP.EXAMPLE:8000/%2e/"),
)

SEEDS: Mapping[str, Sequence[bytes]] = {
    "structured_fields": _of_requests("signature-input") + _of_requests("content-digest"),
    "signatures": _of_requests("signature-input", "signature", "content-digest", "body"),
    "crossbars_query": _octets(
        _QUERY, _QUERY.replace("=", "%3D"), "key=&key=a&timestamp=", "seq=1;"
    ),
    "json_values": _octets(*_VALUES, '{"a":[1,{"b":"\\u0000aGk="}]}', "[1e5,-0.0,1E-5]"),
    "uris": _octets("com.shop.price", "com..x", "wamp.a", "a.b#", "é.\u2028", ""),
    "request_bodies": _json(_BODIES)
    + [cbor2.dumps(body) for body in _BODIES]
    + [msgpack.packb(body) for body in _BODIES],
    "envelopes": _json([vector["body"] for vector in _ENVELOPES["envelopes"]]),
    "webhooks": _octets("msg_1\n1700000000\nv1,AAAA v1,BBBB v2,CCCC", "\n-1\n", "a\n1e9\nv1,"),
    "answers": _octets(*(f"\0{which}{text}" for which in "\0\1" for text in _VALUES))
    + _octets('\0\1{"args":[1],"kwargs":{"a":2}}', '\3\0{"error":"com.a","args":[],"kwargs":{}}'),
    "source_manifests": _json([_MANIFEST, {"protocol": 1}]),
    "callback_urls": _octets(*_URLS),
    "callback_rules": _octets(
        "127.0.0.1:*", "[fd00::]/8:8000", "app.internal:80", "10.0.0.0/8:443"
    ),
    "hosts": _octets("bridge.example:443", "BRIDGE.example", "[::1]:80", "localhost:", "127.0.0.1"),
    "pages": _octets("5\nYWZ0ZXI6YQ", "1000\n", "１\n="),  # noqa: RUF001 - a digit of another kind
    "idempotency_keys": _octets("a-b", '"a b"', '"a\\"b"', "a b", "a\nb", ""),
    "waits": _octets("5", "1e9", "Sun, 06 Nov 1994 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "-1"),
    "event_streams": _octets(
        ": x\n\nretry: 2000\nid: 1\nevent: ready\ndata: {}\n\n",
        "data:a\r\ndata: b\r\n\r\nid:é\n\n",
        "retry: 99999999999\n\n",
    ),
    "configurations": _octets(_CONFIGURATION, "[router]\nurl = 'memory:'", "listen = '[::1]:80'"),
    "wamp_messages": [
        bytes.fromhex("84183001a068636f6d2e73686f70"),
        bytes.fromhex("9430018 0a8636f6d2e73686f70".replace(" ", "")),
        *_octets(
            '[48,1,{},"com.a",[1],{"a":1}]', "[36,1,2,{},[1]]", "[2,1,{}]", '[8,48,1,{},"com.a"]'
        ),
    ],
}

GRAMMAR = (
    *PIECES,
    *(
        b"=",
        b";",
        b"(",
        b")",
        b"?1",
        b":AAAA:",
        b'tag="wamp-bridge"',
        b"sig=",
        b"created=1700000000",
    ),
    *(
        b"http://",
        b"@",
        b"#",
        b"[::1]",
        b"%",
        b"127.0.0.1",
        b".",
        b"/",
        b"\\",
        b":8000",
        b"&",
        b"*",
    ),
    *(
        b'"type":"event"',
        b'"args":[]',
        b'"url":',
        b"\x80",
        b"\xd9\xd9\xf7",
        b"\x9f",
        b"\xfb\x7e\x00",
    ),
)
