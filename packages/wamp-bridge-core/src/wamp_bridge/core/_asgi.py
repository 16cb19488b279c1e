"""An answer in steps over ASGI, whatever the framework: it ends when nobody is there to take it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from wamp_bridge.core._messages import Response
    from wamp_bridge.core._steps import AsyncLines

    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def send_steps(response: Response, receive: Receive, send: Send) -> None:
    """Send a response that has `async_lines` (ASGI 3.0).

    Where the bridge goes away, the handler is cancelled or closed at once, and not only when its
    next step can't be sent. It has cleaned up on return.

    Args:
        response: From `dispatch_async`.
        receive: ASGI's, after the whole of the request.
        send: ASGI's.
    """
    lines = response.async_lines
    if lines is None:
        raise ValueError("the response is no answer in steps")
    headers = [(name.encode(), value.encode("latin-1")) for name, value in response.headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    sending = asyncio.ensure_future(_send(lines, send))
    leaving = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait([sending, leaving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        sending.cancel()
        leaving.cancel()
        await asyncio.wait([sending, leaving])
    if not sending.cancelled():
        sending.result()


async def _send(lines: AsyncLines, send: Send) -> None:
    with suppress(OSError):  # as servers may say that nobody is there
        async with aclosing(aiter(lines)) as made:
            async for line in made:
                await send({"type": "http.response.body", "body": line, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
