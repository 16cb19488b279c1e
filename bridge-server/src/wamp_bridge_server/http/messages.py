"""`/call/PROCEDURE/`, `/publish/TOPIC/` and asynchronous calls."""

from __future__ import annotations

from contextlib import nullcontext
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from wamp_bridge_server.backends.base import CallOptions
from wamp_bridge_server.errors import Problem, Unprocessable
from wamp_bridge_server.http import bodies, documents, event_stream
from wamp_bridge_server.http.answers import described_problem, empty, result_members, unreadable
from wamp_bridge_server.http.hanging_up import while_connected
from wamp_bridge_server.http.idempotency import HEADER as IDEMPOTENCY_KEY
from wamp_bridge_server.http.idempotency import KEY, accepted, response_of
from wamp_bridge_server.http.routes import PROCEDURE, TOPIC, Answer, Parameter, Route, identifier
from wamp_bridge_server.identifiers import new_id
from wamp_bridge_server.services.asynchronous import DEFAULT_SECONDS as DEFAULT_ASYNCHRONOUS_SECONDS
from wamp_bridge_server.services.asynchronous import Request
from wamp_bridge_server.services.calls import DEFAULT_SECONDS
from wamp_bridge_server.services.checks import (
    checked_cancel_mode,
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

    from wamp_bridge_server.backends.base import CancelMode
    from wamp_bridge_server.http.asking import Asking
    from wamp_bridge_server.http.idempotency import Repeats
    from wamp_bridge_server.http.streamed_calls import StreamedCalls
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
_MODE = Parameter(
    "mode", bodies.CancelModeText, "As in the call's options, which it overrides.", "kill"
)
_STREAM = """\
id: 0
event: progress
data: {"args":[1],"kwargs":{}}

event: result
data: {"result":2,"args":[2],"kwargs":{}}

"""
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
        streamed: StreamedCalls,
    ) -> None:
        self._calls = calls
        self._asynchronous = asynchronous
        self._publishing = publishing
        self._repeats = repeats
        self._streamed = streamed

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
                "`Prefer: respond-async`, is kept and sent there. With `Accept: text/event-stream` "
                "progressive results come first, as they are made.",
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
                        "Its `progress`, event by event; at the end its `result` or `error`.",
                        str,
                        _STREAM,
                        media_type=event_stream.MEDIA_TYPE,
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
                parameters=(_CALL, _MODE),
                answers=(Answer("The call.", documents.CallEntry, _SUCCEEDED),),
                errors=(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
            ),
            Route(
                name="publish",
                method="POST",
                path="/publish/{topic}/",
                handler=self.publish,
                summary="Publish to a topic",
                description="An event, or several: then the answer says what became of each.",
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

    async def call(self, ask: Asking) -> web.StreamResponse:
        """`POST /call/PROCEDURE/`."""
        body = ask.body(bodies.Call)
        procedure = checked_uri(ask.name)
        args, kwargs = _payload(ask, body)
        if body.callback is not None or _respond_async(ask.request):
            request = _request(ask, body, procedure, args, kwargs)

            async def begin(held: HeldKey | None) -> web.Response:
                return await self._begin(ask, request, held)

            return await self._repeats.answer(ask, body, begin, "respond-async")
        if body.options is not None and body.options.receive_progress:
            raise Unprocessable(
                '"receive_progress" is for calls with a callback; '
                "those that are waited for are answered as text/event-stream."
            )
        timeout = checked_timeout(body.timeout, DEFAULT_SECONDS)
        if event_stream.is_wanted(ask.request):
            if IDEMPOTENCY_KEY in ask.request.headers:
                raise Unprocessable("A stream is not kept, so it can have no Idempotency-Key.")
            return await self._streamed.answer(
                ask, procedure, args, kwargs, timeout, _cancel_mode(body)
            )
        options = CallOptions(cancel=_cancel_mode(body))

        async def call(held: HeldKey | None) -> web.Response:
            # What has a key goes on when its client hangs up, for it may be asked again.
            async with nullcontext() if held is not None else while_connected(ask.request):
                result = await self._calls.call(ask.app, procedure, args, kwargs, timeout, options)
            return ask.answer(result_members(result, ask.accepts.writable))

        return await self._repeats.answer(ask, body, call)

    async def read_call(self, ask: Asking) -> web.Response:
        """`GET /calls/ID/`."""
        return _entry(ask, await self._asynchronous.get(ask.app, ask.name))

    async def cancel_call(self, ask: Asking) -> web.Response:
        """`DELETE /calls/ID/`; the mode stands in the query or in the body."""
        asked = ask.body(bodies.CancelCall).mode or ask.request.query.get("mode")
        mode = None if asked is None else checked_cancel_mode(asked)
        return _entry(ask, await self._asynchronous.cancel(ask.app, ask.name, mode))

    async def publish(self, ask: Asking) -> web.Response:
        """`POST /publish/TOPIC/`."""
        body = ask.body(bodies.Publish)
        topic = checked_uri(ask.name)
        if body.events is not None:
            return await self._publish_several(ask, body, topic, body.events)
        args, kwargs = _payload(ask, body)
        options = (body.options or _DEFAULT_OPTIONS).for_wamp()

        async def publish(_: HeldKey | None) -> web.Response:
            publication = await self._publishing.publish(ask.app, topic, args, kwargs, options)
            if publication is None:
                return empty(HTTPStatus.ACCEPTED)
            return ask.answer({"publication": publication})

        return await self._repeats.answer(ask, body, publish)

    async def _publish_several(
        self, ask: Asking, body: bodies.Publish, topic: str, several: list[bodies.OneOfSeveral]
    ) -> web.Response:
        """Publish several events, in their order; nothing where one of them can't be read."""
        if not body.empty:
            raise Unprocessable('Each of "events" has arguments of its own; leave out the others.')
        if not 0 < len(several) <= bodies.MOST_EVENTS:
            raise Unprocessable(f'"events" must have 1 to {bodies.MOST_EVENTS} entries.')
        usual = body.options or _DEFAULT_OPTIONS
        events = [(*_payload(ask, one), (one.options or usual).for_wamp()) for one in several]

        async def publish(_: HeldKey | None) -> web.Response:
            told = await self._publishing.publish_several(ask.app, topic, events)
            return ask.answer({"events": [_told(ask, each) for each in told]})

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
    progress = body.options is not None and body.options.receive_progress
    if progress and body.callback is None:
        raise Unprocessable('"receive_progress" needs a callback to which the progress goes.')
    return Request(procedure, args, kwargs, timeout, body.callback, _cancel_mode(body), progress)


def _cancel_mode(body: bodies.Call) -> CancelMode:
    mode = body.options.cancel_mode if body.options is not None else None
    return "killnowait" if mode is None else checked_cancel_mode(mode)


def _told(ask: Asking, outcome: int | Problem | None) -> dict[str, Any]:
    """What became of one of several events: its publication, or its problem."""
    if isinstance(outcome, Problem):
        return described_problem(outcome, ask.accepts.writable)
    return {"publication": outcome}


def _payload(ask: Asking, body: bodies.Payload) -> tuple[list[Any], dict[str, Any]]:
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


def _entry(ask: Asking, call: CallRecord) -> web.Response:
    try:
        return ask.answer(ask.accepts.writable(described(call)))
    except NotJson as reason:
        raise unreadable("answered", reason) from None
