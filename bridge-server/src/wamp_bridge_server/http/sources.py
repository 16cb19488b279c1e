"""`/announce/`, `/withdraw/` and `/sources/`."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from wamp_bridge_server.http import bodies, documents
from wamp_bridge_server.http.paging import PAGE, page
from wamp_bridge_server.http.routes import Answer, Route
from wamp_bridge_server.services.checks import checked_destination, checked_url

if TYPE_CHECKING:
    from aiohttp import web

    from wamp_bridge_server.http.asking import Asking
    from wamp_bridge_server.services.sources import Sources


_SOURCE = {
    "id": "src_01k0000000000000000000000c",
    "url": "http://10.0.0.5:8000/wamp/",
    "state": "live",
    "reason": None,
    "since": 1700000000.0,
}


class SourceRequests:
    """Answers what apps ask of their sources."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def routes(self) -> list[Route]:
        """The requests that are answered here."""
        pending = {**_SOURCE, "state": "pending"}
        return [
            Route(
                name="announce",
                method="POST",
                path="/announce/",
                handler=self.announce,
                summary="Announce the app's dispatcher",
                description="The bridge reads its manifest, now and every 20 s.",
                body=bodies.Announce,
                example={"url": _SOURCE["url"], "wait": True},
                answers=(
                    Answer("Its manifest is in force.", documents.Announced, {"source": _SOURCE}),
                    Answer(
                        "It will be read.",
                        documents.Announced,
                        {"source": pending},
                        HTTPStatus.ACCEPTED,
                    ),
                ),
                errors=(
                    HTTPStatus.UNPROCESSABLE_ENTITY,
                    HTTPStatus.BAD_GATEWAY,
                    HTTPStatus.GATEWAY_TIMEOUT,
                ),
            ),
            Route(
                name="withdraw",
                method="POST",
                path="/withdraw/",
                handler=self.withdraw,
                summary="Take a dispatcher back",
                description="All that it brought goes with it.",
                body=bodies.Withdraw,
                example={"url": _SOURCE["url"]},
                answers=(Answer("Gone.", documents.Withdrawn, {"withdrawn": 3}),),
            ),
            Route(
                name="list_sources",
                method="GET",
                path="/sources/",
                handler=self.list,
                summary="List the app's dispatchers",
                parameters=PAGE,
                answers=(
                    Answer("Some.", documents.SourcePage, {"sources": [_SOURCE], "cursor": None}),
                ),
                errors=(HTTPStatus.UNPROCESSABLE_ENTITY,),
            ),
        ]

    async def announce(self, ask: Asking) -> web.Response:
        """`POST /announce/`."""
        body = ask.body(bodies.Announce)
        url = checked_url(body.url, "the source")
        checked_destination(url, "the source", ask.app.destinations)
        source = await self._sources.announce(ask.app, url)
        if not body.wait:
            pending = {**source.described(), "state": "pending"}
            return ask.answer({"source": pending}, HTTPStatus.ACCEPTED)
        await self._sources.in_force(source)
        return ask.answer({"source": source.described()})

    async def withdraw(self, ask: Asking) -> web.Response:
        """`POST /withdraw/`."""
        body = ask.body(bodies.Withdraw)
        return ask.answer({"withdrawn": await self._sources.withdraw(ask.app, body.url)})

    async def list(self, ask: Asking) -> web.Response:
        """`GET /sources/`."""
        entries, cursor = page(
            ask.request.query, self._sources.all_of(ask.app), lambda source: source.record.id
        )
        return ask.answer({"sources": [source.described() for source in entries], "cursor": cursor})
