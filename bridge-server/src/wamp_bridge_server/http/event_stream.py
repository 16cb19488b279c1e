"""A stream of events as it is answered: server-sent events (WHATWG HTML, section 9.2).

It goes through the server as any answer does; its body begins when the request has been answered
otherwise, and lasts for as long as somebody reads it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from wamp_bridge_server.http.connections import Connection
from wamp_bridge_server.services.streams import Gap
from wamp_bridge_server.store import StoreError
from wamp_bridge_server.values import encode_json

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter

    from wamp_bridge_server.services.streams import Stream
    from wamp_bridge_server.store import EventRecord

MEDIA_TYPE = "text/event-stream"

RETRY_MS = 2000
"""After how long a browser that was cut off comes back."""

COMMENT_SECONDS = 15.0
"""After so long a silence a comment is sent, so that no proxy takes the connection for dead."""

SLOW_SECONDS = 30.0
"""Who doesn't read for so long is cut off, and may come back to where it was."""

HEADERS = {
    "Cache-Control": "no-store",
    "Vary": "Origin",
    "X-Accel-Buffering": "no",  # nginx would keep events back until it has many
}

log = structlog.get_logger("wamp_bridge.streams")


class EventStream(web.StreamResponse):
    """The answer to one who follows a topic."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(headers=HEADERS)
        self.content_type = MEDIA_TYPE
        self.charset = "utf-8"
        self.force_close()  # when it ends, nothing else is to come by a connection that is old
        self._stream = stream
        self._connection: asyncio.Transport | None = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Begin the answer."""
        connection = request.protocol
        assert isinstance(connection, Connection)  # noqa: S101 - the server makes no others
        connection.when_lost = self._stream.end
        self._connection = request.transport
        if request.transport is None or request.transport.is_closing():
            self._stream.end()
        try:
            return await super().prepare(request)
        except BaseException:
            self._stream.end()
            raise

    async def write_eof(self, data: bytes = b"") -> None:
        """Send all that comes, until the stream ends; then end the answer."""
        try:
            await self._send_all()
        except StoreError as error:
            log.warning("a stream is cut off: the store can't be read", reason=str(error))
        except TimeoutError:
            log.info("a stream is cut off: it isn't read", app=self._stream.app.name)
            if self._connection is not None:
                self._connection.abort()
            return
        finally:
            self._stream.end()
        await super().write_eof(data)

    async def _send_all(self) -> None:
        stream = self._stream
        ready = message(encode_json(stream.described()), stream.place, "ready")
        await self._send(b"retry: %d\n" % RETRY_MS + ready)
        coming = asyncio.ensure_future(stream.next())
        try:
            while True:
                done, _ = await asyncio.wait((coming,), timeout=COMMENT_SECONDS)
                if not done:
                    await self._send(b":\n\n")
                    continue
                came = coming.result()
                if came is None:
                    return
                await self._send(self._written(came))
                coming = asyncio.ensure_future(stream.next())
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)

    async def _send(self, text: bytes) -> None:
        async with asyncio.timeout(SLOW_SECONDS):
            await self.write(text)

    def _written(self, came: Gap | list[EventRecord]) -> bytes:
        if isinstance(came, Gap):
            return message(encode_json({"last_event_id": came.asked}), came.place, "gap")
        place = self._stream.log.place
        return b"".join(message(record.body, place(record.seq)) for record in came)


def message(data: bytes, identifier: str, event: str | None = None) -> bytes:
    """A message of a stream; `data` is JSON, which has no line breaks as it is written here."""
    named = b"" if event is None else b"event: %b\n" % event.encode()
    return b"%bid: %b\ndata: %b\n\n" % (named, identifier.encode(), data)


def answered_head() -> web.Response:
    """The answer to a HEAD: what a GET would begin with."""
    return web.Response(headers=HEADERS, content_type=MEDIA_TYPE, charset="utf-8")
