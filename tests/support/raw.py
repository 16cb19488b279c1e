"""HTTP requests octet by octet, as no client library would send them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from support import leaks

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable


@dataclass
class RawAnswer:
    """What came back, header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


async def ask_raw(
    url: str,
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]],
    body: bytes = b"",
    *,
    local: str | None = None,
    tls: ssl.SSLContext | None = None,
    sni: str | None = None,
) -> RawAnswer:
    """Send a request with these headers and no others but its length; the answer.

    Args:
        url: Of the server; only host and port of it are used.
        method: HTTP's, or what shall be in its place.
        target: As it stands in the request's first line.
        headers: Names and values.
        body: Sent with its length, unless it is empty.
        local: The address to come from.
        tls: How to speak TLS, where that is to be spoken.
        sni: As whose client.
    """
    parts = urlsplit(url)
    bound = (local, 0) if local is not None else None
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port, local_addr=bound, ssl=tls, server_hostname=sni
    )
    try:
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        if body:
            lines.append(f"content-length: {len(body)}")
        lines.append("connection: close")
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()
        answer = _answer_of(await asyncio.wait_for(reader.read(), 30))
    finally:
        writer.close()
        await writer.wait_closed()
    if answer.status >= HTTPStatus.BAD_REQUEST:
        leaks.hear("an error", answer.body)
    return answer


def _answer_of(octets: bytes) -> RawAnswer:
    head, _, body = octets.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    return RawAnswer(int(first.split()[1]), headers, body)
