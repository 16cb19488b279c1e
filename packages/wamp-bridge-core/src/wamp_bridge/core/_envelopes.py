"""The JSON bodies that the bridge posts to an app (protocol, section 3), read and written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from wamp_bridge.core._errors import EnvelopeError, InvalidURI
from wamp_bridge.core._json import AROUND, dumps, loads
from wamp_bridge.core._messages import CallResult, Endpoint
from wamp_bridge.core._uris import check_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class InvocationEnvelope:
    """A call on its way to the app that serves it.

    `details` has what is disclosed of `caller`, `caller_authid`, `caller_authrole`, `caller_app`,
    and `deadline` in Unix seconds.
    """

    endpoint: Endpoint
    procedure: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """The body.

        Raises:
            InvalidValue: A value is none of JSON.
        """
        return _body("invocation", self, "procedure", "args", "kwargs", "details")


@dataclass(frozen=True, slots=True)
class EventEnvelope:
    """An event on its way to an app that subscribed.

    `details` has what is disclosed of `publisher`, `publisher_authid`, `publisher_authrole`,
    `publisher_app`, and `retained` where it is true.
    """

    endpoint: Endpoint
    topic: str
    publication: int
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """The body.

        Raises:
            InvalidValue: A value is none of JSON.
        """
        return _body("event", self, "topic", "publication", "args", "kwargs", "details")


@dataclass(frozen=True, slots=True)
class ResultEnvelope:
    """The result of an asynchronous call.

    `callback` is the URL that was asked for it. It is not required; where it is there it says,
    under the signature, which callback this is for.
    """

    call: str
    procedure: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    callback: str | None = None

    def to_json(self) -> bytes:
        """The body.

        Raises:
            InvalidValue: A value is none of JSON.
        """
        result = CallResult(self.args, self.kwargs).value
        return _body(
            "result", self, "call", "procedure", "args", "kwargs", "callback", result=result
        )


@dataclass(frozen=True, slots=True)
class ErrorEnvelope:
    """The error of an asynchronous call; `status` as the synchronous call would have had it."""

    call: str
    procedure: str
    status: int
    error: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    callback: str | None = None

    def to_json(self) -> bytes:
        """The body.

        Raises:
            InvalidValue: A value is none of JSON.
        """
        return _body(
            "error", self, "call", "procedure", "status", "error", "args", "kwargs", "callback"
        )


@dataclass(frozen=True, slots=True)
class ProgressEnvelope:
    """A progressive result of an asynchronous call."""

    call: str
    procedure: str
    sequence: int
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    callback: str | None = None

    def to_json(self) -> bytes:
        """The body.

        Raises:
            InvalidValue: A value is none of JSON.
        """
        return _body(
            "progress", self, "call", "procedure", "sequence", "args", "kwargs", "callback"
        )


@dataclass(frozen=True, slots=True)
class ManifestEnvelope:
    """The question for a source's manifest; `source` is the URL that was asked."""

    source: str

    def to_json(self) -> bytes:
        """The body."""
        return _body("manifest", self, "source")


Envelope: TypeAlias = (
    InvocationEnvelope
    | EventEnvelope
    | ResultEnvelope
    | ErrorEnvelope
    | ProgressEnvelope
    | ManifestEnvelope
)


def parse_envelope(body: bytes) -> Envelope:
    """Read a body that the bridge posted. Members that the protocol doesn't name are passed over.

    Raises:
        InvalidJSON: It is no JSON.
        InvalidValue: A text stands for bytes and is no base64.
        EnvelopeError: It is no message of the protocol; says what it lacks.
    """
    members = loads(body, around=AROUND)
    if not isinstance(members, dict):
        raise EnvelopeError("the body must be a JSON object")
    kind = members.get("type")
    read = _READERS.get(kind) if isinstance(kind, str) else None
    if read is None:
        raise EnvelopeError('"type" is none that this version of the protocol has')
    return read(members)


def _body(kind: str, envelope: Envelope, *names: str, **more: Any) -> bytes:
    members: dict[str, Any] = {"type": kind}
    if isinstance(envelope, InvocationEnvelope | EventEnvelope):
        members["endpoint"] = {"uri": envelope.endpoint.uri, "match": envelope.endpoint.match}
    for name in names:
        value = getattr(envelope, name)
        if value is not None:
            members[name] = dict(value) if name in ("kwargs", "details") else value
    return dumps(members | more, around=AROUND)


def _invocation(members: dict[str, Any]) -> InvocationEnvelope:
    return InvocationEnvelope(
        _endpoint(members),
        _text(members, "procedure"),
        _list(members, "args"),
        _object(members, "kwargs"),
        _object(members, "details"),
    )


def _event(members: dict[str, Any]) -> EventEnvelope:
    return EventEnvelope(
        _endpoint(members),
        _text(members, "topic"),
        _integer(members, "publication"),
        _list(members, "args"),
        _object(members, "kwargs"),
        _object(members, "details"),
    )


def _result(members: dict[str, Any]) -> ResultEnvelope:
    return ResultEnvelope(
        _text(members, "call"),
        _text(members, "procedure"),
        _list(members, "args"),
        _object(members, "kwargs"),
        _callback(members),
    )


def _error(members: dict[str, Any]) -> ErrorEnvelope:
    return ErrorEnvelope(
        _text(members, "call"),
        _text(members, "procedure"),
        _integer(members, "status"),
        _text(members, "error"),
        _list(members, "args"),
        _object(members, "kwargs"),
        _callback(members),
    )


def _progress(members: dict[str, Any]) -> ProgressEnvelope:
    return ProgressEnvelope(
        _text(members, "call"),
        _text(members, "procedure"),
        _integer(members, "sequence"),
        _list(members, "args"),
        _object(members, "kwargs"),
        _callback(members),
    )


def _manifest(members: dict[str, Any]) -> ManifestEnvelope:
    return ManifestEnvelope(_text(members, "source"))


_READERS: Mapping[str, Callable[[dict[str, Any]], Envelope]] = {
    "invocation": _invocation,
    "event": _event,
    "result": _result,
    "error": _error,
    "progress": _progress,
    "manifest": _manifest,
}


def _endpoint(members: dict[str, Any]) -> Endpoint:
    endpoint = _object(members, "endpoint")
    uri, match = _text(endpoint, "uri"), _text(endpoint, "match", "exact")
    try:
        check_uri(uri, match)
    except InvalidURI as error:
        raise EnvelopeError(f'"endpoint" is none: {error}') from None
    if match == "prefix":
        return Endpoint(uri, "prefix")
    return Endpoint(uri, "wildcard" if match == "wildcard" else "exact")


def _callback(members: dict[str, Any]) -> str | None:
    return _text(members, "callback") if members.get("callback") is not None else None


def _text(members: dict[str, Any], name: str, default: str | None = None) -> str:
    value = members.get(name, default)
    if not isinstance(value, str):
        raise EnvelopeError(f'"{name}" must be a text')
    return value


def _integer(members: dict[str, Any], name: str) -> int:
    value = members.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise EnvelopeError(f'"{name}" must be an integer')
    return value


def _list(members: dict[str, Any], name: str) -> list[Any]:
    value = members.get(name, [])
    if not isinstance(value, list):
        raise EnvelopeError(f'"{name}" must be a list')
    return value


def _object(members: dict[str, Any], name: str) -> dict[str, Any]:
    value = members.get(name, {})
    if not isinstance(value, dict):
        raise EnvelopeError(f'"{name}" must be an object')
    return value
