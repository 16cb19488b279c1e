"""`/register/`, `/subscribe/` and their opposites, the lists of them, `/heartbeat/`."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from wamp_bridge_server.errors import Unprocessable
from wamp_bridge_server.http import bodies, documents
from wamp_bridge_server.http.answers import empty
from wamp_bridge_server.http.paging import PAGE, page
from wamp_bridge_server.http.routes import Answer, Route, identifier
from wamp_bridge_server.services.checks import MATCHES, Wish, checked_lease, wish
from wamp_bridge_server.services.endpoints import described

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from wamp_bridge_server.http.asking import Asking
    from wamp_bridge_server.http.routes import Handler
    from wamp_bridge_server.services.endpoints import Endpoints
    from wamp_bridge_server.store import Kind

PLURAL: Mapping[Kind, str] = {"procedure": "registrations", "topic": "subscriptions"}

_REGISTRATION = {
    "id": "reg_01k0000000000000000000000a",
    "uri": "com.shop.price",
    "url": "http://10.0.0.5:8000/wamp/rpc/com.shop.price/",
    "match": "exact",
    "state": "live",
    "reason": None,
    "since": 1700000000.0,
    "source": None,
    "lease_expires_at": None,
}
_SUBSCRIPTION = {
    **_REGISTRATION,
    "id": "sub_01k0000000000000000000000b",
    "uri": "com.shop.sold",
    "url": "http://10.0.0.5:8000/wamp/pub/com.shop.sold/",
    "ordered": True,
}


class EndpointRequests:
    """Answers what apps ask of their endpoints."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints

    def routes(self) -> list[Route]:
        """The requests that are answered here."""
        return [
            _taking(
                "register", self.register, bodies.Register, documents.Registrations, _REGISTRATION
            ),
            _taking(
                "subscribe",
                self.subscribe,
                bodies.Subscribe,
                documents.Subscriptions,
                _SUBSCRIPTION,
            ),
            _taking_back("unregister", self.unregister, documents.Unregistered),
            _taking_back("unsubscribe", self.unsubscribe, documents.Unsubscribed),
            _listing(
                "registrations", self.registrations, documents.RegistrationPage, _REGISTRATION
            ),
            _listing(
                "subscriptions", self.subscriptions, documents.SubscriptionPage, _SUBSCRIPTION
            ),
            _reading("registration", self.registration, documents.RegistrationEntry, _REGISTRATION),
            _reading("subscription", self.subscription, documents.SubscriptionEntry, _SUBSCRIPTION),
            _deleting("registration", self.delete_registration, _REGISTRATION),
            _deleting("subscription", self.delete_subscription, _SUBSCRIPTION),
            Route(
                name="heartbeat",
                method="POST",
                path="/heartbeat/",
                handler=self.heartbeat,
                summary="Renew leases",
                description="Of all the app's endpoints that have one, or of those that are named.",
                body=bodies.Heartbeat,
                example={"endpoints": ["com.shop.price"]},
                answers=(Answer("Renewed.", documents.Renewed, {"renewed": 1}),),
            ),
        ]

    async def register(self, ask: Asking) -> web.Response:
        """`POST /register/`."""
        body = ask.body(bodies.Register)
        return await self._add(ask, "procedure", body.endpoints, body.lease)

    async def subscribe(self, ask: Asking) -> web.Response:
        """`POST /subscribe/`."""
        body = ask.body(bodies.Subscribe)
        return await self._add(ask, "topic", body.endpoints, body.lease)

    async def unregister(self, ask: Asking) -> web.Response:
        """`POST /unregister/`."""
        removed, unknown = await self._remove(ask, "procedure")
        return ask.answer({"unregistered": removed, "unknown": unknown})

    async def unsubscribe(self, ask: Asking) -> web.Response:
        """`POST /unsubscribe/`."""
        removed, unknown = await self._remove(ask, "topic")
        return ask.answer({"unsubscribed": removed, "unknown": unknown})

    async def registrations(self, ask: Asking) -> web.Response:
        """`GET /registrations/`."""
        return self._list(ask, "procedure")

    async def subscriptions(self, ask: Asking) -> web.Response:
        """`GET /subscriptions/`."""
        return self._list(ask, "topic")

    async def registration(self, ask: Asking) -> web.Response:
        """`GET /registrations/ID/`."""
        return ask.answer(self._endpoints.one(ask.app, "procedure", ask.name).described())

    async def subscription(self, ask: Asking) -> web.Response:
        """`GET /subscriptions/ID/`."""
        return ask.answer(self._endpoints.one(ask.app, "topic", ask.name).described())

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
        body = ask.body(bodies.Heartbeat)
        return ask.answer({"renewed": await self._endpoints.renew(ask.app, body.endpoints)})

    async def _add(
        self,
        ask: Asking,
        kind: Kind,
        asked: Mapping[str, str | bodies.Registration] | Mapping[str, str | bodies.Subscription],
        lease: float | None,
    ) -> web.Response:
        wishes = [_wish(kind, uri, entry) for uri, entry in asked.items()]
        endpoints = await self._endpoints.add(ask.app, wishes, checked_lease(lease))
        return ask.answer({PLURAL[kind]: described(endpoints)})

    async def _remove(self, ask: Asking, kind: Kind) -> tuple[list[str], list[str]]:
        body = ask.body(bodies.TakeBack)
        if body.match is not None and body.match not in MATCHES:
            raise Unprocessable('"match" must be exact, prefix or wildcard.')
        named = body.endpoints
        names = named if isinstance(named, dict) else dict.fromkeys(named)
        return await self._endpoints.remove(ask.app, kind, names, body.match)

    def _list(self, ask: Asking, kind: Kind) -> web.Response:
        entries, cursor = page(
            ask.request.query, self._endpoints.all_of(ask.app, kind), lambda e: e.record.id
        )
        return ask.answer({PLURAL[kind]: described(entries), "cursor": cursor})


