"""`/call/PROCEDURE/`, `/publish/TOPIC/` and asynchronous calls."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from wamp_bridge_server.callbacks.envelopes import single_result
from wamp_bridge_server.errors import Problem, Unprocessable
from wamp_bridge_server.http import bodies, documents
from wamp_bridge_server.http.answers import empty, unreadable
from wamp_bridge_server.http.idempotency import KEY, accepted, response_of
from wamp_bridge_server.http.routes import PROCEDURE, TOPIC, Answer, Parameter, Route, identifier
from wamp_bridge_server.identifiers import new_id
from wamp_bridge_server.services.asynchronous import DEFAULT_SECONDS as DEFAULT_ASYNCHRONOUS_SECONDS
from wamp_bridge_server.services.asynchronous import Request
from wamp_bridge_server.services.calls import DEFAULT_SECONDS
from wamp_bridge_server.services.checks import (
    checked_destination,
    checked_timeout,
    checked_uri,
    checked_url,
)
from wamp_bridge_server.services.outcomes import described
from wamp_bridge_server.store import StoreError
from wamp_bridge_server.values import NotJson

if TYPE_CHECKING:
    from aiohttp import web

    from wamp_bridge_server.backends.base import Result
    from wamp_bridge_server.http.asking import Asking
    from wamp_bridge_server.http.idempotency import Repeats
    from wamp_bridge_server.services.asynchronous import AsynchronousCalls
    from wamp_bridge_server.services.calls import Calls
    from wamp_bridge_server.services.idempotency import HeldKey
    from wamp_bridge_server.services.publishing import Publishing
    from wamp_bridge_server.store import CallRecord

_DEFAULT_OPTIONS = bodies.PublicationOptions()

_OF_WAMP = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GATEWAY_TIMEOUT)
"""Beside 400, 500 and 503, which any request may have."""

_PREFER = Parameter(
    "Prefer", str, "`respond-async`: the call isn't waited for.", "respond-async", "header"
)
_CALL = identifier("call_01k0000000000000000000000e")
_SUCCEEDED = {
    "id": _CALL.example,
    "status": "succeeded",
    "result": 12.5,
    "args": [12.5],
    "kwargs": {},
}


class MessageRequests:
    """Answers the calls and publications that apps ask for."""

    def __init__(
        self,
        calls: Calls,
        asynchronous: AsynchronousCalls,
        publishing: Publishing,
        repeats: Repeats,
    ) -> None:
        self._calls = calls
        self._asynchronous = asynchronous
        self._publishing = publishing
        self._repeats = repeats

    def routes(self) -> list[Route]:
        """The requests that are answered here."""
        return [
            Route(
                name="call",
                method="POST",
                path="/call/{procedure}/",
                handler=self.call,
                summary="Call a procedure",
                description="Its result is in the answer; or, with a callback or "
                "`Prefer: respond-async`, is kept and sent there.",
                body=bodies.Call,
                example={"params": ["book"], "timeout": 5},
                parameters=(PROCEDURE, KEY, _PREFER),
                answers=(
                    Answer(
                        "The result.",
                        documents.Result,
                        {"result": 12.5, "args": [12.5], "kwargs": {}},
                    ),
                    Answer(
                        "The call is made without being waited for.",
                        documents.PendingCall,
                        {"id": _CALL.example, "status": "pending"},
                        HTTPStatus.ACCEPTED,
                        {"Location": "Where it can be read and cancelled."},
                        links={"read_call": "/id", "cancel_call": "/id"},
                    ),
                ),
                errors=(*_OF_WAMP, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY),
            ),
            Route(
                name="read_call",
                method="GET",
                path="/calls/{id}/",
                handler=self.read_call,
                summary="Read an asynchronous call",
                parameters=(_CALL,),
                answers=(Answer("The call.", documents.CallEntry, _SUCCEEDED),),
                errors=(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
            ),
            Route(
                name="cancel_call",
                method="DELETE",
                path="/calls/{id}/",
                handler=self.cancel_call,
                summary="Cancel an asynchronous call",
                description="One that has ended stays as it is.",
                parameters=(_CALL,),
                answers=(Answer("The call.", documents.CallEntry, _SUCCEEDED),),
                errors=(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
            ),
            Route(
                name="publish",
                method="POST",
                path="/publish/{topic}/",
                handler=self.publish,
                summary="Publish to a topic",
                body=bodies.Publish,
                example={"params": ["book"], "options": {"exclude_me": True}},
                parameters=(TOPIC, KEY),
                answers=(
                    Answer("Published.", documents.Published, {"publication": 3921750485123}),
                    Answer(
                        "Sent to the router, which says nothing: `acknowledge` is false.",
                        status=HTTPStatus.ACCEPTED,
                    ),
                ),
                errors=(*_OF_WAMP, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY),
            ),
        ]

    async def call(self, ask: Asking) -> web.Response:
        """`POST /call/PROCEDURE/`."""
        body = ask.body(bodies.Call)
        procedure = checked_uri(ask.name)
        args, kwargs = _payload(ask, body)
        if body.callback is not None or _respond_async(ask.request):
            request = _request(ask, body, procedure, args, kwargs)

            async def begin(held: HeldKey | None) -> web.Response:
                return await self._begin(ask, request, held)

            return await self._repeats.answer(ask, body, begin, "respond-async")
        timeout = checked_timeout(body.timeout, DEFAULT_SECONDS)

        async def call(_: HeldKey | None) -> web.Response:
            return _result(ask, await self._calls.call(ask.app, procedure, args, kwargs, timeout))

        return await self._repeats.answer(ask, body, call)

    async def read_call(self, ask: Asking) -> web.Response:
        """`GET /calls/ID/`."""
        return _entry(ask, await self._asynchronous.get(ask.app, ask.name))

    async def cancel_call(self, ask: Asking) -> web.Response:
        """`DELETE /calls/ID/`."""
        return _entry(ask, await self._asynchronous.cancel(ask.app, ask.name))

    async def publish(self, ask: Asking) -> web.Response:
        """`POST /publish/TOPIC/`."""
        body = ask.body(bodies.Publish)
        topic = checked_uri(ask.name)
        args, kwargs = _payload(ask, body)
        options = (body.options or _DEFAULT_OPTIONS).for_wamp()

        async def publish(_: HeldKey | None) -> web.Response:
            publication = await self._publishing.publish(ask.app, topic, args, kwargs, options)
            if publication is None:
                return empty(HTTPStatus.ACCEPTED)
            return ask.answer({"publication": publication})

        return await self._repeats.answer(ask, body, publish)

    async def _begin(self, ask: Asking, request: Request, held: HeldKey | None) -> web.Response:
        identifier = new_id("call")
        kept = accepted(identifier)
        settlement = held.settlement(kept) if held is not None else None
        try:
            await self._asynchronous.begin(ask.app, identifier, request, settlement)
        except (Problem, StoreError):
            if held is not None:
                held.settled = False
            raise
        return response_of(ask, kept)


def _request(
    ask: Asking, body: bodies.Call, procedure: str, args: list[Any], kwargs: dict[str, Any]
) -> Request:
    timeout = checked_timeout(body.timeout, DEFAULT_ASYNCHRONOUS_SECONDS)
    if body.callback is not None:
        checked_url(body.callback, "the callback")
        checked_destination(body.callback, "the callback", ask.app.destinations)
    return Request(procedure, args, kwargs, timeout, body.callback)


def _payload(ask: Asking, body: bodies.Call | bodies.Publish) -> tuple[list[Any], dict[str, Any]]:
    if body.params is not None and (body.args is not None or body.kwargs is not None):
        raise Unprocessable('Give "params", or "args" and "kwargs", not both.')
    if body.params is not None:
        params = ask.values(body.params, "params")
        return (params, {}) if isinstance(params, list) else ([], params)
    return ask.values(body.args or [], "args"), ask.values(body.kwargs or {}, "kwargs")


def _respond_async(request: web.Request) -> bool:
    """RFC 7240, section 4.1."""
    return any(
        preference.partition(";")[0].strip().lower() == "respond-async"
        for value in request.headers.getall("Prefer", ())
        for preference in value.split(",")
    )


def _result(ask: Asking, result: Result) -> web.Response:
    writable = ask.accepts.writable
    try:
        args = writable(result.args)
        kwargs = writable(result.kwargs)
        return ask.answer({"result": single_result(args), "args": args, "kwargs": kwargs})
    except NotJson as reason:
        raise unreadable("returned", reason) from None


def _entry(ask: Asking, call: CallRecord) -> web.Response:
    try:
        return ask.answer(ask.accepts.writable(described(call)))
    except NotJson as reason:
        raise unreadable("answered", reason) from None
