"""How a fake bridge reaches an app: what it sends goes in by the app's own front door."""

from __future__ import annotations

import asyncio
import functools
import inspect
import itertools
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast
from urllib.parse import unquote

from wamp_bridge.core._bridge_app import BridgeApp
from wamp_bridge.core._callables import is_async_callable, run_awaiting
from wamp_bridge.core._envelopes import (
    ErrorEnvelope,
    EventEnvelope,
    InvocationEnvelope,
    ManifestEnvelope,
    ProgressEnvelope,
    ResultEnvelope,
)
from wamp_bridge.core._errors import BridgeError, InvalidJSON, InvalidValue
from wamp_bridge.core._json import loads
from wamp_bridge.core._messages import CallResult, Endpoint, Request
from wamp_bridge.core._requests import payload
from wamp_bridge.core._uris import escape_segment, matches
from wamp_bridge.core.testing._bridge import read_answer, signed_request
from wamp_bridge.core.testing._servers import PLACE, asgi_sender, awhole, whole, wsgi_sender

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence

    from wamp_bridge.core._envelopes import Envelope
    from wamp_bridge.core._messages import Response
    from wamp_bridge.core.testing._asked import Called

    Sender: TypeAlias = Callable[[Request], Response | Awaitable[Response]]

_T = TypeVar("_T")
_OF_CALLS = frozenset({"caller", "caller_authid", "caller_authrole", "caller_app", "deadline"})
_OF_EVENTS = frozenset(
    {"publisher", "publisher_authid", "publisher_authrole", "publisher_app", "retained"}
)
_Flow: TypeAlias = "Generator[Request, Response, _T]"