def _wish(kind: Kind, uri: str, asked: str | bodies.Registration | bodies.Subscription) -> Wish:
    if isinstance(asked, str):
        return wish(kind, uri, asked, None, {})
    options: dict[str, Any] = msgspec.structs.asdict(asked)
    return wish(kind, uri, options.pop("url"), options.pop("match"), options)


def _taking(
    name: str, handler: Handler, body: type[msgspec.Struct], document: Any, entry: dict[str, Any]
) -> Route:
    members = ("url", "ordered") if "ordered" in entry else ("url",)
    plural = "subscriptions" if "ordered" in entry else "registrations"
    return Route(
        name=name,
        method="POST",
        path=f"/{name}/",
        handler=handler,
        summary="Register procedures" if name == "register" else "Subscribe to topics",
        description="Checked whole, and taken whole or not at all. Asked again, it is no error.",
        body=body,
        example={"endpoints": {entry["uri"]: {member: entry[member] for member in members}}},
        answers=(Answer("Taken.", document, {plural: [entry]}, links=_links(plural)),),
        errors=(HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY),
    )


def _taking_back(name: str, handler: Handler, document: type[msgspec.Struct]) -> Route:
    gone = document.__struct_fields__[0]
    return Route(
        name=name,
        method="POST",
        path=f"/{name}/",
        handler=handler,
        summary=f"Take endpoints back: {name}",
        description="By their URIs, each with the URL that is meant where there are several.",
        body=bodies.TakeBack,
        example={"endpoints": ["com.shop.price"]},
        answers=(
            Answer("What was there is gone.", document, {gone: ["com.shop.price"], "unknown": []}),
        ),
        errors=(HTTPStatus.UNPROCESSABLE_ENTITY,),
    )


def _listing(
    plural: str, handler: Handler, document: type[msgspec.Struct], entry: dict[str, Any]
) -> Route:
    return Route(
        name=f"list_{plural}",
        method="GET",
        path=f"/{plural}/",
        handler=handler,
        summary=f"List the app's {plural}",
        parameters=PAGE,
        answers=(
            Answer(
                "A page of them.",
                document,
                {plural: [entry], "cursor": None},
                links=_links(plural),
            ),
        ),
        errors=(HTTPStatus.UNPROCESSABLE_ENTITY,),
    )


def _reading(
    kind: str, handler: Handler, document: type[msgspec.Struct], entry: dict[str, Any]
) -> Route:
    return Route(
        name=f"read_{kind}",
        method="GET",
        path=f"/{kind}s/{{id}}/",
        handler=handler,
        summary=f"Read a {kind}",
        parameters=(identifier(entry["id"]),),
        answers=(Answer("Itself.", document, entry),),
        errors=(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
    )


def _deleting(kind: str, handler: Handler, entry: dict[str, Any]) -> Route:
    return Route(
        name=f"delete_{kind}",
        method="DELETE",
        path=f"/{kind}s/{{id}}/",
        handler=handler,
        summary=f"Take a {kind} back",
        description="One that a source brought comes again with its next manifest.",
        parameters=(identifier(entry["id"]),),
        answers=(Answer("Gone.", status=HTTPStatus.NO_CONTENT),),
        errors=(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
    )


def _links(plural: str) -> dict[str, str]:
    return {f"{verb}_{plural[:-1]}": f"/{plural}/0/id" for verb in ("read", "delete")}
