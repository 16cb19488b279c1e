"""A bridge's side of protocol section 3, within the process of a test."""

from __future__ import annotations

import time
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from wamp_bridge.core._envelopes import (
    ErrorEnvelope,
    EventEnvelope,
    InvocationEnvelope,
    ManifestEnvelope,
    ResultEnvelope,
)
from wamp_bridge.core._errors import (
    INVALID_ARGUMENT,
    NOT_AUTHORIZED,
    RUNTIME_ERROR,
    TIMEOUT,
    UNAVAILABLE,
    BridgeError,
    InvalidJSON,
    InvalidValue,
    error_of,
    status_of,
)
from wamp_bridge.core._json import AROUND, loads
from wamp_bridge.core._messages import (
    ATTEMPT_HEADER,
    JSON_TYPE,
    REQUEST_ID_HEADER,
    RESULT_TYPE,
    CallResult,
    Endpoint,
    Request,
    Response,
)
from wamp_bridge.core._steps import STREAM_TYPE
from wamp_bridge.core._uris import escape_segment
from wamp_bridge.core._webhooks import WebhookSigner
from wamp_bridge.core.testing._servers import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wamp_bridge.core._envelopes import Envelope
    from wamp_bridge.core._uris import Match

_ERROR_OF_STATUS = {
    400: INVALID_ARGUMENT,
    401: NOT_AUTHORIZED,
    403: NOT_AUTHORIZED,
    422: INVALID_ARGUMENT,
    429: UNAVAILABLE,
    503: UNAVAILABLE,
    504: TIMEOUT,
}


def signed_request(
    envelope: Envelope | bytes,
    *,
    secrets: Sequence[str],
    path: str = "",
    delivery_id: str | None = None,
    timestamp: float | None = None,
    attempt: int = 1,
    headers: Mapping[str, str] | None = None,
) -> Request:
    """A request as the bridge would send it.

    Args:
        envelope: What it is about, or the octets of a body.
        secrets: `whsec_` secrets; with none it is not signed.
        path: Below the place where the dispatcher is mounted.
        delivery_id: The `webhook-id`; a new one if left out.
        timestamp: Unix time in seconds; now if left out.
        attempt: Counted from 1.
        headers: Beside and instead of those that the bridge sends.
    """
    body = envelope if isinstance(envelope, bytes) else envelope.to_json()
    message = delivery_id or f"msg_{uuid.uuid4().hex}"
    now = int(time.time() if timestamp is None else timestamp)
    sent = {"content-type": JSON_TYPE, ATTEMPT_HEADER: str(attempt), REQUEST_ID_HEADER: message}
    if secrets:
        sent |= WebhookSigner(secrets).sign(message, now, body)
    else:
        sent |= {"webhook-id": message, "webhook-timestamp": str(now)}
    return Request("POST", path, {**sent, **(headers or {})}, body)


def read_answer(
    response: Response, on_progress: Callable[[Any], object] | None = None
) -> CallResult:
    """What an answer to an invocation means to the caller (protocol, section 3).

    Args:
        response: The answer.
        on_progress: Told of each step, where it comes in steps.

    Raises:
        BridgeError: The error that the caller would get.
    """
    value: Any = None
    if response.headers.get("content-type", "").partition(";")[0] == STREAM_TYPE:
        return _read_steps(response.body, on_progress)
    try:
        value = loads(response.body) if response.body.strip() else None
    except (InvalidJSON, InvalidValue):
        if response.status < HTTPStatus.BAD_REQUEST:
            raise error_of(500, RUNTIME_ERROR, ["the answer is no JSON"]) from None
    if response.status >= HTTPStatus.BAD_REQUEST:
        if isinstance(value, dict) and isinstance(value.get("error"), str):
            uri, args, kwargs = value["error"], value.get("args", []), value.get("kwargs", {})
        else:
            uri, args, kwargs = _ERROR_OF_STATUS.get(response.status, RUNTIME_ERROR), [], {}
        raise error_of(status_of(uri), uri, args, kwargs)
    if response.headers.get("content-type", "").partition(";")[0] == RESULT_TYPE:
        return CallResult(value["args"], value["kwargs"])
    return CallResult([value]) if response.body.strip() else CallResult()