class Deliveries:
    """What a bridge sends to an app. Each method has an asynchronous twin, whose name has an `a`.

    The twins are for tests that run on a loop which the app's handlers must share; the others work
    everywhere.

    Args:
        secret: Signs what is sent.
    """

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self._sender: Sender | None = None
        self._async_sender: Sender | None = None
        self._place = PLACE
        self._manifest: Mapping[str, Any] | None = None
        self._numbers = itertools.count(1)
        self._unexpected: list[str] = []
        self._owed: list[tuple[Called, str, CallResult | BridgeError, Sequence[CallResult]]] = []

    def connect(self, app: BridgeApp | Callable[..., Any], at: str = PLACE) -> None:
        """Say which app it is that calls, events and outcomes go to.

        Args:
            app: A WSGI or ASGI app, which is entered as its server would; or a `WampBridge`, whose
                handlers then run without what the framework does around them.
            at: Where its dispatcher is mounted: a path, or a URL for an app that looks at its
                host.
        """
        if at.startswith("/"):
            at = PLACE.removesuffix("/wamp/") + at
        if not at.endswith("/"):
            raise ValueError(f"a dispatcher is mounted at what ends in a slash, not at {at!r}")
        self._place, self._manifest = at, None
        if isinstance(app, BridgeApp):
            wamp = app

            async def send(request: Request) -> Response:
                return await awhole(await wamp.handle_async(_unquoted(request)))

            self._sender = lambda request: whole(wamp.handle(_unquoted(request)))
            self._async_sender = send
        elif is_async_callable(app):
            self._sender = self._async_sender = asgi_sender(app, at)
        else:
            self._sender = self._async_sender = wsgi_sender(app, at)

    def invoke(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        details: Mapping[str, Any] | None = None,
        full: bool = False,
        on_progress: Callable[[Any], object] | None = None,
    ) -> Any:
        """Call a procedure that the app serves.

        Args:
            procedure: The whole URI; or the one component of it, where just one procedure ends so.
            args: Positional arguments, or keyword arguments where it is a mapping.
            kwargs: Keyword arguments.
            details: What is disclosed of the caller: `caller`, `caller_authid`,
                `caller_authrole`, `caller_app`, `deadline`.
            full: Return the `CallResult`.
            on_progress: Ask for progress, and be told each step of a generator.

        Returns:
            What the caller would get.

        Raises:
            AssertionError: The app serves no such procedure; says what it serves.
            BridgeError: The error that the caller would get.
        """
        __tracebackhide__ = True
        return self._run(self._invoking(procedure, args, kwargs, details, on_progress, full=full))

    async def ainvoke(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        details: Mapping[str, Any] | None = None,
        full: bool = False,
        on_progress: Callable[[Any], object] | None = None,
    ) -> Any:
        """As `invoke`, on the running loop."""
        return await self._arun(
            self._invoking(procedure, args, kwargs, details, on_progress, full=full)
        )

    def deliver_event(
        self,
        topic: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        details: Mapping[str, Any] | None = None,
        delivery_id: str | None = None,
    ) -> None:
        """Send the app an event, once for each of its subscriptions that match.

        Args:
            topic: The whole URI; or the one component of it, where just one topic ends so.
            args: Positional arguments, or keyword arguments where it is a mapping.
            kwargs: Keyword arguments.
            details: What is disclosed of the publisher: `publisher`, `publisher_authid`,
                `publisher_authrole`, `publisher_app`, `retained`.
            delivery_id: A new one if left out. Events arrive at least once; the same id again is
                the same event again.

        Raises:
            AssertionError: The app doesn't follow the topic; says what it follows.
            BridgeError: A handler failed; a bridge would send the event again.
        """
        __tracebackhide__ = True
        self._run(self._delivering(topic, args, kwargs, details, delivery_id))

    async def adeliver_event(
        self,
        topic: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        details: Mapping[str, Any] | None = None,
        delivery_id: str | None = None,
    ) -> None:
        """As `deliver_event`, on the running loop."""
        await self._arun(self._delivering(topic, args, kwargs, details, delivery_id))

    def deliver_outcomes(self) -> None:
        """Send the outcomes of the calls with a callback, each to its callback.

        Raises:
            BridgeError: A callback failed; a bridge would send the outcome again.
        """
        __tracebackhide__ = True
        self._run(self._settling())

    async def adeliver_outcomes(self) -> None:
        """As `deliver_outcomes`, on the running loop."""
        await self._arun(self._settling())

    def manifest(self) -> Mapping[str, Any]:
        """What the app says that it serves (protocol, section 4)."""
        return self._run(self._asking())

    async def amanifest(self) -> Mapping[str, Any]:
        """As `manifest`, on the running loop."""
        return await self._arun(self._asking())

    def owe_outcome(
        self,
        called: Called,
        call: str,
        outcome: CallResult | BridgeError,
        steps: Sequence[CallResult],
    ) -> None:
        """Keep what `deliver_outcomes` is to deliver."""
        self._owed.append((called, call, outcome, steps))

    def _invoking(
        self,
        procedure: str,
        args: Any,
        kwargs: Any,
        details: Mapping[str, Any] | None,
        on_progress: Callable[[Any], object] | None,
        *,
        full: bool,
    ) -> _Flow[Any]:
        members = payload(args, kwargs)
        told = {**_told(details, _OF_CALLS)}
        if on_progress is not None:
            told["progress"] = True
        uri, (endpoint, *_) = yield from self._found("procedures", "serves", procedure)
        envelope = InvocationEnvelope(endpoint, uri, members["args"], members["kwargs"], told)
        answer = yield self._signed(envelope, f"rpc/{escape_segment(endpoint.uri)}/")
        result = self._read(answer, on_progress)
        return result if full else result.value

    def _delivering(
        self,
        topic: str,
        args: Any,
        kwargs: Any,
        details: Mapping[str, Any] | None,
        delivery_id: str | None,
    ) -> _Flow[None]:
        members = payload(args, kwargs)
        told = _told(details, _OF_EVENTS)
        uri, endpoints = yield from self._found("topics", "follows", topic)
        publication = next(self._numbers)
        for endpoint in endpoints:
            envelope = EventEnvelope(
                endpoint, uri, publication, members["args"], members["kwargs"], told
            )
            path = f"pub/{escape_segment(endpoint.uri)}/"
            self._read((yield self._signed(envelope, path, delivery_id)))

    def _settling(self) -> _Flow[None]:
        while self._owed:
            called, call, outcome, steps = self._owed.pop(0)
            url = called.callback or ""
            path = url.removeprefix(called.settings.callback_url or url)
            for number, step in enumerate(steps):
                reported = ProgressEnvelope(
                    call, called.procedure, number, step.args, step.kwargs, url
                )
                self._read((yield self._signed(reported, path)))
            if isinstance(outcome, BridgeError):
                envelope: Envelope = ErrorEnvelope(
                    call,
                    called.procedure,
                    outcome.status,
                    outcome.uri,
                    outcome.args,
                    outcome.kwargs,
                    url,
                )
            else:
                envelope = ResultEnvelope(call, called.procedure, outcome.args, outcome.kwargs, url)
            self._read((yield self._signed(envelope, path)))

    def _asking(self) -> _Flow[Mapping[str, Any]]:
        __tracebackhide__ = True
        answer = yield self._signed(ManifestEnvelope(PLACE))
        if not _is_dispatchers(answer):
            raise AssertionError(
                f"There is no dispatcher at {self._place}: what is there answers with status "
                f"{answer.status}. `connect(app, at=...)` says where it is mounted."
            )
        manifest: Mapping[str, Any] = read_answer(answer).value
        self._manifest = manifest
        return manifest

    def _found(self, kind: str, verb: str, name: str) -> _Flow[tuple[str, list[Endpoint]]]:
        """The URI that is meant, and the endpoints that it reaches, the nearest first."""
        for manifest in (self._manifest, None):
            entries = (manifest or (yield from self._asking()))[kind]
            uri = _meant(name, entries)
            found = _matching(uri, entries)
            if found:
                return uri, found
        what = f"The app {verb} no {kind.removesuffix('s')} {name!r}."
        there = "\n".join(["There are:", *(f"  {each}" for each in sorted(entries))])
        raise AssertionError(f"{what}\n{there if entries else 'It has none at all.'}")

    def _read(
        self, answer: Response, on_progress: Callable[[Any], object] | None = None
    ) -> CallResult:
        """What the app's answer means; its error comes with what the app asked in vain."""
        try:
            return read_answer(answer, on_progress)
        except BridgeError as error:
            for reason in self._unexpected:
                error.add_note(reason)
            raise

    def _signed(
        self, envelope: Envelope, path: str = "", delivery_id: str | None = None
    ) -> Request:
        return signed_request(envelope, secrets=[self.secret], path=path, delivery_id=delivery_id)

    def _run(self, flow: _Flow[_T]) -> _T:
        answer: Any = None
        while True:
            try:
                request = flow.send(answer)
            except StopIteration as end:
                result: _T = end.value
                return result
            answer = _connected(self._sender)(request)
            if inspect.isawaitable(answer):
                answer = run_awaiting(functools.partial(_awaited, answer))

    async def _arun(self, flow: _Flow[_T]) -> _T:
        answer: Any = None
        while True:
            try:
                request = flow.send(answer)
            except StopIteration as end:
                result: _T = end.value
                return result
            sender = _connected(self._async_sender)
            if not is_async_callable(sender):
                answer = await asyncio.to_thread(sender, request)
            else:
                answer = await cast("Awaitable[Response]", sender(request))


