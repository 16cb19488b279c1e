from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from support.sample_app import DISPATCHER, SECRET, SETTINGS, dispatch_async, seen
from wamp_bridge.core import (
    ApplicationError,
    CallResult,
    Dispatcher,
    Endpoint,
    InvalidArgument,
    InvocationDetails,
    InvocationEnvelope,
    NoSuchProcedure,
    Registry,
    Request,
    Response,
)
from wamp_bridge.core.testing import SignedBridge, signed_request


@pytest.fixture(autouse=True)
def fresh() -> None:
    seen.clear()


@pytest.fixture(params=[DISPATCHER.dispatch, dispatch_async], ids=["sync", "async"])
def bridge(request: pytest.FixtureRequest) -> SignedBridge:
    return SignedBridge(request.param, [SECRET])


def invocation(**members: Any) -> bytes:
    body = {
        "type": "invocation",
        "endpoint": {"uri": "com.shop.echo", "match": "exact"},
        "procedure": "com.shop.echo",
        "args": [],
        "kwargs": {},
        "details": {},
    }
    return json.dumps(body | members).encode()


def send(body: bytes, *, method: str = "POST", **options: Any) -> Response:
    request = signed_request(body, secrets=[SECRET], **options)
    return DISPATCHER.dispatch(Request(method, request.path, request.headers, request.body))


def error_in(response: Response) -> Any:
    return json.loads(response.body)["error"]


def test_arguments_arrive_and_the_result_returns(bridge: SignedBridge) -> None:
    names = [
        "self",
        "procedure",
        "details",
        "options",
        "topic",
        "name",
        "args",
        "kwargs",
        "request",
    ]
    kwargs = {name: number for number, name in enumerate(names)}
    assert bridge.invoke("com.shop.echo", [1, "a", None, b"\x00"], kwargs) == [
        [1, "a", None, b"\x00"],
        kwargs,
    ]


@pytest.mark.parametrize("procedure", ["com.shop.async_double", "com.shop.gives_awaitable"])
def test_asynchronous_handlers_are_waited_for(bridge: SignedBridge, procedure: str) -> None:
    assert bridge.invoke(procedure, [21]) == 42


def test_results_of_every_shape(bridge: SignedBridge) -> None:
    assert bridge.invoke("com.shop.returns", ["none"]) is None
    assert bridge.invoke("com.shop.returns", ["tuple"]) == [1, 2]
    assert bridge.invoke("com.shop.returns", ["bytes"]) == b"\x00\xff"
    full = bridge.invoke("com.shop.returns", ["full"], full=True)
    assert full == CallResult([1, 2], {"a": b"\x00"})


def test_a_full_result_has_its_own_content_type() -> None:
    envelope = InvocationEnvelope(Endpoint("com.shop.returns"), "com.shop.returns", ["full"])
    response = send(envelope.to_json())
    assert response.headers["content-type"] == "application/vnd.wamp-bridge.result+json"
    assert json.loads(response.body) == {"args": [1, 2], "kwargs": {"a": "\0AA=="}}


@pytest.mark.parametrize("what", ["nan", "object", "key"])
def test_a_result_that_json_lacks_is_an_error_and_in_the_log(
    bridge: SignedBridge, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ApplicationError) as caught:
        bridge.invoke("com.shop.returns", [what])
    assert caught.value.uri == "wamp.error.runtime_error"
    assert "sample_app.returns" in caplog.text
    assert "no" in caplog.records[-1].exc_info[1].args[0]  # type: ignore[index, union-attr] # it has one


def test_the_handler_learns_the_details(bridge: SignedBridge) -> None:
    details = {
        "caller": 7,
        "caller_authid": "joe",
        "caller_authrole": "user",
        "caller_app": "till",
        "deadline": 1700000000.5,
        "later": "unknown",
    }
    bridge.invoke("com.shop.details", details=details)
    (told,) = seen
    assert told.delivery_id.startswith("msg_")
    assert told == InvocationDetails(
        procedure="com.shop.details",
        endpoint=Endpoint("com.shop.details", "exact"),
        delivery_id=told.delivery_id,
        attempt=1,
        request_id=told.delivery_id,
        caller=7,
        caller_authid="joe",
        caller_authrole="user",
        caller_app="till",
        deadline=1700000000.5,
    )


def test_details_of_other_types_are_as_undisclosed(bridge: SignedBridge) -> None:
    bridge.invoke("com.shop.details", details={"caller": "x", "caller_authid": 1, "deadline": "x"})
    (told,) = seen
    assert (told.caller, told.caller_authid, told.deadline) == (None, None, None)


