"""What Schemathesis is told of the bridge, in its own process: how to write CBOR and MessagePack.

And where the app is: of the URLs that are made up, those that could be one become the app's, so
that what is registered does answer, and nothing is sent elsewhere.
"""

from __future__ import annotations

import os
import zlib
from typing import Any

import cbor2
import msgpack
import schemathesis

APP = os.environ["APP_URL"]
URLS = {"url", "callback"}
LONGEST_URL = 2048
ENOUGH_SECONDS = 30
FORMS = ["application/json", "application/cbor", "application/msgpack", "*/*"]


@schemathesis.hook
def map_case(_context: object, case: Any) -> Any:
    """Have the answer in one form or another, the same whenever the case is tried again."""
    case.headers.setdefault("Accept", FORMS[zlib.crc32(case.id.encode()) % len(FORMS)])
    return case


@schemathesis.hook
def before_call(_context: object, case: Any, _kwargs: object) -> None:
    if isinstance(case.body, bytes):  # broken on purpose; what is blank is not, it is left out
        case.body = case.body if case.body.strip() else b"{"
    elif repr(body := mended(case.body)) != repr(case.body):  # 2.0 and 2 are equal
        case.body = body


def mended(value: Any, name: str = "") -> Any:
    """A body with the app's URL in it, whole numbers written as such, and time to answer.

    JSON Schema knows no difference between 2 and 2.0; most decoders do, ours too. And what has no
    time is answered with 504, as it should be.
    """
    if isinstance(value, dict):
        return {
            key: {uri: mended(each, "url") for uri, each in item.items()}
            if key == "endpoints" and isinstance(item, dict)
            else mended(item, key)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [mended(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if name == "timeout" and type(value) in {int, float} and 0 < value < ENOUGH_SECONDS:
        return ENOUGH_SECONDS
    if name in URLS and isinstance(value, str) and is_url(value):
        return APP
    return value


def is_url(text: str) -> bool:
    return text.startswith(("http://", "https://")) and len(text) <= LONGEST_URL


@schemathesis.serializer("application/cbor")
def to_cbor(_context: object, value: Any) -> bytes:
    return cbor2.dumps(value)


@schemathesis.serializer("application/msgpack")
def to_msgpack(_context: object, value: Any) -> bytes:
    packed: bytes = msgpack.packb(within_64_bits(value))
    return packed


def within_64_bits(value: Any) -> Any:
    """A value as far as MessagePack has it."""
    if isinstance(value, dict):
        return {name: within_64_bits(item) for name, item in value.items()}
    if isinstance(value, list):
        return [within_64_bits(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return max(-(2**63), min(value, 2**64 - 1))
    return value


@schemathesis.deserializer("application/cbor")
def of_cbor(_context: object, response: Any) -> Any:
    return cbor2.loads(response.content)


@schemathesis.deserializer("application/msgpack")
def of_msgpack(_context: object, response: Any) -> Any:
    return msgpack.unpackb(response.content)
