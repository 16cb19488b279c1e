"""Generators as handlers: what they yield goes out as it is made, to who is there to take it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from wamp_bridge.core._envelopes import InvocationEnvelope
from wamp_bridge.core._json import AROUND, loads
from wamp_bridge.core._messages import Endpoint
from wamp_bridge.core.testing._bridge import signed_request
from wamp_bridge.core.testing.conformance._handlers import SECRET_WORD
from wamp_bridge.core.testing.conformance._mounting import MountsAnApp, needs

if TYPE_CHECKING:
    from wamp_bridge.core._messages import Request, Response
    from wamp_bridge.core.testing.conformance._mounting import MountedApp

_URI: Final = "com.example.steps"
_STREAMED: Final = "application/x-ndjson"


class StepTests(MountsAnApp):
    """Answers in steps (protocol, section 3)."""

    @needs("streams")
    def test_each_step_is_a_line_and_so_is_the_result(self, app: MountedApp) -> None:
        answer = app.send(_request(app, 3))
        assert answer.status == 200
        assert answer.headers["content-type"].partition(";")[0] == _STREAMED
        *steps, last = _lines(answer)
        wanted = [{"progress": {"args": [n], "kwargs": {"of": _URI}}} for n in range(3)]
        if app.kind == "async":  # one that can't return: its result is the last that it yields
            wanted.append({"progress": {"args": ["done"], "kwargs": {}}})
        assert steps == wanted
        assert last == {"result": {"args": ["done"], "kwargs": {}}}

    @needs("streams")
    def test_who_wants_no_steps_gets_the_result(self, app: MountedApp) -> None:
        assert app.invoke(_URI, [3]) == "done"
        assert app.seen == [0, 1, 2]

    @needs("streams")
    def test_who_goes_away_half_way_has_the_generator_closed(self, app: MountedApp) -> None:
        answer = app.hang_up(_request(app, 1000), 3)
        assert [line["progress"]["args"] for line in _lines(answer)][:3] == [[0], [1], [2]]
        *made, closed = app.seen
        assert closed == "closed"
        assert made == list(range(len(made)))
        assert len(made) < 10

    @needs("streams")
    @pytest.mark.parametrize(
        ("how", "error"),
        [("application", "com.example.sold_out"), ("forbidden", "wamp.error.not_authorized")],
    )
    def test_an_error_that_is_meant_for_the_caller_is_the_last_line(
        self, app: MountedApp, how: str, error: str
    ) -> None:
        step, last = _lines(app.send(_request(app, 1, how)))
        assert step["progress"]["args"] == [0]
        assert last["error"] == error

    @needs("streams")
    @pytest.mark.parametrize("how", ["bug", "end", "cancelled", "no json", "setting"])
    def test_any_other_error_is_told_without_its_text(self, app: MountedApp, how: str) -> None:
        answer = app.send(_request(app, 1, how))
        _, last = _lines(answer)
        assert last["error"] == "wamp.error.runtime_error"
        assert SECRET_WORD.encode() not in answer.body

    @needs("streams")
    def test_arguments_that_do_not_fit_are_no_stream(self, app: MountedApp) -> None:
        answer = app.send(_request(app))
        assert answer.status == 400
        assert app.seen == []


def _request(app: MountedApp, *args: Any) -> Request:
    details = {"progress": True}
    envelope = InvocationEnvelope(Endpoint(_URI), _URI, args, {}, details)
    return signed_request(envelope, secrets=app.secrets)


def _lines(answer: Response) -> list[Any]:
    return [loads(line, around=AROUND) for line in answer.body.splitlines()]
