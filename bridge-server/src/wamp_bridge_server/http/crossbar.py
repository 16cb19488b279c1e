"""`POST /call` and `POST /publish` as Crossbar.io's HTTP bridge answers them (protocol, section 5).

The order of the checks, the statuses and the bodies are those of Crossbar's caller and publisher;
docs/crossbar.md says where we differ on purpose, and a test asks both.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from aiohttp import web

from wamp_bridge_server.errors import (
    NOT_AUTHORIZED,
    CallFailed,
    Forbidden,
    Malformed,
    Problem,
    Unauthenticated,
    Unavailable,
)
from wamp_bridge_server.http import bodies, documents
from wamp_bridge_server.http.answers import unreadable
from wamp_bridge_server.http.asking import Asking, read
from wamp_bridge_server.http.authentication import NOBODY
from wamp_bridge_server.http.authorities import is_loopback
from wamp_bridge_server.http.crossbar_query import BadQuery, SignedQuery, signed_query
from wamp_bridge_server.http.forms import JSON
from wamp_bridge_server.http.gate import check_protocol
from wamp_bridge_server.http.routes import Answer, Route
from wamp_bridge_server.services.calls import DEFAULT_SECONDS
from wamp_bridge_server.services.checks import checked_uri
from wamp_bridge_server.store import StoreError
from wamp_bridge_server.values import BadBinary, BadText, NotJson, encode_json, load_json, to_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from wamp_bridge_server.backends.base import PublishOptions, Result
    from wamp_bridge_server.http.admission import Admission, Request
    from wamp_bridge_server.http.authentication import Authentication
    from wamp_bridge_server.http.routes import Handler
    from wamp_bridge_server.services.apps import App
    from wamp_bridge_server.services.calls import Calls
    from wamp_bridge_server.services.publishing import Publishing

    Event = dict[str, Any]
    Doing = Callable[[App, Event], Awaitable[dict[str, Any]]]

_METHODS = "POST, PUT"
_CHARSETS = {"utf-8", "utf8"}
_OPTIONS = frozenset(bodies.PublicationOptions.__struct_fields__) - {"acknowledge"}
_FORWARDED = ("Forwarded", "X-Forwarded-For", "Via")

# Statuses that Crossbar has no word for: all that a request can be wrong in is 400.
_AS_CROSSBAR = {
    HTTPStatus.UNPROCESSABLE_ENTITY: HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: HTTPStatus.BAD_REQUEST,
}

log = structlog.get_logger("wamp_bridge.http")


class _Wrong(Exception):  # noqa: N818 - named for what the request is
    """A request that is answered with 400."""


class CrossbarRequests:
    """Answers what Crossbar's HTTP clients ask."""

    def __init__(
        self,
        admission: Admission,
        authentication: Authentication,
        calls: Calls,
        publishing: Publishing,
    ) -> None:
        self._admission = admission
        self._authentication = authentication
        self._calls = calls
        self._publishing = publishing

    def routes(self) -> list[Route]:
        """The requests that are answered here."""
        result = Answer("The result, or the error.", documents.CrossbarResult, {"args": [12.5]})
        published = Answer("Published, or the error.", documents.CrossbarPublished, {"id": 392175})
        call = {"procedure": "com.shop.price", "args": ["book"]}
        event = {"topic": "com.shop.sold", "args": ["book"]}
        routes = []
        for method in ("POST", "PUT"):
            routes += [
                _route("call", method, self.call, bodies.CrossbarCall, call, result),
                _route("publish", method, self.publish, bodies.CrossbarPublish, event, published),
            ]
        return routes

    async def call(self, request: web.Request) -> web.Response:
        """`POST /call`."""
        return await self._answer(request, self._call)

    async def publish(self, request: web.Request) -> web.Response:
        """`POST /publish`."""
        return await self._answer(request, self._publish)

    async def _answer(self, request: web.Request, do: Doing) -> web.Response:
        if request.method == "OPTIONS":
            return web.Response(headers={"Allow": f"{_METHODS}, OPTIONS"})
        if request.method not in {"POST", "PUT"}:
            text = f"{request.method} is not for this path; {_METHODS} are."
            return _denied(HTTPStatus.METHOD_NOT_ALLOWED, text, {"Allow": _METHODS})
        try:
            async with self._admission.request() as place:
                ask = await self._asking(request, place)
                check_protocol(request)
                return _answered(await do(ask.app, _event(ask.text)))
        except (_Wrong, BadQuery, Problem, StoreError) as error:
            return _refused(error)

    async def _call(self, app: App, event: Event) -> dict[str, Any]:
        procedure = _uri(event, "procedure")
        args, kwargs = _arguments(event)
        result = await self._calls.call(app, procedure, args, kwargs, DEFAULT_SECONDS)
        try:
            return _result(result)
        except NotJson as reason:
            raise unreadable("returned", reason) from None

    async def _publish(self, app: App, event: Event) -> dict[str, Any]:
        topic = _uri(event, "topic")
        args, kwargs = _arguments(event)
        publication = await self._publishing.publish(app, topic, args, kwargs, _options(event))
        return {"id": publication}

    async def _asking(self, request: web.Request, place: Request) -> Asking:
        """Find out who asks, by Crossbar's query or by all that the bridge takes elsewhere."""
        _check_type(request)
        authentication = self._authentication
        signed = authentication.claimed(request)
        app = authentication.by_header(request) if signed is None else None
        query = signed_query(request.raw_path, time.time()) if signed is None and not app else None
        if app is not None:
            place.admit(app.name)
        text = await read(request, place)
        if signed is not None:
            app = await authentication.by_signature(request, signed, text)
        elif query is not None:
            app = await self._by_query(request, query, text)
        elif app is None:
            app = self._by_body(request, text)
        return authentication.admit(Asking(request, app, text), place)

    async def _by_query(self, request: web.Request, query: SignedQuery, text: bytes) -> App:
        authentication = self._authentication
        app = authentication.apps.by_crossbar_key.get(query.key)
        if app is None or app.crossbar is None:
            raise authentication.refusal(request, NOBODY)
        key = f"crossbar {app.name}"
        authentication.failures.check(authentication.remotes.of(request), key)
        if not app.crossbar.live(time.time()) or not query.matches(app.crossbar.mac, text):
            raise authentication.refusal(request, key)
        # One number space for each app; the prefix keeps it apart from that of its signatures.
        nonces = [f"crossbar {once}" for once in query.once]
        await authentication.spend(request, app, nonces, query.expires_at, key=key)
        return app

    def _by_body(self, request: web.Request, text: bytes) -> App:
        try:
            token = JSON.token(text)
        except Malformed:
            raise _Wrong("The body is no JSON in UTF-8.") from None
        if token is not None:
            return self._authentication.by_token(request, token)
        apps = self._authentication.apps
        if apps.anonymous is not None and _is_local(request):
            return apps.anonymous
        if apps.anonymous is None and not apps.by_crossbar_key:
            raise Unauthenticated  # no signed query would help
        raise BadQuery('The query lacks its "key".')


