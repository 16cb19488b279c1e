"""`/call/PROCEDURE/`, `/publish/TOPIC/` and asynchronous calls."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from wamp_bridge_server.backends.base import Result
from wamp_bridge_server.callbacks.envelopes import single_result
from wamp_bridge_server.errors import Unprocessable
from wamp_bridge_server.http import bodies
from wamp_bridge_server.http.answers import answer, empty, unreadable
from wamp_bridge_server.services.calls import (
    DEFAULT_ASYNCHRONOUS_SECONDS,
    DEFAULT_SECONDS,
    status_of_outcome,
)
from wamp_bridge_server.services.checks import (
    checked_destination,
    checked_timeout,
    checked_uri,
    checked_url,
)
from wamp_bridge_server.values import NotJson, to_json

if TYPE_CHECKING:
    from aiohttp import web

    from wamp_bridge_server.http.asking import Asking
    from wamp_bridge_server.services.calls import Calls, PendingCall
    from wamp_bridge_server.services.publishing import Publishing

_DEFAULT_OPTIONS = bodies.PublicationOptions()


class MessageRequests:
    """Answers the calls and publications that apps ask for."""

    def __init__(self, calls: Calls, publishing: Publishing) -> None:
        self._calls = calls
        self._publishing = publishing

    async def call(self, ask: Asking) -> web.Response:
        """`POST /call/PROCEDURE/`."""
        body = ask.body(bodies.call)
        procedure = checked_uri(ask.name)
        args, kwargs = _payload(ask, body)
        if body.callback is not None or _respond_async(ask.request):
            return self._start(ask, body, procedure, args, kwargs)
        timeout = checked_timeout(body.timeout, DEFAULT_SECONDS)
        return _result(await self._calls.call(ask.app, procedure, args, kwargs, timeout))

    async def read_call(self, ask: Asking) -> web.Response:
        """`GET /calls/ID/`."""
        return answer(_described(self._calls.get(ask.app, ask.name)))

    async def cancel_call(self, ask: Asking) -> web.Response:
        """`DELETE /calls/ID/`."""
        await self._calls.cancel(ask.app, ask.name)
        return answer(_described(self._calls.get(ask.app, ask.name)))

    async def publish(self, ask: Asking) -> web.Response:
        """`POST /publish/TOPIC/`."""
        body = ask.body(bodies.publish)
        topic = checked_uri(ask.name)
        args, kwargs = _payload(ask, body)
        options = (body.options or _DEFAULT_OPTIONS).for_wamp()
        publication = await self._publishing.publish(ask.app, topic, args, kwargs, options)
        if publication is None:
            return empty(HTTPStatus.ACCEPTED)
        return answer({"publication": publication})

    def _start(
        self,
        ask: Asking,
        body: bodies.Call,
        procedure: str,
        args: list[Any],
        kwargs: dict[str, Any],
    ) -> web.Response:
        timeout = checked_timeout(body.timeout, DEFAULT_ASYNCHRONOUS_SECONDS)
        if body.callback is not None:
            checked_url(body.callback, "the callback")
            checked_destination(body.callback, "the callback", ask.app.destinations)
        call = self._calls.start(ask.app, procedure, args, kwargs, timeout, body.callback)
        response = answer({"id": call.id, "status": "pending"}, HTTPStatus.ACCEPTED)
        response.headers["Location"] = f"/calls/{call.id}/"
        return response


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


def _result(result: Result) -> web.Response:
    try:
        return answer(_members(result))
    except NotJson as reason:
        raise unreadable("returned", reason) from None


def _members(result: Result) -> dict[str, Any]:
    args = to_json(result.args)
    return {"result": single_result(args), "args": args, "kwargs": to_json(result.kwargs)}


def _described(call: PendingCall) -> dict[str, Any]:
    document: dict[str, Any] = {"id": call.id, "status": call.status}
    outcome = call.outcome
    if outcome is None:
        return document
    if isinstance(outcome, Result):
        return {**document, **_members(outcome)}
    return {
        **document,
        "error": outcome.uri,
        "args": to_json(outcome.wamp_args),
        "kwargs": to_json(outcome.wamp_kwargs),
        "error_status": status_of_outcome(call, outcome),
    }
