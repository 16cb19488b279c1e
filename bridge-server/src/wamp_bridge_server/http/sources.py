"""`/announce/`, `/withdraw/` and `/sources/`."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from wamp_bridge_server.http import bodies
from wamp_bridge_server.http.answers import answer
from wamp_bridge_server.http.paging import page
from wamp_bridge_server.services.checks import checked_destination, checked_url

if TYPE_CHECKING:
    from aiohttp import web

    from wamp_bridge_server.http.asking import Asking
    from wamp_bridge_server.services.sources import Sources


class SourceRequests:
    """Answers what apps ask of their sources."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def announce(self, ask: Asking) -> web.Response:
        """`POST /announce/`."""
        body = ask.body(bodies.announce)
        url = checked_url(body.url, "the source")
        checked_destination(url, "the source", ask.app.destinations)
        source = await self._sources.announce(ask.app, url)
        if not body.wait:
            pending = {**source.described(), "state": "pending"}
            return answer({"source": pending}, HTTPStatus.ACCEPTED)
        await self._sources.in_force(source)
        return answer({"source": source.described()})

    async def withdraw(self, ask: Asking) -> web.Response:
        """`POST /withdraw/`."""
        body = ask.body(bodies.withdraw)
        return answer({"withdrawn": await self._sources.withdraw(ask.app, body.url)})

    async def list(self, ask: Asking) -> web.Response:
        """`GET /sources/`."""
        entries, cursor = page(
            ask.request.query, self._sources.all_of(ask.app), lambda source: source.record.id
        )
        return answer({"sources": [source.described() for source in entries], "cursor": cursor})
