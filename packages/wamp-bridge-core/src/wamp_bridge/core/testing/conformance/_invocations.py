"""Calls reach their handlers, and results and details are whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from wamp_bridge.core._envelopes import InvocationEnvelope
from wamp_bridge.core._errors import InvalidArgument, NoSuchProcedure
from wamp_bridge.core._json import loads
from wamp_bridge.core._messages import CallResult, Endpoint, InvocationDetails
from wamp_bridge.core.testing._bridge import read_answer, signed_request
from wamp_bridge.core.testing.conformance._handlers import UNUSUAL_NAMES
from wamp_bridge.core.testing.conformance._mounting import MountsAnApp, needs

if TYPE_CHECKING:
    from wamp_bridge.core.testing.conformance._mounting import MountedApp

_DISCLOSED = {
    "caller": 7,
    "caller_authid": "joe",
    "caller_authrole": "user",
    "caller_app": "till",
    "deadline": 1700000000.5,
}


class InvocationTests(MountsAnApp):
    """The envelope `invocation` and its answers."""

    def test_arguments_arrive_and_the_result_returns(self, app: MountedApp) -> None:
        # Names that code between the bridge and the handler may have for its own.
        names = ["self", "request", "path", "procedure", "details", "args", "kwargs", "handler"]
        kwargs: dict[str, Any] = {name: number for number, name in enumerate(names)}
        result = app.invoke("com.example.echo", [1, "a", None], kwargs, full=True)
        assert result == CallResult([1, "a", None], kwargs)
        assert app.seen == [((1, "a", None), kwargs)]

    @pytest.mark.parametrize(
        "value",
        [
            "größe ☃ 😀 \x7f",
            b"",
            b"\0\xff" * 100,
            [[b"x"], {"y": b"z"}],
            {"größe": None, "": True, " ": False},
            [2**63 - 1, -(2**63), 2**64 - 1, 2**53 + 1],
            [0.1, 1e300, -0.0],
            "x" * 100_000,
        ],
        ids=["text", "no bytes", "bytes", "bytes within", "names", "integers", "floats", "long"],
    )
    def test_values_go_and_come_as_they_are(self, app: MountedApp, value: Any) -> None:
        result = app.invoke("com.example.echo", [value], {"größe": value}, full=True)
        assert result == CallResult([value], {"größe": value})

    def test_a_value_may_be_deep(self, app: MountedApp) -> None:
        value: Any = "bottom"
        for _ in range(60):
            value = [value]
        assert app.invoke("com.example.echo", [value]) == value

    @pytest.mark.parametrize(
        ("what", "result"),
        [
            ("none", CallResult([None])),
            ("one", CallResult([12])),
            ("text", CallResult(["größe ☃ 😀"])),
            ("tuple", CallResult([[1, 2]])),
            ("bytes", CallResult([b"\0\xff"])),
            ("several", CallResult([1, "b"], {"c": b"\0"})),
            ("no result", CallResult([])),
        ],
    )
    def test_results_of_every_shape(self, app: MountedApp, what: str, result: CallResult) -> None:
        assert app.invoke("com.example.give", [what], full=True) == result

    def test_a_result_is_json_and_a_full_one_says_so(self, app: MountedApp) -> None:
        answers = {
            what: app.deliver(
                InvocationEnvelope(Endpoint("com.example.give"), "com.example.give", [what])
            )
            for what in ("text", "several")
        }
        assert answers["text"].headers["content-type"] == "application/json"
        assert loads(answers["text"].body) == "größe ☃ 😀"
        full = "application/vnd.wamp-bridge.result+json"
        assert answers["several"].headers["content-type"] == full
        assert loads(answers["several"].body) == {"args": [1, "b"], "kwargs": {"c": b"\0"}}
        assert all(answer.status == 200 for answer in answers.values())

    def test_the_handler_learns_the_details(self, app: MountedApp) -> None:
        endpoint = Endpoint("com.example.about")
        envelope = InvocationEnvelope(endpoint, endpoint.uri, [], {}, {**_DISCLOSED, "new": 1})
        headers = {"request-id": "req_1"}
        request = signed_request(
            envelope, secrets=app.secrets, delivery_id="msg_1", attempt=3, headers=headers
        )
        assert app.send(request).status == 200
        expected = InvocationDetails(
            "com.example.about",
            endpoint,
            "msg_1",
            3,
            "req_1",
            7,
            "joe",
            "user",
            "till",
            1.7e9 + 0.5,
        )
        assert app.seen == [((), expected, expected)]

    def test_what_is_not_disclosed_is_not_known(self, app: MountedApp) -> None:
        details = {"caller": "7", "caller_authid": 1, "deadline": "soon"}
        app.invoke("com.example.about", [1], details=details)
        ((args, told, _),) = app.seen
        assert args == (1,)
        assert told.attempt == 1
        disclosed = ("caller", "caller_authid", "caller_authrole", "caller_app", "deadline")
        assert [getattr(told, name) for name in disclosed] == [None] * 5

    def test_no_caller_can_put_details_in_their_place(self, app: MountedApp) -> None:
        forged = {"details": {"caller_authid": "admin"}}
        with pytest.raises(InvalidArgument):
            app.invoke("com.example.about", kwargs=forged)
        assert app.seen == []

    @pytest.mark.parametrize(
        ("called", "endpoint", "match"),
        [
            ("com.pattern.deep.down", "com.pattern", "prefix"),
            ("com.any.wild", "com..wild", "wildcard"),
            ("a.b.c", "..", "wildcard"),
        ],
    )
    def test_a_pattern_s_handler_learns_what_was_called(
        self, app: MountedApp, called: str, endpoint: str, match: Any
    ) -> None:
        assert app.invoke(called, endpoint=endpoint, match=match) == called

    @pytest.mark.parametrize("name", UNUSUAL_NAMES)
    def test_names_survive_the_way_through_a_url(self, app: MountedApp, name: str) -> None:
        assert app.invoke(name) == "answer"

    @pytest.mark.parametrize(
        ("uri", "match"),
        [
            ("com.example.nothing", "exact"),
            ("echo", "exact"),
            ("com.example.echo", "prefix"),
            ("com.pattern", "exact"),
            ("com.example.sold", "exact"),
            ("com.example.done", "exact"),
        ],
    )
    def test_what_is_not_served_is_no_such_procedure(
        self, any_app: MountedApp, uri: str, match: Any
    ) -> None:
        with pytest.raises(NoSuchProcedure):
            any_app.invoke(uri, match=match)
        answer = any_app.deliver(InvocationEnvelope(Endpoint(uri, match), uri))
        assert answer.status == 404
        assert any_app.seen == []

    @pytest.mark.parametrize(
        "path",
        ["", "rpc/", "rpc/com.example.echo", "rpc/com.example.give/", "callback/done/", "a/b/c"],
    )
    def test_the_signed_body_says_which_function_and_not_the_path(
        self, any_app: MountedApp, path: str
    ) -> None:
        uri = "com.example.echo"
        assert read_answer(any_app.deliver(_invocation(uri, 1), path)).value == 1
        assert any_app.seen == [((1,), {})]

    def test_what_was_signed_for_another_function_never_reaches_this_one(
        self, any_app: MountedApp
    ) -> None:
        unknown = any_app.deliver(_invocation("com.example.nothing"), "rpc/com.example.echo/")
        assert unknown.status == 404
        event = any_app.deliver(_invocation("com.example.sold"), "pub/com.example.sold/")
        assert event.status == 404
        assert any_app.seen == []

    @pytest.mark.parametrize(
        ("args", "kwargs"), [([], {}), ([1, 2], {}), (["one"], {"colour": "red"})]
    )
    def test_arguments_that_do_not_fit_are_the_caller_s_error(
        self, app: MountedApp, args: list[Any], kwargs: dict[str, Any]
    ) -> None:
        with pytest.raises(InvalidArgument):
            app.invoke("com.example.give", args, kwargs)
        answer = app.deliver(
            InvocationEnvelope(Endpoint("com.example.give"), "com.example.give", args, kwargs)
        )
        assert answer.status == 400
        assert app.seen == []

    @needs("concurrent")
    def test_two_calls_run_at_once(self, app: MountedApp) -> None:
        requests = [
            signed_request(_invocation("com.example.meet"), secrets=app.secrets) for _ in range(2)
        ]
        answers = app.send_all(requests)
        assert sorted(loads(answer.body) for answer in answers) == [0, 1]

    @needs("concurrent")
    def test_many_calls_at_once_are_not_mixed_up(self, app: MountedApp) -> None:
        requests = [
            signed_request(
                _invocation("com.example.mine", number),
                secrets=app.secrets,
                delivery_id=f"msg_{number}",
            )
            for number in range(50)
        ]
        answers = [loads(answer.body) for answer in app.send_all(requests)]
        assert answers == [[number, f"msg_{number}", f"msg_{number}"] for number in range(50)]


def _invocation(uri: str, *args: Any) -> InvocationEnvelope:
    return InvocationEnvelope(Endpoint(uri), uri, args)