def _route(
    name: str,
    method: str,
    handler: Handler,
    body: type[msgspec.Struct],
    example: dict[str, Any],
    answer: Answer,
) -> Route:
    return Route(
        name=f"crossbar_{name}" if method == "POST" else f"crossbar_{name}_by_put",
        method=method,
        path=f"/{name}",
        handler=handler,
        summary=f"{name.capitalize()} as Crossbar.io's HTTP clients do",
        description="Errors of WAMP are answered with 200. Signed by Crossbar's query, too.",
        body=body,
        example=example,
        answers=(answer,),
        access="crossbar",
    )


def _is_local(request: web.Request) -> bool:
    """Whether a program of this machine asks, and no page in a browser and no proxy for others.

    A page may well post to a loopback address; what it can't do is to leave its Origin out.
    """
    headers = request.headers
    return (
        "Origin" not in headers
        and not any(name in headers for name in _FORWARDED)
        and is_loopback(headers.getall("Host", ()))
    )


def _check_type(request: web.Request) -> None:
    header = request.headers.get("Content-Type")
    if header is None:
        return
    kind, *parameters = [part.strip().lower() for part in header.split(";")]
    if kind != "application/json":
        raise _Wrong("The body must be application/json.")
    given: dict[str, str] = {}
    for parameter in parameters:
        name, mark, value = parameter.partition("=")
        name = name.strip()
        if mark and ("=" in value or name in given):
            raise _Wrong("The Content-Type can't be read.")
        if mark:
            given[name] = value.strip()
    if given.get("charset", "utf-8") not in _CHARSETS:
        raise _Wrong("The body must be in UTF-8.")


