"""A bridge in the process of a test: no network, no router, and it remembers what it was asked."""

from __future__ import annotations

import dataclasses
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

from wamp_bridge.core._calls import key_in
from wamp_bridge.core._errors import BridgeError, BridgeUnreachable, InvalidURI, NotFound
from wamp_bridge.core._json import AROUND, dumps, loads
from wamp_bridge.core._requests import Answer, Failure
from wamp_bridge.core._secrets import generate_secret
from wamp_bridge.core._stand_in import standing_in
from wamp_bridge.core._uris import check_uri, unescape_segment
from wamp_bridge.core.testing import _asked as asked
from wamp_bridge.core.testing._asked import Called, Expectation, Published
from wamp_bridge.core.testing._dead_letters import KeptDeadLetters
from wamp_bridge.core.testing._reaching import Deliveries
from wamp_bridge.core.testing._registered import Registered
from wamp_bridge.core.testing._servers import PLACE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wamp_bridge.core._messages import CallResult
    from wamp_bridge.core._requests import Outgoing
    from wamp_bridge.core._settings import Settings

URL: Final = "http://fake-bridge.invalid/"


class UnexpectedRequest(AssertionError):  # noqa: N818 - named for what came
    """The app asked something of the bridge that the test has not provided for."""


class FakeBridge(Deliveries, KeptDeadLetters):
    """Stands in for the bridge while an app is tested.

    ::

        with FakeBridge() as bridge:
            bridge.connect(app)
            bridge.expect_call("com.supplier.price", ["apple"], returns=3)
            app.test_client().get("/order/apple")
            bridge.assert_published("ordered", ["apple", 3])
            assert bridge.invoke("price", ["apple"]) == 3.5

    Within the context all that the process asks of a bridge comes here, from whatever thread:
    `call` and `publish` of adapters' modules, `Bridge`, `AsyncBridge`. Nothing has to be
    configured for it: an app without `WAMP_BRIDGE_URL`, token, secret or callback URL is told
    some. Apps don't announce themselves.

    Published events are taken and remembered, and so are URLs that are registered or subscribed by
    name, though nothing is sent there. Dead letters are those that the test has kept. A call needs
    an expectation, and without one is an `UnexpectedRequest`. At the end of the context, where
    nothing else has failed, `verify` fails for what was expected and didn't come, and for what came
    and was not expected.

    The pytest fixture `wamp_bridge_fake` is one.
    """

    def __init__(self) -> None:
        Deliveries.__init__(self, generate_secret())
        KeptDeadLetters.__init__(self)
        self._lock = threading.Lock()
        self._calls: list[Called] = []
        self._events: list[Published] = []
        self._expected_calls: list[Expectation] = []
        self._expected_events: list[Expectation] = []
        self._registered = Registered()
        self._outcomes: dict[str, CallResult | BridgeError] = {}
        self._is_down = False
        self._context = ExitStack()

    def __enter__(self) -> Self:
        self._context.enter_context(standing_in(self))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        self._context.close()
        if kind is None:
            self.verify()

    @property
    def called(self) -> list[Called]:
        """The calls that the app has made, in their order."""
        with self._lock:
            return list(self._calls)

    @property
    def published(self) -> list[Published]:
        """The events that the app has published, in their order."""
        with self._lock:
            return list(self._events)

    def expect_call(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        returns: Any = None,
        raises: BridgeError | type[BridgeError] | None = None,
        times: int | None = 1,
    ) -> None:
        """Expect the app to call a procedure, and say how that ends.

        The expectations of a procedure are met in the order in which they are made.

        Args:
            procedure: As the app's code names it, or the whole URI.
            args: The arguments, as they are given to `call`; any, if neither these are given
            kwargs: nor these.
            returns: The result; a `CallResult` for several, or for keyword results.
            raises: The error in its place.
            times: How often; None for any number of times, also never.

        Raises:
            InvalidValue: The result is none of JSON.
            TypeError: `raises` is no error that the bridge answers with.
        """
        outcome = asked.outcome_of(returns, raises)
        expected = Expectation(procedure, asked.wanted(args, kwargs), outcome, times)
        with self._lock:
            self._expected_calls.append(expected)

    def expect_publish(
        self,
        topic: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        raises: BridgeError | type[BridgeError] | None = None,
        times: int | None = 1,
    ) -> None:
        """Expect the app to publish an event; arguments as for `expect_call`.

        What is published without being expected is no error; see `assert_published`.
        """
        outcome = asked.outcome_of(None, raises)
        expected = Expectation(topic, asked.wanted(args, kwargs), outcome, times)
        with self._lock:
            self._expected_events.append(expected)

    @contextmanager
    def down(self) -> Iterator[None]:
        """Have nobody answer, as when the bridge is away, until the context ends."""
        self._is_down = True
        try:
            yield
        finally:
            self._is_down = False

    def assert_called(
        self,
        procedure: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        times: int | None = None,
    ) -> None:
        """Fail unless the app has called a procedure.

        Args:
            procedure: As the app's code names it, or the whole URI.
            args: The arguments, as they are given to `call`; any, if neither these are given
            kwargs: nor these.
            times: How often; at least once if left out.
        """
        __tracebackhide__ = True
        arguments = asked.wanted(args, kwargs)
        what = f"{asked.shown(procedure, arguments)} should have been called"
        asked.check_count(what, self.called, times, lambda one: one.is_like(procedure, arguments))

    def assert_published(
        self,
        topic: str,
        args: Sequence[Any] | Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        times: int | None = None,
    ) -> None:
        """Fail unless the app has published an event; arguments as for `assert_called`."""
        __tracebackhide__ = True
        arguments = asked.wanted(args, kwargs)
        what = f"{asked.shown(topic, arguments)} should have been published"
        asked.check_count(what, self.published, times, lambda one: one.is_like(topic, arguments))

    def verify(self) -> None:
        """Fail for what was expected and did not come, and for what came and was not expected."""
        __tracebackhide__ = True
        with self._lock:
            owed = {
                "called": [each for each in self._expected_calls if each.is_owed],
                "published": [each for each in self._expected_events if each.is_owed],
            }
            made: dict[str, Sequence[object]] = {"called": self._calls, "published": self._events}
            wrong = list(self._unexpected)
            for verb, expected in owed.items():
                if expected:
                    wrong.append(asked.listed(f"Expected to be {verb}:", expected, ""))
                    wrong.append(asked.listed("There were:", made[verb], "There was none."))
        if wrong:
            raise UnexpectedRequest("\n".join(wrong))

    def completed(self, settings: Settings) -> Settings:
        """An app's settings, with what it must know of this bridge."""
        return dataclasses.replace(
            settings,
            url=settings.url or URL,
            token=settings.token or "fake",
            secrets=tuple(dict.fromkeys((self.secret, *settings.secrets))),
            callback_url=settings.callback_url or PLACE,
            announce=False,
        )

    def answer(self, settings: Settings, request: Outgoing) -> Answer | Failure:
        """Answer a request of an app with these settings.

        Raises:
            UnexpectedRequest: The test has not provided for it.
        """
        __tracebackhide__ = True
        if self._is_down:
            return Failure("cut", "the test says that the bridge is down")
        members = loads(request.body) if request.body else {}
        action, _, rest = request.path.partition("/")
        if action in ("call", "publish"):
            uri = unescape_segment(rest.strip("/"))
            return self._answer_named(settings, action, uri, members, request.headers)
        if action == "calls":
            return self._answer_state(rest.strip("/"))
        if action in ("announce", "withdraw"):
            source = {"id": "src_1", "url": members["url"], "state": "live", "reason": None}
            return _json(200, {"source": source} if action == "announce" else {})
        return self._answer_kept(request, action, members)

    def _answer_kept(self, request: Outgoing, action: str, members: Mapping[str, Any]) -> Answer:
        """Answer what is about things that a bridge keeps for an app."""
        __tracebackhide__ = True
        try:
            if action == "dead-letters":
                status, document = self.answer_dead_letters(request, members)
                return Answer(status, {}, b"") if document is None else _json(status, document)
            if request.method == "GET":
                return self._answer_get(action, request.path)
            if action in self._registered.actions:
                with self._lock:
                    return _json(200, self._registered.actions[action](members))
        except BridgeError as error:
            return _problem(error, of_wamp=False)
        raise self._refuse(f"a fake bridge has no answer to {request.method} {request.path}")

    def _answer_named(
        self,
        settings: Settings,
        action: str,
        uri: str,
        members: Mapping[str, Any],
        headers: Mapping[str, str],
    ) -> Answer | Failure:
        __tracebackhide__ = True
        try:
            check_uri(uri)
        except InvalidURI as error:
            return _problem(error, of_wamp=False)
        if action == "call":
            return self._answer_call(settings, uri, members, headers)
        return self._answer_publish(settings, uri, members, key_in(headers))

    def _answer_call(
        self,
        settings: Settings,
        uri: str,
        members: Mapping[str, Any],
        headers: Mapping[str, str],
    ) -> Answer | Failure:
        __tracebackhide__ = True
        options, timeout, url = (members.get(name) for name in ("options", "timeout", "callback"))
        key = key_in(headers)
        called = Called(
            uri, members["args"], members["kwargs"], options or {}, timeout, url, key, settings
        )
        with self._lock:
            self._calls.append(called)
            outcome = _met(self._expected_calls, called)
            expected = [str(each) for each in self._expected_calls]
            number = len(self._calls)
        if outcome is None:
            others = asked.listed("Expected were:", expected, "No calls were expected.")
            raise self._refuse(f"{called} was called, which was not expected.\n{others}")
        if called.callback is None and "prefer" not in headers:
            return _outcome(outcome)
        if called.callback is not None:
            self.owe_outcome(called, f"call_{number}", outcome)
        self._outcomes[f"call_{number}"] = outcome
        pending = {"id": f"call_{number}", "status": "pending"}
        return _json(202, pending, location=f"/calls/call_{number}/")

    def _answer_state(self, call: str) -> Answer:
        """A call that nobody waits for has ended by the time that somebody asks."""
        outcome = self._outcomes.get(call)
        if outcome is None:
            missing = NotFound.explained(f'This app has no call "{call}".')
            return _problem(missing, of_wamp=False)
        args, kwargs = list(outcome.args), outcome.kwargs
        document: dict[str, Any] = {"id": call, "args": args, "kwargs": kwargs}
        if isinstance(outcome, BridgeError):
            document |= {"status": "failed", "error": outcome.uri, "error_status": outcome.status}
        else:
            document |= {"status": "succeeded", "result": outcome.value}
        return _json(200, document)

    def _answer_publish(
        self, settings: Settings, uri: str, members: Mapping[str, Any], key: str | None
    ) -> Answer | Failure:
        options = members.get("options") or {}
        event = Published(uri, members["args"], members["kwargs"], options, key, settings)
        with self._lock:
            outcome = _met(self._expected_events, event)
            if not isinstance(outcome, BridgeError):
                self._events.append(event)
            number = len(self._events)
        if isinstance(outcome, BridgeError):
            return _outcome(outcome)
        if options.get("acknowledge") is False:
            return Answer(202, {}, b"")
        return _json(200, {"publication": number})

    def _answer_get(self, action: str, path: str) -> Answer:
        """A list; or a topic's history, which is what the app itself has published there."""
        kind, (_, *rest) = action.partition("?")[0], path.split("/")
        if kind != "topics" or len(rest) == 1:
            return _json(200, {kind: self._registered.listed(kind), "cursor": None})
        topic = unescape_segment(rest[0])
        events = [
            {"publication": number, "topic": topic, "args": event.args, "kwargs": event.kwargs}
            for number, event in enumerate(self.published, 1)
            if event.topic == topic
        ]
        return _json(200, {"events": events[::-1]})

    def _refuse(self, reason: str) -> UnexpectedRequest:
        with self._lock:
            self._unexpected.append(reason)
        return UnexpectedRequest(reason)