def _connected(sender: Sender | None) -> Sender:
    if sender is None:
        raise AssertionError("the fake bridge reaches no app; tell it by `connect(app)` which one")
    return sender


def _told(details: Mapping[str, Any] | None, known: frozenset[str]) -> Mapping[str, Any]:
    """What a test discloses; a slip in a name would make a user nobody, and go unseen."""
    for name in details or ():
        if name not in known:
            raise TypeError(f"no detail is named {name!r}; there are {', '.join(sorted(known))}")
    return details or {}


def _is_dispatchers(answer: Response) -> bool:
    """Whether this can be a dispatcher's answer to what it serves: the manifest, or an error."""
    try:
        said = loads(answer.body)
    except (InvalidJSON, InvalidValue):
        return False
    return isinstance(said, dict) and not said.keys().isdisjoint({"procedures", "error"})


def _unquoted(request: Request) -> Request:
    """The request as a framework would hand it on."""
    return Request(request.method, unquote(request.path), request.headers, request.body)


async def _awaited(awaitable: Awaitable[_T]) -> _T:
    return await awaitable


def _meant(name: str, entries: Mapping[str, Any]) -> str:
    """The URI that a test names: whole, or by its last component where that tells enough."""
    if name.startswith("."):
        return name[1:]
    if "." in name or name in entries:
        return name
    ending = [uri for uri in entries if uri.endswith(f".{name}")]
    return ending[0] if len(ending) == 1 else name


def _matching(uri: str, entries: Mapping[str, Any]) -> list[Endpoint]:
    found = [
        Endpoint(pattern, entry["match"])
        for pattern, entry in entries.items()
        if matches(uri, pattern, entry["match"])
    ]
    exact = [each for each in found if each.match == "exact"]
    prefixes = [each for each in found if each.match == "prefix"]
    wildcards = [each for each in found if each.match == "wildcard"]
    prefixes.sort(key=lambda endpoint: -len(endpoint.uri))
    return exact + prefixes + wildcards