def _read_steps(body: bytes, on_progress: Callable[[Any], object] | None) -> CallResult:
    for line in body.splitlines():
        members = loads(line, around=AROUND)
        if "error" in members:
            uri = members["error"]
            raise error_of(status_of(uri), uri, members["args"], members["kwargs"])
        for kind, result in members.items():
            step = CallResult(result["args"], result["kwargs"])
            if kind == "result":
                return step
            if on_progress is not None:
                on_progress(step.value)
    raise error_of(500, RUNTIME_ERROR, ["the answer ended before its result"])


class SignedBridge:
    """Sends a dispatcher what a bridge would send it, signed, and reads its answers.

    ::

        bridge = SignedBridge(app.handle, secrets=[secret])
        assert bridge.invoke("com.shop.price", ["book"]) == 12

    Args:
        send: Takes a request to the dispatcher and brings its response: `handle` of an app, or a
            function around the test client of a framework.
        secrets: `whsec_` secrets of the app.
    """

    def __init__(self, send: Callable[[Request], Response], secrets: Sequence[str] = ()) -> None:
        self._send = send
        self._secrets = secrets

    def invoke(
        self,
        procedure: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        endpoint: str | None = None,
        match: Match = "exact",
        details: Mapping[str, Any] | None = None,
        full: bool = False,
        on_progress: Callable[[Any], object] | None = None,
    ) -> Any:
        """Call a procedure that the app serves.

        Args:
            procedure: As it is called: a whole URI.
            args: Positional arguments.
            kwargs: Keyword arguments.
            endpoint: As it is registered, where that is a pattern.
            match: How it is registered.
            details: What is disclosed of the caller: `caller`, `caller_authid`, ...
            full: Return the `CallResult`.
            on_progress: Ask for progress, and be told each step.

        Returns:
            What the caller would get.

        Raises:
            BridgeError: The error that the caller would get.
        """
        served = Endpoint(endpoint or procedure, match)
        told = {**(details or {}), **({"progress": True} if on_progress is not None else {})}
        envelope = InvocationEnvelope(served, procedure, args, kwargs or {}, told)
        answer = self.deliver(envelope, f"rpc/{escape_segment(served.uri)}/")
        result = read_answer(answer, on_progress)
        return result if full else result.value

    def publish(
        self,
        topic: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        endpoint: str | None = None,
        match: Match = "exact",
        details: Mapping[str, Any] | None = None,
        publication: int = 1,
        delivery_id: str | None = None,
    ) -> Response:
        """Send an event of a topic that the app follows; arguments as for `invoke`.

        Returns:
            The app's answer; the bridge would try again unless its status is a 2xx.
        """
        followed = Endpoint(endpoint or topic, match)
        envelope = EventEnvelope(followed, topic, publication, args, kwargs or {}, details or {})
        path = f"pub/{escape_segment(followed.uri)}/"
        return self.deliver(envelope, path, delivery_id=delivery_id)

    def succeed(
        self, callback: str, args: Sequence[Any] = (), *, call: str = "call", procedure: str = "p"
    ) -> Response:
        """Send the result of an asynchronous call to a callback of this name."""
        envelope = ResultEnvelope(call, procedure, args)
        return self.deliver(envelope, f"callback/{escape_segment(callback)}/")

    def fail(
        self, callback: str, error: BridgeError, *, call: str = "call", procedure: str = "p"
    ) -> Response:
        """Send the error of an asynchronous call to a callback of this name."""
        envelope = ErrorEnvelope(call, procedure, error.status, error.uri, error.args, error.kwargs)
        return self.deliver(envelope, f"callback/{escape_segment(callback)}/")

    def manifest(self, source: str = "http://localhost/wamp/") -> Any:
        """Ask the app what it serves.

        Raises:
            BridgeError: It doesn't say.
        """
        return read_answer(self.deliver(ManifestEnvelope(source))).value

    def deliver(
        self, envelope: Envelope | bytes, path: str = "", *, delivery_id: str | None = None
    ) -> Response:
        """Send an envelope of any kind, or the octets of a body."""
        request = signed_request(
            envelope, secrets=self._secrets, path=path, delivery_id=delivery_id
        )
        return whole(self._send(request))