def _met(
    expected: Sequence[Expectation], made: Called | Published
) -> CallResult | BridgeError | None:
    """What the first expectation that is met says."""
    for each in expected:
        if not each.is_used_up and made.is_like(each.name, each.wanted):
            each.met += 1
            return each.outcome
    return None


def _outcome(outcome: CallResult | BridgeError) -> Answer | Failure:
    if isinstance(outcome, BridgeUnreachable):
        return Failure("cut", outcome.detail or "the test says so")
    if isinstance(outcome, BridgeError):
        return _problem(outcome)
    members = {"args": outcome.args, "kwargs": outcome.kwargs}
    return _json(200, {"result": outcome.value, **members})


def _problem(error: BridgeError, *, of_wamp: bool = True) -> Answer:
    """The answer that an error is: one of WAMP's, or one of the bridge's own."""
    headers = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": error.title or type(error).__name__,
        "status": error.status,
        "detail": error.detail or str(error),
        "request_id": error.request_id or "req_fake",
    }
    if of_wamp:
        problem |= {"error": error.uri, "args": list(error.args), "kwargs": error.kwargs}
    return _json(error.status, problem, **headers)


def _json(status: int, members: Mapping[str, Any], **headers: str) -> Answer:
    return Answer(
        status, {"content-type": "application/json", **headers}, dumps(members, around=AROUND)
    )
