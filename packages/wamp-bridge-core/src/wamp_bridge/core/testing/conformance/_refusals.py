"""What the bridge would never send is refused, though it be signed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from wamp_bridge.core._dispatch import MAX_BODY
from wamp_bridge.core._json import loads
from wamp_bridge.core._messages import Request
from wamp_bridge.core.testing._bridge import signed_request
from wamp_bridge.core.testing.conformance._mounting import MountsAnApp
from wamp_bridge.core.testing.conformance._signatures import ENVELOPE, PATH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wamp_bridge.core.testing.conformance._mounting import MountedApp

_INVOCATION: Final = {
    "type": "invocation",
    "endpoint": {"uri": "com.example.echo", "match": "exact"},
    "procedure": "com.example.echo",
    "args": [],
    "kwargs": {},
    "details": {},
}
_EVENT: Final = {
    "type": "event",
    "endpoint": {"uri": "com.example.sold", "match": "exact"},
    "topic": "com.example.sold",
    "publication": 1,
    "args": [],
    "kwargs": {},
}
_RESULT: Final = {"type": "result", "call": "c", "procedure": "p", "args": [], "kwargs": {}}

_NO_JSON: Final = {
    "nothing": b"",
    "half an object": b"{",
    "no UTF-8": b'{"type": "\xff"}',
    "a list": b"[]",
    "null": b"null",
    "a text": b'"invocation"',
    "too deep": json.dumps({**_INVOCATION, "args": ["deep"]})
    .replace('"deep"', "[" * 70 + "]" * 70)
    .encode(),
    "far too deep": b"[" * 100_000,
    "NaN": json.dumps({**_INVOCATION, "args": [float("nan")]}).encode(),
    "a number beyond a double": json.dumps({**_INVOCATION, "args": ["big"]})
    .replace('"big"', "1e999")
    .encode(),
    "half a character": json.dumps({**_INVOCATION, "args": ["\ud800"]}).encode(),
}
_NO_ENVELOPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "no type": {**_INVOCATION, "type": None},
    "an unknown type": {**_INVOCATION, "type": "invoke"},
    "a type that is no text": {**_INVOCATION, "type": ["invocation"]},
    "no endpoint": {**_INVOCATION, "endpoint": None},
    "an endpoint that is no URI": {**_INVOCATION, "endpoint": {"uri": "com..echo"}},
    "an endpoint with an unknown match": {
        **_INVOCATION,
        "endpoint": {"uri": "com.example.echo", "match": "regex"},
    },
    "no procedure": {**_INVOCATION, "procedure": None},
    "args that are no list": {**_INVOCATION, "args": {"0": 1}},
    "kwargs that are no object": {**_INVOCATION, "kwargs": [1]},
    "details that are no object": {**_INVOCATION, "details": []},
    "an event without publication": {**_EVENT, "publication": None},
    "an event without topic": {**_EVENT, "topic": None},
    "a result without call": {**_RESULT, "call": None},
    "an error without status": {**_RESULT, "type": "error", "error": "com.example.e"},
    "progress without sequence": {**_RESULT, "type": "progress"},
    "a manifest without source": {"type": "manifest"},
}


class RefusalTests(MountsAnApp):
    """Methods, content types, sizes, bodies."""

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
    @pytest.mark.parametrize("path", ["", PATH], ids=["root", "below"])
    def test_only_post_is_served(self, any_app: MountedApp, method: str, path: str) -> None:
        good = signed_request(ENVELOPE, secrets=any_app.secrets, path=path)
        answer = any_app.send(Request(method, path, good.headers, good.body))
        assert (answer.status, answer.headers["allow"]) == (405, "POST")
        assert any_app.seen == []

    @pytest.mark.parametrize(
        "content_type",
        [
            "text/plain",
            "text/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/json-patch+json",
            "application/json; charset=latin-1",
        ],
    )
    def test_another_content_type_is_refused(self, any_app: MountedApp, content_type: str) -> None:
        headers = {"content-type": content_type}
        request = signed_request(ENVELOPE, secrets=any_app.secrets, path=PATH, headers=headers)
        answer = any_app.send(request)
        assert (answer.status, _error(answer.body)) == (415, "wamp.error.invalid_argument")
        assert any_app.seen == []

    @pytest.mark.parametrize(
        "content_type",
        ["application/json", "Application/JSON", 'application/json; charset="UTF-8"'],
    )
    def test_json_is_taken_however_it_is_written(
        self, any_app: MountedApp, content_type: str
    ) -> None:
        headers = {"content-type": content_type}
        request = signed_request(ENVELOPE, secrets=any_app.secrets, path=PATH, headers=headers)
        assert any_app.send(request).status == 200

    def test_a_body_up_to_the_limit_is_served(self, any_app: MountedApp) -> None:
        request = signed_request(_of_size(MAX_BODY), secrets=any_app.secrets, path=PATH)
        assert any_app.send(request).status == 200

    @pytest.mark.parametrize("over", [1, MAX_BODY])
    def test_a_body_over_the_limit_is_refused(self, any_app: MountedApp, over: int) -> None:
        request = signed_request(_of_size(MAX_BODY + over), secrets=any_app.secrets, path=PATH)
        assert any_app.send(request).status == 413
        assert any_app.seen == []

    @pytest.mark.parametrize("over", [1, MAX_BODY])
    def test_a_body_over_the_limit_that_hides_its_length_is_not_served(
        self, any_app: MountedApp, over: int
    ) -> None:
        """Some frameworks can't limit, or read, what doesn't tell its length, and refuse it."""
        headers = {"transfer-encoding": "chunked"}
        body = _of_size(MAX_BODY + over)
        request = signed_request(body, secrets=any_app.secrets, path=PATH, headers=headers)
        assert any_app.send(request).status in (400, 401, 411, 413)
        assert any_app.seen == []

    @pytest.mark.parametrize("name", _NO_JSON)
    def test_what_is_no_json_is_refused(self, any_app: MountedApp, name: str) -> None:
        request = signed_request(_NO_JSON[name], secrets=any_app.secrets, path=PATH)
        answer = any_app.send(request)
        assert (answer.status, _error(answer.body)) == (400, "wamp.error.invalid_argument")
        assert any_app.seen == []

    def test_a_text_that_stands_for_bytes_and_is_none_is_refused(self, any_app: MountedApp) -> None:
        body = json.dumps({**_INVOCATION, "args": ["\0!"]}).encode()
        answer = any_app.send(signed_request(body, secrets=any_app.secrets, path=PATH))
        assert (answer.status, _error(answer.body)) == (422, "wamp.error.invalid_argument")
        assert any_app.seen == []

    @pytest.mark.parametrize("name", _NO_ENVELOPES)
    def test_what_is_no_message_of_the_protocol_is_refused(
        self, any_app: MountedApp, name: str
    ) -> None:
        members = {key: each for key, each in _NO_ENVELOPES[name].items() if each is not None}
        body = json.dumps(members).encode()
        answer = any_app.send(signed_request(body, secrets=any_app.secrets, path=PATH))
        assert (answer.status, _error(answer.body)) == (400, "wamp.error.invalid_argument")
        assert any_app.seen == []

    def test_members_that_the_protocol_does_not_name_are_passed_over(
        self, any_app: MountedApp
    ) -> None:
        body = json.dumps({**_INVOCATION, "later": {"version": 2}}).encode()
        assert any_app.send(signed_request(body, secrets=any_app.secrets)).status == 200


def _of_size(octets: int) -> bytes:
    """A good invocation of so many octets."""
    bare = json.dumps({**_INVOCATION, "args": [""]}).encode()
    return bare.replace(b'[""]', b'["' + b"x" * (octets - len(bare)) + b'"]')


def _error(body: bytes) -> Any:
    return loads(body)["error"]
