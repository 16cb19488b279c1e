"""What is not signed by the app's bridge is refused, whatever else it is."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from wamp_bridge.core._envelopes import InvocationEnvelope
from wamp_bridge.core._json import loads
from wamp_bridge.core._messages import Endpoint, Request
from wamp_bridge.core._secrets import generate_secret
from wamp_bridge.core.testing._bridge import signed_request
from wamp_bridge.core.testing.conformance._mounting import MountsAnApp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wamp_bridge.core._messages import Response
    from wamp_bridge.core.testing.conformance._mounting import MountedApp

ENVELOPE: Final = InvocationEnvelope(Endpoint("com.example.echo"), "com.example.echo", [1])
PATH: Final = "rpc/com.example.echo/"

_ID: Final = "webhook-id"
_TIMESTAMP: Final = "webhook-timestamp"
_SIGNATURE: Final = "webhook-signature"

# From three good headers to three bad ones; None is for one that isn't sent.
_MALFORMED: Final[Mapping[str, Mapping[str, Any]]] = {
    "no signature": {_SIGNATURE: None},
    "no id": {_ID: None},
    "no timestamp": {_TIMESTAMP: None},
    "an empty signature": {_SIGNATURE: ""},
    "a version that is not v1": {_SIGNATURE: lambda good: good.replace("v1,", "v2,")},
    "no version": {_SIGNATURE: lambda good: good.replace("v1,", "")},
    "a signature cut short": {_SIGNATURE: lambda good: good.split()[0][:-4]},
    "padding left out": {_SIGNATURE: lambda good: good.split()[0].rstrip("=")},
    "what is no base64": {_SIGNATURE: "v1,!!!!"},
    "what is no ASCII": {_SIGNATURE: "v1,é"},
    "two signatures with a comma between": {_SIGNATURE: lambda good: good.replace(" ", ",")},
    "more signatures than there are secrets": {_SIGNATURE: lambda good: "v1,AA== " * 40 + good},
    "another id": {_ID: "msg_another"},
    "another timestamp": {_TIMESTAMP: lambda good: str(int(good) + 1)},
}
# These are signed as they stand, so that nothing but their form is wrong.
_ODD_IDS: Final = {"an empty id": "", "an id with a space": "msg 1", "a long id": "m" * 300}
_ODD_TIMESTAMPS: Final = {
    "a timestamp with a fraction": "{}.0",
    "a timestamp with a sign": "+{}",
    "a timestamp with digits apart": "{}_0",
    "a timestamp in other digits": "{}²",
    "a timestamp that is no number": "nan",
    "an endless timestamp": "1" * 5000,
}


class SignatureTests(MountsAnApp):
    """Signatures by Standard Webhooks 1.0 (protocol, section 3)."""

    def test_a_request_with_a_good_signature_is_served(self, any_app: MountedApp) -> None:
        assert any_app.invoke("com.example.echo", [1]) == 1

    @pytest.mark.parametrize("age", [-200, 200])
    def test_clocks_may_differ_a_little(self, any_app: MountedApp, age: int) -> None:
        answer = any_app.send(_aged(any_app, age))
        assert answer.status == 200

    @pytest.mark.parametrize("age", [400, 10**9], ids=["400 s old", "years old"])
    def test_an_old_request_is_refused(self, any_app: MountedApp, age: int) -> None:
        _assert_refused(any_app, any_app.send(_aged(any_app, age)))

    @pytest.mark.parametrize("age", [-400, -(10**9)], ids=["400 s ahead", "years ahead"])
    def test_a_request_from_the_future_is_refused(self, any_app: MountedApp, age: int) -> None:
        _assert_refused(any_app, any_app.send(_aged(any_app, age)))

    @pytest.mark.parametrize("which", [0, 1], ids=["newest", "oldest"])
    def test_each_of_the_secrets_that_rotate_is_taken(
        self, any_app: MountedApp, which: int
    ) -> None:
        request = signed_request(ENVELOPE, secrets=[any_app.secrets[which]], path=PATH)
        assert any_app.send(request).status == 200

    def test_one_good_signature_among_others_is_enough(self, any_app: MountedApp) -> None:
        secrets = [generate_secret(), any_app.secrets[1], generate_secret()]
        assert any_app.send(signed_request(ENVELOPE, secrets=secrets, path=PATH)).status == 200

    def test_another_secret_is_refused(self, any_app: MountedApp) -> None:
        request = signed_request(ENVELOPE, secrets=[generate_secret()], path=PATH)
        _assert_refused(any_app, any_app.send(request))

    def test_what_is_not_signed_is_refused(self, any_app: MountedApp) -> None:
        request = signed_request(ENVELOPE, secrets=[], path=PATH)
        _assert_refused(any_app, any_app.send(request))
        bare = Request("POST", PATH, {"content-type": "application/json"}, request.body)
        _assert_refused(any_app, any_app.send(bare))

    @pytest.mark.parametrize("name", _MALFORMED)
    def test_malformed_headers_are_refused(self, any_app: MountedApp, name: str) -> None:
        headers: dict[str, Any] = dict(_signed(any_app).headers)
        for header, value in _MALFORMED[name].items():
            headers[header] = value(headers[header]) if callable(value) else value
        sent = {header: value for header, value in headers.items() if value is not None}
        _assert_refused(any_app, any_app.send(Request("POST", PATH, sent, _signed(any_app).body)))

    @pytest.mark.parametrize("name", _ODD_IDS)
    def test_a_malformed_id_is_refused(self, any_app: MountedApp, name: str) -> None:
        now = str(int(time.time()))
        _assert_refused(any_app, any_app.send(_by_hand(any_app.secrets, _ODD_IDS[name], now)))

    @pytest.mark.parametrize("name", _ODD_TIMESTAMPS)
    def test_a_malformed_timestamp_is_refused(self, any_app: MountedApp, name: str) -> None:
        timestamp = _ODD_TIMESTAMPS[name].format(int(time.time()))
        _assert_refused(any_app, any_app.send(_by_hand(any_app.secrets, "msg_1", timestamp)))

    def test_a_signature_is_by_the_letter_of_the_standard(self, any_app: MountedApp) -> None:
        now = str(int(time.time()))
        assert any_app.send(_by_hand(any_app.secrets[:1], "msg_1", now)).status == 200

    @pytest.mark.parametrize("change", ["one octet more", "another function", "nothing"])
    def test_another_body_under_a_good_signature_is_refused(
        self, any_app: MountedApp, change: str
    ) -> None:
        good = _signed(any_app)
        body = {
            "one octet more": good.body + b" ",
            "another function": good.body.replace(b"com.example.echo", b"com.example.give"),
            "nothing": b"",
        }[change]
        _assert_refused(any_app, any_app.send(Request("POST", PATH, good.headers, body)))

    def test_the_signature_is_looked_at_before_all_else(self, any_app: MountedApp) -> None:
        for body, headers in ((b"{", {}), (ENVELOPE.to_json(), {"content-type": "text/plain"})):
            request = signed_request(body, secrets=[generate_secret()], headers=headers)
            _assert_refused(any_app, any_app.send(request))

    def test_every_refusal_is_the_same_and_says_nothing(self, any_app: MountedApp) -> None:
        stranger = signed_request(ENVELOPE, secrets=[generate_secret()], path=PATH)
        answers = [any_app.send(request) for request in (stranger, _aged(any_app, 400))]
        assert answers[0].body == answers[1].body
        for secret in any_app.secrets:
            assert secret.encode() not in answers[0].body

    def test_without_a_secret_everything_is_refused(self) -> None:
        with self.served(self.kinds[0], secret=None) as app:
            _assert_refused(app, app.send(signed_request(ENVELOPE, secrets=[])))
            signed = signed_request(ENVELOPE, secrets=[generate_secret()])
            _assert_refused(app, app.send(signed))

    def test_verification_can_be_switched_off(self) -> None:
        with self.served(self.kinds[0], secret=None, verify=False) as app:
            assert app.send(signed_request(ENVELOPE, secrets=[], path=PATH)).status == 200


def _signed(app: MountedApp) -> Request:
    return signed_request(
        ENVELOPE, secrets=app.secrets, path=PATH, delivery_id="msg_1", timestamp=int(time.time())
    )


def _aged(app: MountedApp, age: float) -> Request:
    at = time.time() - age
    return signed_request(ENVELOPE, secrets=app.secrets, path=PATH, timestamp=at)


def _by_hand(secrets: Sequence[str], message_id: str, timestamp: str) -> Request:
    """A request signed without core's help: whatever core does, the standard says this."""
    body = ENVELOPE.to_json()
    signed = b".".join([message_id.encode(), timestamp.encode("latin-1"), body])
    keys = [binascii.a2b_base64(secret.removeprefix("whsec_")) for secret in secrets]
    macs = [hmac.digest(key, signed, hashlib.sha256) for key in keys]
    headers = {
        "content-type": "application/json",
        _ID: message_id,
        _TIMESTAMP: timestamp,
        _SIGNATURE: " ".join("v1," + base64.b64encode(mac).decode() for mac in macs),
    }
    return Request("POST", PATH, headers, body)


def _assert_refused(app: MountedApp, answer: Response) -> None:
    assert answer.status == 401
    assert answer.headers["www-authenticate"]
    assert loads(answer.body)["error"] == "wamp.error.not_authorized"
    assert app.seen == []
