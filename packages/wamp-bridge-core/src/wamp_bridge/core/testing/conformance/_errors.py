"""What handlers raise: told to the caller where it is meant for one, and to the log alone else."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from wamp_bridge.core._envelopes import InvocationEnvelope
from wamp_bridge.core._errors import ApplicationError, Forbidden, Unavailable
from wamp_bridge.core._json import loads
from wamp_bridge.core._messages import Endpoint
from wamp_bridge.core.testing.conformance._handlers import SECRET_WORD
from wamp_bridge.core.testing.conformance._mounting import MountsAnApp

if TYPE_CHECKING:
    from wamp_bridge.core._messages import Response
    from wamp_bridge.core.testing.conformance._mounting import MountedApp

_UNEXPECTED = ["bug", "type", "end", "cancelled", "setting", "group", "no json"]


class ErrorTests(MountsAnApp):
    """Answers of 400 and more (protocol, section 3)."""

    def test_an_application_s_error_reaches_the_caller(self, app: MountedApp) -> None:
        with pytest.raises(ApplicationError) as caught:
            app.invoke("com.example.fail", ["application"])
        error = caught.value
        expected = ("com.example.sold_out", ("größe",), {"left": 0})
        assert (error.uri, error.args, error.kwargs) == expected
        answer = _answer(app, "fail", "application")
        assert (answer.status, answer.headers["content-type"]) == (500, "application/json")
        assert loads(answer.body) == {
            "error": "com.example.sold_out",
            "args": ["größe"],
            "kwargs": {"left": 0},
        }

    def test_errors_of_wamp_have_their_status(self, app: MountedApp) -> None:
        with pytest.raises(Forbidden, match="not you"):
            app.invoke("com.example.fail", ["forbidden"])
        assert _answer(app, "fail", "forbidden").status == 403
        with pytest.raises(Unavailable):
            app.invoke("com.example.fail", ["busy"])
        busy = _answer(app, "fail", "busy")
        assert (busy.status, busy.headers["retry-after"]) == (503, "3")

    @pytest.mark.parametrize("how", _UNEXPECTED)
    def test_any_other_exception_is_for_the_log_alone(
        self, app: MountedApp, how: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        _assert_tells_nothing(_answer(app, "fail", how))
        assert app.seen == [how]
        _assert_is_in_the_log(caplog)

    @pytest.mark.parametrize("what", ["nan", "object", "key"])
    def test_a_result_that_json_lacks_is_for_the_log_alone(
        self, app: MountedApp, what: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        _assert_tells_nothing(_answer(app, "give", what))
        _assert_is_in_the_log(caplog)

    @pytest.mark.parametrize("how", _UNEXPECTED)
    def test_an_event_s_exception_is_for_the_log_alone(
        self, app: MountedApp, how: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        _assert_tells_nothing(app.publish("com.example.failing", [how]))
        _assert_is_in_the_log(caplog)


def _answer(app: MountedApp, name: str, *args: str) -> Response:
    uri = f"com.example.{name}"
    return app.deliver(InvocationEnvelope(Endpoint(uri), uri, args), f"rpc/{uri}/")


def _assert_tells_nothing(answer: Response) -> None:
    assert (answer.status, loads(answer.body)["error"]) == (500, "wamp.error.runtime_error")
    told = answer.body.decode() + repr(answer.headers)
    for secret in (SECRET_WORD, "Error", "Exception", "Traceback", "_handlers", "object"):
        assert secret not in told


def _assert_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    failures = [record for record in caplog.records if record.name == "wamp_bridge"]
    assert [record.levelno for record in failures] == [logging.ERROR]
    assert failures[0].exc_info is not None
