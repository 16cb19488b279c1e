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


def mended(value: Any, *, is_url: bool = False) -> Any:
    """A body with the app's URL in it, and whole numbers written as such.

    JSON Schema knows no difference between 2 and 2.0; most decoders do, ours too.
    """
    if isinstance(value, dict):
        return {
            name: mended_endpoints(item)
            if name == "endpoints" and isinstance(item, dict)
            else mended(item, is_url=name in URLS)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [mended(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if is_url and isinstance(value, str) and value.startswith("http") and len(value) <= LONGEST_URL:
        return APP
    return value


def mended_endpoints(endpoints: dict[str, Any]) -> dict[str, Any]:
    return {uri: mended(endpoint, is_url=True) for uri, endpoint in endpoints.items()}


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
