"""Signatures on requests with anything in them that one likes, made without the code under test."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from datetime import UTC, datetime
from urllib.parse import urlencode

from wamp_bridge.core import decode_secret

Headers = list[tuple[str, str]]

COVERED = ("@method", "@authority", "@path", "@query")
OF_BODY = ("content-digest", "content-type")


def parameters(**changed: str | None) -> str:
    """The parameters of a good signature as of now; None leaves one out. Written as they stand."""
    written = {
        "created": str(int(time.time())),
        "keyid": '"shop"',
        "nonce": f'"{secrets.token_urlsafe(16)}"',
        "tag": '"wamp-bridge"',
    }
    return "".join(f";{n}={v}" for n, v in (written | changed).items() if v is not None)


def sign(
    secret: str,
    method: str,
    host: str,
    target: str,
    body: bytes = b"",
    *,
    covered: tuple[str, ...] | None = None,
    written: str | None = None,
    label: str = "sig",
    digest: str | None = None,
    media_type: str = "application/json",
) -> Headers:
    """The headers of a request, signed.

    Args:
        secret: `whsec_...`.
        method: HTTP's.
        host: For the Host header.
        target: Path and query.
        body: What will be sent.
        covered: The components that are covered; those of the profile if left out.
        written: The signature's parameters, as `parameters` makes them.
        label: Of the signature.
        digest: The Content-Digest header, "" for none; that of the body if left out.
        media_type: The Content-Type header.
    """
    path, _, query = target.partition("?")
    values = {
        "@method": method,
        "@authority": host.lower(),
        "@path": path,
        "@query": f"?{query}",
        "@target-uri": f"http://{host}{target}",
    }
    headers = [("host", host)]
    if body:
        if digest is None:
            digest = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
        values |= {"content-digest": digest, "content-type": media_type}
        headers += [(name, values[name]) for name in OF_BODY if values[name]]
    names = covered if covered is not None else COVERED + (OF_BODY if body else ())
    quoted = " ".join(f'"{name}"' for name in names)
    given = f"({quoted}){written or parameters()}"
    base = [f'"{name}": {values[name]}' for name in names] + [f'"@signature-params": {given}']
    mac = hmac.new(decode_secret(secret), "\n".join(base).encode(), hashlib.sha256).digest()
    signature = base64.b64encode(mac).decode()
    return [
        *headers,
        ("signature-input", f"{label}={given}"),
        ("signature", f"{label}=:{signature}:"),
    ]


def crossbar_query(key: str | None, secret: str, body: bytes, **changed: str | None) -> str:
    """The signed query of Crossbar's HTTP clients, with its `?`.

    Args:
        key: Names the secret; None leaves it out.
        secret: As it is configured.
        body: What will be sent.
        **changed: Members of another value; of None, left out. `signature` is made of the others.
    """
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    values: dict[str, str | None] = {
        "key": key,
        "timestamp": now,
        "seq": "1",
        "nonce": str(secrets.randbelow(2**53)),
    }
    values |= changed
    names = ("key", "timestamp", "seq", "nonce")
    signed = "".join(values[name] or "" for name in names).encode() + body
    mac = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    values = {"signature": base64.urlsafe_b64encode(mac).decode(), **values}
    return "?" + urlencode({n: value for n, value in values.items() if value is not None})