@pytest.mark.parametrize(("header", "attempt"), [("3", 3), ("x", 1), ("", 1), ("9" * 5000, 1)])
def test_the_attempt_is_counted(header: str, attempt: int) -> None:
    body = invocation(endpoint={"uri": "com.shop.details"}, procedure="com.shop.details")
    assert send(body, headers={"Wamp-Bridge-Attempt": header}).status == 200
    assert seen[0].attempt == attempt


def test_a_pattern_s_handler_learns_what_was_called(bridge: SignedBridge) -> None:
    called = bridge.invoke("com.shop.other", endpoint="com.shop", match="prefix")
    assert called == "com.shop.other"


def test_names_beyond_ascii_are_served(bridge: SignedBridge) -> None:
    assert bridge.invoke("com.shop.\u2603/\u00e9") == "snow"


@pytest.mark.parametrize(
    ("uri", "match"),
    [("com.shop.nothing", "exact"), ("com.shop.echo", "prefix"), ("com.shop", "exact")],
)
def test_what_is_not_served_is_no_such_procedure(
    bridge: SignedBridge, uri: str, match: Any
) -> None:
    with pytest.raises(NoSuchProcedure):
        bridge.invoke(uri, match=match)
    response = bridge.deliver(InvocationEnvelope(Endpoint(uri, match), uri))
    assert response.status == 404
    assert error_in(response) == "wamp.error.no_such_procedure"


@pytest.mark.parametrize("path", ["", "rpc/com.shop.raises/", "callback/done/", "a/b/c"])
def test_the_path_is_a_label_only(path: str) -> None:
    response = send(invocation(args=[1]), path=path)
    assert json.loads(response.body) == [[1], {}]


@pytest.mark.parametrize("args", [[], [1, 2]])
def test_a_wrong_number_of_arguments_is_the_caller_s_error(
    bridge: SignedBridge, args: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InvalidArgument, match="argument"):
        bridge.invoke("com.shop.async_double", args)
    with pytest.raises(InvalidArgument, match="colour"):
        bridge.invoke("com.shop.async_double", [1], {"colour": "red"})
    assert "Traceback" not in caplog.text


def test_an_application_error_reaches_the_caller(bridge: SignedBridge) -> None:
    with pytest.raises(ApplicationError) as caught:
        bridge.invoke("com.shop.raises", ["application"])
    error = caught.value
    assert (error.uri, error.args, error.kwargs) == ("com.shop.sold_out", ("book",), {"left": 0})


def test_errors_have_their_status_and_uri() -> None:
    def answer(what: str) -> Response:
        return send(invocation(endpoint={"uri": "com.shop.raises"}, procedure="x", args=[what]))

    sold_out = answer("application")
    assert sold_out.status == 500
    assert json.loads(sold_out.body) == {
        "error": "com.shop.sold_out",
        "args": ["book"],
        "kwargs": {"left": 0},
    }
    assert answer("forbidden").status == 403
    assert error_in(answer("forbidden")) == "wamp.error.not_authorized"
    assert answer("unavailable").status == 503


@pytest.mark.parametrize("what", ["bug", "type_error", "configuration", "no_json", "group"])
def test_any_other_error_tells_the_caller_nothing_and_the_log_all(
    bridge: SignedBridge, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ApplicationError) as caught:
        bridge.invoke("com.shop.raises", [what])
    assert caught.value.uri == "wamp.error.runtime_error"
    assert caught.value.args == ("the handler failed; the log of its app says why",)
    (record,) = [record for record in caplog.records if record.name == "wamp_bridge"]
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert "sample_app.raises" in record.getMessage()


def test_what_ends_the_process_is_no_error_of_the_handler() -> None:
    own = Registry()

    @own.rpc("f")
    def leave() -> None:
        raise SystemExit(3)

    dispatcher = Dispatcher(own, SETTINGS)
    with pytest.raises(SystemExit):
        SignedBridge(dispatcher.dispatch, [SECRET]).invoke("f")


async def test_a_cancelled_request_cancels_its_handler() -> None:
    own = Registry()
    begun, ended = asyncio.Event(), asyncio.Event()

    @own.rpc("f")
    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    request = signed_request(InvocationEnvelope(Endpoint("f"), "f"), secrets=[SECRET])
    task = asyncio.create_task(Dispatcher(own, SETTINGS).dispatch_async(request))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
