"""Exchanges with the bridge, step by step and without any network."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wamp_bridge.core import (
    ApplicationError,
    Bridge,
    BridgeError,
    BridgeUnreachable,
    CallTimeout,
    Conflict,
    NoSuchProcedure,
    ServerError,
    Settings,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from wamp_bridge.core import _calls as calls
from wamp_bridge.core import _operations as operations
from wamp_bridge.core._requests import (
    KEY_HEADER,
    Answer,
    Exchange,
    Failure,
    Outgoing,
    Pause,
    Send,
    exchange,
    json_of,
    payload,
)

REFUSED = Failure("unsent", "connection refused")
CUT = Failure("cut", "connection reset")
LATE = Failure("late", "read timed out")
OK = Answer(200, {}, b'{"ok": true}')


def busy(retry_after: str | None = "1") -> Answer:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return Answer(503, headers, b'{"title": "Service Unavailable"}')


def drive(
    came: list[Answer | Failure],
    *,
    repeatable: bool = True,
    keyed: bool = False,
    budget: float = 10.0,
) -> tuple[Any, list[float]]:
    """Run an exchange on a clock that only pauses move; its result and the pauses."""
    now, pauses = 0.0, []
    headers = {KEY_HEADER: '"k"'} if keyed else {}
    request = Outgoing("POST", "x/", b"{}", budget, repeatable, headers)
    steps = exchange(request, json_of, clock=lambda: now)
    step = steps.send(None)
    waiting = list(came)
    try:
        while True:
            if isinstance(step, Pause):
                pauses.append(step.seconds)
                now += step.seconds
                step = steps.send(None)
            else:
                assert step.request is request
                assert 0 < step.within <= budget
                step = steps.send(waiting.pop(0))
    except StopIteration as end:
        return end.value, pauses
    except BridgeError as error:
        return error, pauses
    finally:
        assert not waiting, "it ended with steps left"


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_request_that_never_left_is_sent_again(*, repeatable: bool) -> None:
    result, pauses = drive([REFUSED, REFUSED, OK], repeatable=repeatable)
    assert result == {"ok": True}
    assert pauses == pytest.approx([0.1, 0.3])


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_bridge_that_stays_away_is_unreachable_soon(*, repeatable: bool) -> None:
    error, pauses = drive([REFUSED] * 3, repeatable=repeatable)
    assert type(error) is BridgeUnreachable
    assert "connection refused" in str(error)
    assert sum(pauses) < 1


def test_what_may_be_repeated_is_repeated_when_it_was_cut() -> None:
    assert drive([CUT, OK])[0] == {"ok": True}


def test_what_may_have_arrived_and_must_not_be_repeated_is_not() -> None:
    error, pauses = drive([CUT], repeatable=False)
    assert type(error) is BridgeUnreachable
    assert pauses == []


def test_what_has_a_key_is_repeated_and_waits_for_the_answer_of_the_first() -> None:
    running = Answer(409, {"retry-after": "1"}, b'{"title": "Conflict"}')
    result, pauses = drive([CUT, running, running, OK], repeatable=False, keyed=True)
    assert result == {"ok": True}
    assert pauses == [0.1, 1.0, 1.0]
    error, _ = drive([running] * 3, repeatable=False, keyed=True, budget=3.0)
    assert type(error) is Conflict


@pytest.mark.parametrize("answer", [busy("1"), Answer(409, {}, b'{"title": "Conflict"}')])
def test_what_has_a_key_is_not_repeated_where_it_may_have_been_done(answer: Answer) -> None:
    error, pauses = drive([answer], repeatable=False, keyed=True)
    assert error.status == answer.status
    assert pauses == []


@pytest.mark.parametrize("repeatable", [True, False])
def test_what_came_too_late_is_not_repeated(*, repeatable: bool) -> None:
    error, _ = drive([LATE], repeatable=repeatable)
    assert type(error) is CallTimeout


def test_a_busy_bridge_is_asked_again_when_it_said_when() -> None:
    result, pauses = drive([busy("2"), busy("3"), OK])
    assert result == {"ok": True}
    assert pauses == [2.0, 3.0]


def test_a_bridge_that_says_at_once_is_not_asked_without_a_pause() -> None:
    assert drive([busy("0"), OK])[1] == [0.1]


def test_no_wait_goes_beyond_the_budget() -> None:
    error, pauses = drive([busy("4"), busy("7")])
    assert type(error) is Unavailable
    assert pauses == [4.0]
    assert drive([REFUSED], budget=0.05)[1] == []


@pytest.mark.parametrize("retry_after", [None, "soon", "-1", "nan", "Wed, 21 Oct 2015"])
def test_a_busy_bridge_that_did_not_say_when_is_not_asked_again(retry_after: str | None) -> None:
    error, _ = drive([busy(retry_after)])
    assert type(error) is Unavailable
    assert error.retry_after is None


def test_a_call_is_not_made_twice_because_the_bridge_was_busy() -> None:
    error, _ = drive([busy("1")], repeatable=False)
    assert type(error) is Unavailable
    assert error.retry_after == 1.0


def answered(status: int, problem: Any, headers: dict[str, str] | None = None) -> BridgeError:
    body = problem if isinstance(problem, bytes) else json.dumps(problem).encode()
    error, _ = drive([Answer(status, headers or {}, body)], repeatable=False)
    assert isinstance(error, BridgeError)
    return error


def test_a_problem_document_is_a_typed_error() -> None:
    error = answered(
        404,
        {
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": "nobody serves it",
            "request_id": "r1",
            "error": "wamp.error.no_such_procedure",
            "args": ["no callee"],
            "kwargs": {"procedure": "f", "self": 1},
        },
    )
    assert type(error) is NoSuchProcedure
    assert (error.status, error.uri) == (404, "wamp.error.no_such_procedure")
    assert (error.title, error.detail, error.request_id) == ("Not Found", "nobody serves it", "r1")
    assert (error.args, error.kwargs) == (("no callee",), {"procedure": "f", "self": 1})


def test_a_callee_s_own_error_is_an_application_error() -> None:
    error = answered(500, {"error": "com.shop.sold_out", "args": [1], "kwargs": {}})
    assert type(error) is ApplicationError
    assert (error.uri, error.args) == ("com.shop.sold_out", (1,))


def test_limits_say_when_to_come_back() -> None:
    error = answered(429, {}, {"retry-after": "7", "request-id": "r2"})
    assert type(error) is TooManyRequests
    assert (error.retry_after, error.request_id) == (7.0, "r2")


@pytest.mark.parametrize(
    "body", [b"<html>Bad Gateway</html>", b"", b"[]", b'"text"', {"error": 1, "args": {}}]
)
def test_what_is_no_problem_document_still_has_its_status(body: Any) -> None:
    error = answered(502, body)
    assert type(error) is ServerError
    assert error.status == 502
    assert "502" in str(error)
    assert type(answered(401, body)) is Unauthorized


def test_a_redirection_is_an_error() -> None:
    assert answered(301, b"").status == 301


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null"])
def test_a_success_that_is_no_json_object_is_no_bridge_s(body: bytes) -> None:
    error, _ = drive([Answer(200, {}, body)])
    assert type(error) is ServerError
    assert "WAMP_BRIDGE_URL" in str(error)


# What is asked


SETTINGS = Settings(
    url="http://b/", token="t", prefix="com.shop", callback_url="http://h/wamp/", timeout=7
)


def sent_by(steps: Exchange[Any]) -> Outgoing:
    step = steps.send(None)
    assert isinstance(step, Send)
    return step.request


def call(procedure: str, args: Any = None, kwargs: Any = None, **options: Any) -> Outgoing:
    given = {
        "timeout": None,
        "callback": None,
        "options": None,
        "idempotency_key": None,
        "full": False,
    } | options
    return sent_by(calls.call(SETTINGS, procedure, args, kwargs, **given))


def body_of(request: Outgoing) -> Any:
    assert request.body is not None
    return json.loads(request.body)


def test_a_call_takes_the_prefix_and_is_never_repeatable() -> None:
    request = call("price", ["book"], {"self": 1, "procedure": 2})
    assert (request.method, request.path) == ("POST", "call/com.shop.price/")
    assert not request.repeatable
    assert body_of(request) == {
        "args": ["book"],
        "kwargs": {"self": 1, "procedure": 2},
        "timeout": 7,
    }
    assert request.budget > 7


@pytest.mark.parametrize(
    ("procedure", "path"),
    [(".f", "call/f/"), ("com.x.f", "call/com.x.f/"), ("a/b?c", "call/com.shop.a%2Fb%3Fc/")],
)
def test_names_are_one_segment_of_the_path(procedure: str, path: str) -> None:
    assert call(procedure).path == path


def test_a_call_with_a_callback_waits_for_its_acceptance_alone() -> None:
    request = call("price", callback="done", timeout=3600)
    assert body_of(request)["callback"] == "http://h/wamp/callback/done/"
    assert body_of(request)["timeout"] == 3600
    assert request.budget == 7
    assert "timeout" not in body_of(call("price", callback="http://elsewhere/x"))
    assert body_of(call("price", callback="http://elsewhere/x"))["callback"] == "http://elsewhere/x"


@pytest.mark.parametrize(
    ("key", "header"),
    [("abc-1", '"abc-1"'), ("a b", '"a b"'), ('"\\', '"\\"\\\\"'), ("x" * 255, f'"{"x" * 255}"')],
)
def test_a_key_is_a_string_of_structured_fields(key: str, header: str) -> None:
    request = call("price", idempotency_key=key)
    assert request.headers == {"idempotency-key": header}
    assert calls.key_in(request.headers) == key
    assert request.keyed
    assert not request.repeatable


@pytest.mark.parametrize("key", ["", "x" * 256, "\u00e9", "a\n"])
def test_what_can_be_no_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="idempotency key"):
        call("price", idempotency_key=key)


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        (None, None, {"args": [], "kwargs": {}}),
        ([1], None, {"args": [1], "kwargs": {}}),
        ((1, 2), {"a": 3}, {"args": [1, 2], "kwargs": {"a": 3}}),
        ({"a": 1}, None, {"args": [], "kwargs": {"a": 1}}),
    ],
)
def test_arguments_are_positional_or_named(args: Any, kwargs: Any, expected: Any) -> None:
    assert payload(args, kwargs) == expected


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [("text", None), (1, None), ({1, 2}, None), ({"a": 1}, {"b": 2}), (b"x", None)],
)
def test_arguments_of_another_shape_are_refused(args: Any, kwargs: Any) -> None:
    with pytest.raises(TypeError):
        payload(args, kwargs)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_timeout_is_a_time(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        call("f", timeout=timeout)


def test_endpoints_take_the_prefix_too() -> None:
    request = sent_by(operations.register(SETTINGS, {"f": "http://h/f", "com.g": {"url": "u"}}, 5))
    assert request.path == "register/"
    assert request.repeatable
    assert body_of(request) == {
        "endpoints": {"com.shop.f": "http://h/f", "com.g": {"url": "u"}},
        "lease": 5,
    }
    request = sent_by(operations.unregister(SETTINGS, ["f"], "prefix"))
    assert body_of(request) == {"endpoints": ["com.shop.f"], "match": "prefix"}
    request = sent_by(operations.unsubscribe(SETTINGS, {"f": "http://h/f"}, None))
    assert body_of(request) == {"endpoints": {"com.shop.f": "http://h/f"}}
    with pytest.raises(TypeError):
        operations.unregister(SETTINGS, "f", None)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda bridge: bridge.call(None), "procedure must be a text, not None"),
        (lambda bridge: bridge.publish(b"t"), "topic must be a text, not bytes"),
        (lambda bridge: bridge.call("f", [1], 2), "kwargs must be a mapping, not int"),
        (lambda bridge: bridge.publish("t", options=["x"]), "options must be a mapping, not list"),
        (lambda bridge: bridge.call("f", timeout="5"), "timeout must be a number of seconds"),
        (lambda bridge: bridge.call("f", callback=f), "callback must be a text, not function"),
        (lambda bridge: bridge.publish("t", idempotency_key=17), "idempotency_key must be a text"),
        (lambda bridge: bridge.read_call(None), "call must be a text, not None"),
        (lambda bridge: bridge.register(["f"]), "endpoints must be a mapping of names to what"),
        (lambda bridge: bridge.register({1: "http://h/"}), "a name in endpoints must be a text"),
        (lambda bridge: bridge.subscribe(None), "endpoints must be a mapping of names to what"),
        (
            lambda bridge: bridge.subscribe({"t": None}),
            r"endpoints\['t'\] must be a text, not None",
        ),
        (lambda bridge: bridge.unregister(None), "endpoints must be a list of names, not None"),
        (lambda bridge: bridge.unsubscribe([1]), r"endpoints\[0\] must be a text, not int"),
        (lambda bridge: bridge.heartbeat("f"), "endpoints must be a list of names, not str"),
        (lambda bridge: bridge.replay_dead_letters(3), "identifier must be a text, not int"),
    ],
)
def test_an_argument_of_another_kind_is_named(ask: Any, message: str) -> None:
    with Bridge(SETTINGS) as bridge, pytest.raises(TypeError, match=message):
        ask(bridge)


def f() -> None: ...


def test_lists_are_read_page_by_page() -> None:
    steps = operations.sources(SETTINGS)
    first = steps.send(None)
    assert isinstance(first, Send)
    assert first.request.path == "sources/?limit=1000"
    entry = {"id": "s1", "url": "u", "state": "live", "reason": None}
    page = json.dumps({"sources": [entry], "cursor": "a&b"}).encode()
    second = steps.send(Answer(200, {}, page))
    assert isinstance(second, Send)
    assert second.request.path == "sources/?limit=1000&cursor=a%26b"
    with pytest.raises(StopIteration) as end:
        steps.send(Answer(200, {}, json.dumps({"sources": [entry], "cursor": None}).encode()))
    assert [source.id for source in end.value.value] == ["s1", "s1"]


@pytest.mark.parametrize("page", [{}, {"sources": {}}, {"sources": [1], "cursor": None}])
def test_a_list_that_is_none_is_no_bridge_s(page: Any) -> None:
    steps = operations.sources(SETTINGS)
    steps.send(None)
    with pytest.raises(ServerError, match="WAMP_BRIDGE_URL"):
        steps.send(Answer(200, {}, json.dumps(page).encode()))
