"""Events, outcomes and progress reach their handlers; the manifest tells what is served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from wamp_bridge.core._envelopes import (
    ErrorEnvelope,
    EventEnvelope,
    ManifestEnvelope,
    ProgressEnvelope,
    ResultEnvelope,
)
from wamp_bridge.core._errors import ApplicationError
from wamp_bridge.core._json import loads
from wamp_bridge.core._messages import (
    CallResult,
    Endpoint,
    EventDetails,
    Outcome,
    Progress,
)
from wamp_bridge.core._uris import escape_segment
from wamp_bridge.core.testing._bridge import signed_request
from wamp_bridge.core.testing._servers import PLACE
from wamp_bridge.core.testing.conformance._handlers import NAMES, UNUSUAL_NAMES
from wamp_bridge.core.testing.conformance._mounting import PREFIX, MountsAnApp

if TYPE_CHECKING:
    from wamp_bridge.core.testing.conformance._mounting import MountedApp


class ManifestTests(MountsAnApp):
    """The envelope `manifest`."""

    def test_the_manifest_tells_every_handler(self, app: MountedApp) -> None:
        procedures: dict[str, Any] = {
            name: {"url": f"rpc/{escape_segment(name)}/", "match": "exact"}
            for name in (
                *(f"{PREFIX}.{name}" for name in NAMES),
                *UNUSUAL_NAMES,
            )
        }
        procedures |= {
            "com.pattern": {"url": "rpc/com.pattern/", "match": "prefix"},
            "com..wild": {"url": "rpc/com..wild/", "match": "wildcard"},
            "..": {"url": "rpc/~Li4/", "match": "wildcard"},
            f"{PREFIX}.several": {
                "url": f"rpc/{PREFIX}.several/",
                "match": "exact",
                "invoke": "roundrobin",
                "concurrency": 4,
                "timeout": 2.5,
            },
        }
        topics = {
            "com.news": {"url": "pub/com.news/", "match": "prefix", "ordered": True},
            f"{PREFIX}.sold": {"url": f"pub/{PREFIX}.sold/", "match": "exact"},
            f"{PREFIX}.failing": {"url": f"pub/{PREFIX}.failing/", "match": "exact"},
        }
        told = app.manifest(PLACE)
        assert sorted(told.pop("callbacks")) == ["done", "größe", "watching"]
        assert told == {"protocol": 1, "procedures": procedures, "topics": topics}
        assert app.seen == []

    def test_the_manifest_is_json(self, any_app: MountedApp) -> None:
        answer = any_app.deliver(ManifestEnvelope(PLACE))
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")


class EventTests(MountsAnApp):
    """The envelope `event`."""

    def test_an_event_and_its_details_arrive(self, app: MountedApp) -> None:
        endpoint = Endpoint("com.news", "prefix")
        disclosed = {"publisher": 7, "publisher_authid": "joe", "publisher_authrole": "user"}
        envelope = EventEnvelope(
            endpoint, "com.news.größe", 2**53, ["goal", b"\0"], {"topic": 1, "self": 2}, disclosed
        )
        headers = {"request-id": "req_1"}
        answer = app.send(
            signed_request(
                envelope,
                secrets=app.secrets,
                path="pub/com.news/",
                delivery_id="msg_1",
                attempt=2,
                headers=headers,
            )
        )
        assert (answer.status, answer.body) == (204, b"")
        details = EventDetails(
            "com.news.größe", endpoint, 2**53, "msg_1", 2, "req_1", 7, "joe", "user"
        )
        assert app.seen == [(("goal", b"\0"), {"topic": 1, "self": 2}, details)]

    @pytest.mark.parametrize(
        ("topic", "match"),
        [("com.example.nothing", "exact"), ("com.example.sold", "prefix"), ("com.news", "exact")],
    )
    def test_a_topic_that_is_not_followed_is_not_found(
        self, any_app: MountedApp, topic: str, match: Any
    ) -> None:
        assert any_app.publish(topic, match=match).status == 404
        envelope = EventEnvelope(Endpoint(topic, match), topic, 1)
        assert any_app.deliver(envelope, "pub/com.example.sold/").status == 404
        assert any_app.seen == []

    def test_an_event_for_a_procedure_is_not_found(self, any_app: MountedApp) -> None:
        envelope = EventEnvelope(Endpoint("com.example.echo"), "com.example.echo", 1)
        assert any_app.deliver(envelope, "rpc/com.example.echo/").status == 404
        assert any_app.seen == []

    def test_an_event_that_fails_is_to_come_again(self, app: MountedApp) -> None:
        assert app.publish("com.example.failing", ["bug"]).status == 500
        busy = app.publish("com.example.failing", ["busy"])
        assert (busy.status, busy.headers["retry-after"]) == (503, "3")
        assert app.publish("com.example.failing").status == 400


class OutcomeTests(MountsAnApp):
    """The envelopes `result`, `error` and `progress`."""

    def test_a_result_reaches_its_callback(self, app: MountedApp) -> None:
        envelope = ResultEnvelope("c1", "com.shop.price", [12, b"\0"], {"größe": 1})
        request = signed_request(
            envelope,
            secrets=app.secrets,
            path="callback/done/",
            delivery_id="msg_1",
            attempt=2,
            headers={"request-id": "req_1"},
        )
        answer = app.send(request)
        assert (answer.status, answer.body) == (204, b"")
        result = CallResult([12, b"\0"], {"größe": 1})
        outcome = Outcome("c1", "com.shop.price", result, None, "msg_1", 2, "req_1")
        assert app.seen == [("done", outcome)]

    def test_an_error_reaches_its_callback(self, app: MountedApp) -> None:
        envelope = ErrorEnvelope("c1", "p", 500, "com.shop.sold_out", ["tea"], {"left": 0})
        assert app.deliver(envelope, "callback/done/").status == 204
        ((name, outcome),) = app.seen
        assert (name, outcome.succeeded, type(outcome.error)) == ("done", False, ApplicationError)
        error = outcome.error
        assert (error.uri, error.args, error.kwargs) == ("com.shop.sold_out", ("tea",), {"left": 0})

    def test_progress_reaches_those_alone_who_asked_for_it(self, app: MountedApp) -> None:
        envelope = ProgressEnvelope("c1", "p", 4, [0.5])
        assert app.deliver(envelope, "callback/done/").status == 204
        assert app.seen == []
        assert app.deliver(envelope, "callback/watching/", delivery_id="msg_1").status == 204
        assert app.seen == [("watching", Progress("c1", "p", 4, CallResult([0.5]), "msg_1"))]

    def test_a_path_names_a_callback_in_every_letter(self, app: MountedApp) -> None:
        assert app.succeed("größe", [1]).status == 204
        assert [name for name, _ in app.seen] == ["größe"]

    def test_the_signed_body_says_which_callback_before_the_path_does(
        self, any_app: MountedApp
    ) -> None:
        to_done = ResultEnvelope("c1", "p", [1], callback=f"{PLACE}callback/done/")
        assert any_app.deliver(to_done, "callback/watching/").status == 204
        assert [name for name, _ in any_app.seen] == ["done"]
        for elsewhere in (f"{PLACE}callback/nobody/", f"{PLACE}rpc/done/", "http://["):
            astray = ResultEnvelope("c1", "p", [1], callback=elsewhere)
            assert any_app.deliver(astray, "callback/done/").status == 404
        assert len(any_app.seen) == 1

    @pytest.mark.parametrize("path", ["", "callback/nobody/", "rpc/com.example.echo/"])
    def test_an_outcome_for_no_callback_is_not_found(self, any_app: MountedApp, path: str) -> None:
        answer = any_app.deliver(ResultEnvelope("c1", "p"), path)
        assert answer.status == 404
        assert "error" in loads(answer.body)
        assert any_app.seen == []
