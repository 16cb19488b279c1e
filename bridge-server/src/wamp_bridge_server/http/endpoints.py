"""`/register/`, `/subscribe/` and their opposites, the lists of them, `/heartbeat/`."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from wamp_bridge_server.errors import Unprocessable
from wamp_bridge_server.http import bodies
from wamp_bridge_server.http.answers import answer, empty
from wamp_bridge_server.http.paging import page
from wamp_bridge_server.services.checks import MATCHES, Wish, checked_lease, wish
from wamp_bridge_server.services.endpoints import described

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from wamp_bridge_server.http.asking import Asking
    from wamp_bridge_server.services.endpoints import Endpoints
    from wamp_bridge_server.store import Kind

PLURAL: Mapping[Kind, str] = {"procedure": "registrations", "topic": "subscriptions"}


class EndpointRequests:
    """Answers what apps ask of their endpoints."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints

    async def register(self, ask: Asking) -> web.Response:
        """`POST /register/`."""
        body = ask.body(bodies.register)
        return await self._add(ask, "procedure", body.endpoints, body.lease)

    async def subscribe(self, ask: Asking) -> web.Response:
        """`POST /subscribe/`."""
        body = ask.body(bodies.subscribe)
        return await self._add(ask, "topic", body.endpoints, body.lease)

    async def unregister(self, ask: Asking) -> web.Response:
        """`POST /unregister/`."""
        removed, unknown = await self._remove(ask, "procedure")
        return answer({"unregistered": removed, "unknown": unknown})

    async def unsubscribe(self, ask: Asking) -> web.Response:
        """`POST /unsubscribe/`."""
        removed, unknown = await self._remove(ask, "topic")
        return answer({"unsubscribed": removed, "unknown": unknown})

    async def registrations(self, ask: Asking) -> web.Response:
        """`GET /registrations/`."""
        return self._list(ask, "procedure")

    async def subscriptions(self, ask: Asking) -> web.Response:
        """`GET /subscriptions/`."""
        return self._list(ask, "topic")

    async def registration(self, ask: Asking) -> web.Response:
        """`GET /registrations/ID/`."""
        return answer(self._endpoints.one(ask.app, "procedure", ask.name).described())

    async def subscription(self, ask: Asking) -> web.Response:
        """`GET /subscriptions/ID/`."""
        return answer(self._endpoints.one(ask.app, "topic", ask.name).described())

    async def delete_registration(self, ask: Asking) -> web.Response:
        """`DELETE /registrations/ID/`."""
        await self._endpoints.remove_one(ask.app, "procedure", ask.name)
        return empty(HTTPStatus.NO_CONTENT)

    async def delete_subscription(self, ask: Asking) -> web.Response:
        """`DELETE /subscriptions/ID/`."""
        await self._endpoints.remove_one(ask.app, "topic", ask.name)
        return empty(HTTPStatus.NO_CONTENT)

    async def heartbeat(self, ask: Asking) -> web.Response:
        """`POST /heartbeat/`."""
        body = ask.body(bodies.heartbeat)
        return answer({"renewed": await self._endpoints.renew(ask.app, body.endpoints)})

    async def _add(
        self,
        ask: Asking,
        kind: Kind,
        asked: Mapping[str, str | bodies.Registration] | Mapping[str, str | bodies.Subscription],
        lease: float | None,
    ) -> web.Response:
        wishes = [_wish(kind, uri, entry) for uri, entry in asked.items()]
        endpoints = await self._endpoints.add(ask.app, wishes, checked_lease(lease))
        return answer({PLURAL[kind]: described(endpoints)})

    async def _remove(self, ask: Asking, kind: Kind) -> tuple[list[str], list[str]]:
        body = ask.body(bodies.take_back)
        if body.match is not None and body.match not in MATCHES:
            raise Unprocessable('"match" must be exact, prefix or wildcard.')
        named = body.endpoints
        names = named if isinstance(named, dict) else dict.fromkeys(named)
        return await self._endpoints.remove(ask.app, kind, names, body.match)

    def _list(self, ask: Asking, kind: Kind) -> web.Response:
        entries, cursor = page(
            ask.request.query, self._endpoints.all_of(ask.app, kind), lambda e: e.record.id
        )
        return answer({PLURAL[kind]: described(entries), "cursor": cursor})


def _wish(kind: Kind, uri: str, asked: str | bodies.Registration | bodies.Subscription) -> Wish:
    if isinstance(asked, str):
        return wish(kind, uri, asked, None, {})
    options: dict[str, Any] = msgspec.structs.asdict(asked)
    return wish(kind, uri, options.pop("url"), options.pop("match"), options)