def _event(text: bytes) -> Event:
    try:
        event = load_json(text)
    except (BadText, BadBinary) as error:
        raise _Wrong(f"The body can't be taken: {error}.") from None
    if not isinstance(event, dict):
        raise _Wrong("The body must be a JSON object.")
    return event


def _uri(event: Event, name: str) -> str:
    uri = event.get(name)
    if not isinstance(uri, str):
        raise _Wrong(f'The body lacks its "{name}", a text.')
    return checked_uri(uri)


def _arguments(event: Event) -> tuple[list[Any], dict[str, Any]]:
    args, kwargs = event.get("args") or [], event.get("kwargs") or {}
    if not isinstance(args, list):
        raise _Wrong('"args" must be a list.')
    if not isinstance(kwargs, dict):
        raise _Wrong('"kwargs" must be an object.')
    return args, kwargs


def _options(event: Event) -> PublishOptions:
    given = event.get("options") or {}
    if not isinstance(given, dict):
        raise _Wrong('"options" must be an object.')
    known = {name: given[name] for name in _OPTIONS if given.get(name) is not None}
    try:
        return msgspec.convert(known, bodies.PublicationOptions).for_wamp()
    except msgspec.ValidationError as error:
        raise _Wrong(f'"options" are not as they should be: {error}.') from None


def _result(result: Result) -> dict[str, Any]:
    args, kwargs = list(to_json(result.args)), to_json(result.kwargs)
    if not kwargs and len(args) <= 1:
        return {"args": args or [None]}
    return {name: value for name, value in (("args", args), ("kwargs", kwargs)) if value}


def _error(uri: str, args: Any, kwargs: Any) -> dict[str, Any]:
    try:
        return {"error": uri, "args": to_json(args), "kwargs": to_json(kwargs)}
    except NotJson as reason:
        other = unreadable("raised", reason)
        return {"error": other.error, "args": other.wamp_args, "kwargs": {}}


def _refused(error: Exception) -> web.Response:
    if isinstance(error, CallFailed):  # an answer as any other, for these clients
        return _answered(_error(error.error, error.wamp_args, error.wamp_kwargs))
    if isinstance(error, Forbidden):  # which Crossbar leaves to its router
        return _answered(_error(NOT_AUTHORIZED, [error.detail], {}))
    if isinstance(error, StoreError):
        log.error("store failed", reason=str(error))
        error = Unavailable("The bridge's store can't be used now.")
    if isinstance(error, Problem):
        status = HTTPStatus(error.answer_status)
        return _denied(_AS_CROSSBAR.get(status, status), error.detail, error.headers)
    return _denied(HTTPStatus.BAD_REQUEST, str(error))


def _answered(document: Mapping[str, Any], status: int = HTTPStatus.OK) -> web.Response:
    return web.Response(
        body=encode_json(document),
        status=status,
        content_type="application/json",
        charset="utf-8",
        headers={"Cache-Control": "no-store"},
    )


def _denied(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    response = _answered({"error": text, "args": [], "kwargs": {}}, status)
    response.headers.update(headers or {})
    return response
