"""`/events/TOPIC/`: topics followed by server-sent events, and URLs that let a browser do so."""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from aiohttp import hdrs

from wamp_bridge.core import escape_segment
from wamp_bridge_server.config.checks import Wrong
from wamp_bridge_server.config.checks import origin as checked_origin
from wamp_bridge_server.errors import GoingDown, Problem, Unprocessable
from wamp_bridge_server.http import bodies, documents, event_stream
from wamp_bridge_server.http.asking import name_in
from wamp_bridge_server.http.authentication import NOBODY
from wamp_bridge_server.http.cors import ORIGIN, allowing, preflight
from wamp_bridge_server.http.event_stream import is_wanted
from wamp_bridge_server.http.following import FollowedTopic, answered_head
from wamp_bridge_server.http.gate import check_protocol
from wamp_bridge_server.http.routes import MATCH, TOPICS, Answer, Parameter, Route
from wamp_bridge_server.http.routes import described as kind
from wamp_bridge_server.services.checks import MATCHES, checked_match, checked_uri
from wamp_bridge_server.services.signed_urls import Leave

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aiohttp import web

    from wamp_bridge_server.backends.base import Match
    from wamp_bridge_server.http.admission import Admission, Request
    from wamp_bridge_server.http.asking import Asking
    from wamp_bridge_server.http.authentication import Authentication
    from wamp_bridge_server.services.apps import App
    from wamp_bridge_server.services.signed_urls import SignedUrls
    from wamp_bridge_server.services.streams import Streams

DEFAULT_LIFETIME = 300.0
_LAST = "Last-Event-ID"
_MAX_PLACE = 256
_ANY_TOPIC = Parameter(
    "topic",
    kind(str, "A text; it plays no part.", minLength=1),
    "The topic, percent-encoded as one segment.",
    "com.shop.sold",
    "path",
)
_PLACE = "log_01k0000000000000000000000f-41"
_PLACES = (
    Parameter(_LAST, str, "The id of the event behind which to begin.", _PLACE, "header"),
    Parameter("last_event_id", str, "The same, for who can't set headers.", _PLACE),
)
_STREAM = f"""\
retry: 2000
id: {_PLACE}
event: ready
data: {{"topic":"com.shop.sold","match":"exact","state":"live","reason":null}}

"""
_SIGNED_URL = {
    "url": "https://bridge.example/events/com.shop.sold/?app=shop&expires=1700000060&match=exact"
    "&signature=wbu_0123456789abcdef",
    "expires_at": 1700000060,
}
_SIGNED = ("app", "expires", "match", "origin", "signature")


