"""A topic that is followed, as it is answered: its events as they come.

It goes through the server as any answer does; its body begins when the request has been answered
otherwise, and lasts for as long as somebody reads it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

from wamp_bridge_server.errors import ClientGone
from wamp_bridge_server.http import event_stream
from wamp_bridge_server.http.event_stream import KEEPALIVE, KEEPALIVE_SECONDS, event
from wamp_bridge_server.http.hanging_up import while_connected
from wamp_bridge_server.services.streams import Gap
from wamp_bridge_server.store import StoreError
from wamp_bridge_server.values import encode_json

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter

    from wamp_bridge_server.services.streams import Stream
    from wamp_bridge_server.store import EventRecord

RETRY_MS = 2000
"""After how long a browser that was cut off comes back."""

SLOW_SECONDS = 30.0
"""Who doesn't read for so long is cut off, and may come back to where it was."""

HEADERS: Final = {**event_stream.HEADERS, "Vary": "Origin"}

log = structlog.get_logger("wamp_bridge.streams")


class FollowedTopic(web.StreamResponse):
    """The answer to one who follows a topic."""

    def __init__(self, request: web.Request, stream: Stream) -> None:
        super().__init__(headers=HEADERS)
        self.content_type = event_stream.MEDIA_TYPE
        self.charset = "utf-8"
        self.force_close()  # when it ends, nothing else is to come by a connection that is old
        self._request = request
        self._stream = stream

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Begin the answer."""
        try:
            return await super().prepare(request)
        except BaseException:
            self._stream.end()
            raise

    async def write_eof(self, data: bytes = b"") -> None:
        """Send all that comes, until the stream ends; then end the answer."""
        try:
            async with while_connected(self._request):
                await self._send_all()
        except StoreError as error:
            log.warning("a stream is cut off: the store can't be read", reason=str(error))
        except TimeoutError:
            log.info("a stream is cut off: it isn't read", app=self._stream.app.name)
            if self._request.transport is not None:
                self._request.transport.abort()
            return
        except ClientGone:
            return
        finally:
            self._stream.end()
        await super().write_eof(data)

    async def _send_all(self) -> None:
        stream = self._stream
        ready = event("ready", encode_json(stream.described()), stream.place)
        # Together, or one who is cut off in between knows the place behind a gap, and not of it.
        gap = stream.gap()
        lost = b"" if gap is None else self._written(gap)
        await self._send(b"retry: %d\n" % RETRY_MS + ready + lost)
        coming = asyncio.ensure_future(stream.next())
        try:
            while True:
                done, _ = await asyncio.wait((coming,), timeout=KEEPALIVE_SECONDS)
                if not done:
                    await self._send(KEEPALIVE)
                    continue
                came = coming.result()
                if came is None:
                    return
                await self._send(self._written(came))
                coming = asyncio.ensure_future(stream.next())
        finally:
            # Not cancelled: a connection to the store that is left while it reads is lost to it.
            stream.end()
            await asyncio.wait((coming,))
            coming.exception()  # of no concern any more

    async def _send(self, text: bytes) -> None:
        async with asyncio.timeout(SLOW_SECONDS):
            await self.write(text)

    def _written(self, came: Gap | list[EventRecord]) -> bytes:
        if isinstance(came, Gap):
            return event("gap", encode_json({"last_event_id": came.asked}), came.place)
        place = self._stream.log.place
        return b"".join(event(None, record.body, place(record.seq)) for record in came)


def answered_head() -> web.Response:
    """The answer to a HEAD: what a GET would begin with."""
    return web.Response(headers=HEADERS, content_type=event_stream.MEDIA_TYPE, charset="utf-8")