class StreamRequests:
    """Answers those who follow topics, and apps that sign URLs for them.

    Args:
        admission: Takes requests; a stream that has begun is none any more.
        authentication: Finds out who asks.
        streams: Follows topics.
        signed: Signs URLs.
    """

    def __init__(
        self,
        admission: Admission,
        authentication: Authentication,
        streams: Streams,
        signed: SignedUrls,
    ) -> None:
        self._admission = admission
        self._authentication = authentication
        self._streams = streams
        self._signed = signed

    def routes(self) -> list[Route]:
        """The requests that are answered here."""
        return [
            Route(
                name="follow_topic",
                method="GET",
                path="/events/{topic}/",
                handler=self.follow,
                summary="Follow a topic by server-sent events",
                description="They come for as long as they are read; `HEAD` answers what this "
                "begins with.",
                parameters=(TOPICS, MATCH, *_PLACES),
                answers=(
                    Answer(
                        "`ready`, then the events; `gap` where some are lost.",
                        str,
                        _STREAM,
                        media_type=event_stream.MEDIA_TYPE,
                    ),
                ),
                errors=(HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY),
                access="signed",
            ),
            Route(
                name="may_follow_topic",
                method="OPTIONS",
                path="/events/{topic}/",
                handler=self.preflight,
                summary="Whether a page of another origin may follow a topic",
                parameters=(_ANY_TOPIC,),
                answers=(Answer("The headers say it.", status=HTTPStatus.NO_CONTENT),),
                access="anybody",
            ),
            Route(
                name="sign_url",
                method="POST",
                path="/events/{topic}/url/",
                handler=self.sign,
                summary="Sign a URL that lets a browser follow a topic",
                body=bodies.SignUrl,
                example={"lifetime": 60, "origin": "https://shop.example"},
                parameters=(TOPICS,),
                answers=(Answer("The URL.", documents.SignedUrl, _SIGNED_URL),),
                errors=(HTTPStatus.FORBIDDEN,),
            ),
        ]

    async def follow(self, request: web.Request) -> web.StreamResponse:
        """`GET /events/TOPIC/` and `HEAD`."""
        try:
            with _readable(request, self._apps(request)):
                async with self._admission.request() as place:
                    app = await self._who(request, place)
                    check_protocol(request)
                    response = await self._begin(request, app)
        except GoingDown:
            # After an error's status a browser does not come back, after a lost connection it does.
            if request.transport is not None and is_wanted(request):
                request.transport.abort()
            raise
        response.headers.update(allowing(request, [app]))
        return response

    async def preflight(self, request: web.Request) -> web.StreamResponse:
        """`OPTIONS /events/TOPIC/`; it proves nothing, and is told nothing but the origins."""
        return preflight(request, self._apps(request))

    async def sign(self, ask: Asking) -> web.Response:
        """`POST /events/TOPIC/url/`."""
        body = ask.body(bodies.SignUrl)
        topic, match = _topic(ask.name, body.match)
        ask.app.permissions.check("subscribe", topic, match)
        expires = int(self._signed.clock() + _lifetime(body.lifetime, ask.app))
        leave = Leave(ask.app.name, topic, match, expires, _origin(body.origin))
        query = {"app": leave.app, "expires": leave.expires, "match": match}
        if leave.origin is not None:
            query["origin"] = leave.origin
        query["signature"] = self._signed.sign(ask.app, leave)
        place = f"events/{escape_segment(topic)}/?{urlencode(query)}"
        return ask.answer({"url": self._base(ask.request) + place, "expires_at": expires})

    async def _begin(self, request: web.Request, app: App) -> web.StreamResponse:
        topic, match = _topic(name_in(request), request.query.get("match"))
        if request.method == hdrs.METH_HEAD:
            app.permissions.check("subscribe", topic, match)
            return answered_head()
        place = request.headers.get(_LAST) or request.query.get("last_event_id") or None
        if place is not None and len(place) > _MAX_PLACE:
            raise Unprocessable(f'A "{_LAST}" of this bridge is shorter.')
        return FollowedTopic(request, await self._streams.open(app, topic, match, place))

    async def _who(self, request: web.Request, place: Request) -> App:
        """The app that asks, or that has signed the URL."""
        signatures = request.query.getall("signature", [])
        if not signatures:
            return (await self._authentication.asking(request, place)).app
        authentication = self._authentication
        app, leave = self._named(request), _leave(request)
        key = NOBODY if app is None else app.name
        authentication.failures.check(authentication.remotes.of(request), key)
        if (
            app is None
            or leave is None
            or not self._signed.counts(app, leave, signatures[0])
            or leave.origin not in (None, request.headers.get(ORIGIN))
        ):
            raise authentication.refusal(request, key)
        authentication.let_in(app, place)
        return app

    def _named(self, request: web.Request) -> App | None:
        return self._authentication.apps.by_name.get(request.query.get("app", ""))

    def _apps(self, request: web.Request) -> list[App]:
        """Whose origins count before it is known who asks: the named app's, or everybody's."""
        app = self._named(request)
        return [app] if app is not None else list(self._authentication.apps.by_name.values())

    def _base(self, request: web.Request) -> str:
        """Where browsers reach the bridge: its first public URL, or as the app reached it."""
        public = self._authentication.authorities.public
        return f"{public}/" if public is not None else f"{request.scheme}://{request.host}/"


@contextmanager
def _readable(request: web.Request, apps: Iterable[App]) -> Iterator[None]:
    """Have a page read the refusals that this raises, where it may read the answer."""
    try:
        yield
    except Problem as error:
        error.headers = {**error.headers, **allowing(request, apps)}
        raise


def _leave(request: web.Request) -> Leave | None:
    """What a signed URL says; None where it can't be one."""
    query = request.query
    match, expires = query.get("match", "exact"), query.get("expires", "")
    if any(len(query.getall(name, [])) > 1 for name in _SIGNED):
        return None
    if match not in MATCHES or not (expires.isascii() and expires.isdecimal()):
        return None
    topic = name_in(request)
    return Leave(
        query.get("app", ""),
        topic,
        checked_match(topic, match),
        int(expires[:20]),
        query.get("origin"),
    )


def _topic(name: str, match: str | None) -> tuple[str, Match]:
    matched = checked_match(name, match)
    return checked_uri(name, matched), matched


def _lifetime(asked: float | None, app: App) -> float:
    most = app.config.streams.url_lifetime
    if asked is None:
        return min(DEFAULT_LIFETIME, most)
    least = bodies.LEAST_URL_SECONDS
    if not least <= asked <= most:
        raise Unprocessable(f'"lifetime" must be {least:.0f} to {most:.0f} seconds.')
    return asked


def _origin(asked: str | None) -> str | None:
    if asked is None:
        return None
    try:
        return checked_origin(asked)
    except Wrong as wrong:
        raise Unprocessable(f'"origin" {wrong}.') from None
