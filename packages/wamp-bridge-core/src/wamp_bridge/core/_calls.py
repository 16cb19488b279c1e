"""Calls and publications of an app, as exchanges (protocol, sections 1 and 2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from wamp_bridge.core import _arguments as arguments
from wamp_bridge.core._errors import error_of
from wamp_bridge.core._messages import CallResult, CallState, PendingCall
from wamp_bridge.core._operations import ask, budget, callback_url, listed
from wamp_bridge.core._requests import (
    GRACE_SECONDS,
    KEY_HEADER,
    Answer,
    Exchange,
    json_of,
    payload,
)
from wamp_bridge.core._uris import check_uri, escape_segment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wamp_bridge.core._settings import Settings

_MAX_KEY_LENGTH: Final = 255
_UNWRITABLE: Final = re.compile(r"[^ -~]")
_ESCAPED: Final = re.compile(r"\\(.)")


def call(
    settings: Settings,
    procedure: str,
    args: Sequence[Any] | Mapping[str, Any] | None,
    kwargs: Mapping[str, Any] | None,
    *,
    timeout: float | None,
    callback: str | None,
    options: Mapping[str, Any] | None,
    idempotency_key: str | None,
    full: bool,
) -> Exchange[Any]:
    """Call a procedure: its result, or a `PendingCall` where a callback is given."""
    if callback is not None:
        return start_call(
            settings,
            procedure,
            args,
            kwargs,
            timeout=timeout,
            callback=callback,
            options=options,
            idempotency_key=idempotency_key,
        )
    seconds = budget(settings, timeout)
    members = payload(args, kwargs)
    members["options"] = None if options is None else arguments.mapping("options", options)
    members["timeout"] = seconds
    read: Callable[[Answer], Any] = _full_result if full else _result
    return ask(
        "POST",
        f"call/{_segment(settings, 'procedure', procedure)}/",
        members,
        seconds + GRACE_SECONDS,
        read,
        repeatable=False,
        headers=_key(idempotency_key),
    )


def start_call(
    settings: Settings,
    procedure: str,
    args: Sequence[Any] | Mapping[str, Any] | None,
    kwargs: Mapping[str, Any] | None,
    *,
    timeout: float | None,
    callback: str | None,
    options: Mapping[str, Any] | None,
    idempotency_key: str | None,
) -> Exchange[PendingCall]:
    """Begin a call that may take hours; only that the bridge takes it is waited for."""
    if timeout is not None:
        budget(settings, timeout)  # is it one?
    members = payload(args, kwargs)
    members["options"] = None if options is None else arguments.mapping("options", options)
    members["timeout"] = timeout
    headers = _key(idempotency_key)
    if callback is not None:
        members["callback"] = callback_url(settings, callback)
    else:
        headers["prefer"] = "respond-async"
    return ask(
        "POST",
        f"call/{_segment(settings, 'procedure', procedure)}/",
        members,
        settings.timeout,
        _pending,
        repeatable=False,
        headers=headers,
    )


def read_call(settings: Settings, pending: PendingCall | str) -> Exchange[CallState]:
    """How an asynchronous call stands."""
    return ask("GET", _path(pending), None, settings.timeout, _state)


def cancel_call(settings: Settings, pending: PendingCall | str) -> Exchange[CallState]:
    """Cancel an asynchronous call: how it stands after that."""
    return ask("DELETE", _path(pending), None, settings.timeout, _state)


def publish(
    settings: Settings,
    topic: str,
    args: Sequence[Any] | Mapping[str, Any] | None,
    kwargs: Mapping[str, Any] | None,
    *,
    options: Mapping[str, Any] | None,
    timeout: float | None,
    idempotency_key: str | None,
) -> Exchange[int | None]:
    """Publish an event: the publication's id, or None where no acknowledgement was asked for."""
    members = payload(args, kwargs)
    members["options"] = None if options is None else arguments.mapping("options", options)
    return ask(
        "POST",
        f"publish/{_segment(settings, 'topic', topic)}/",
        members,
        budget(settings, timeout),
        _publication,
        repeatable=False,
        headers=_key(idempotency_key),
    )


def key_in(headers: Mapping[str, str]) -> str | None:
    """The idempotency key that an exchange was given."""
    written = headers.get(KEY_HEADER)
    return None if written is None else _ESCAPED.sub(r"\1", written[1:-1])


def _key(key: str | None) -> dict[str, str]:
    """The header, as a string of structured fields (RFC 9651, section 3.3.3)."""
    if key is None:
        return {}
    if not 0 < len(arguments.text("idempotency_key", key)) <= _MAX_KEY_LENGTH or _UNWRITABLE.search(
        key
    ):
        raise ValueError(
            f"an idempotency key is a text of 1 to {_MAX_KEY_LENGTH} ASCII characters, not {key!r}"
        )
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return {KEY_HEADER: f'"{escaped}"'}


def _segment(settings: Settings, argument: str, name: str) -> str:
    """The URI that a name stands for, as a segment of a path."""
    uri = settings.resolve(arguments.text(argument, name))
    check_uri(uri)
    return escape_segment(uri)


def _path(pending: PendingCall | str) -> str:
    identifier = pending.id if isinstance(pending, PendingCall) else arguments.text("call", pending)
    return f"calls/{escape_segment(identifier)}/"


def _result(answer: Answer) -> Any:
    return json_of(answer).get("result")


def _full_result(answer: Answer) -> CallResult:
    return _result_in(json_of(answer))


def _pending(answer: Answer) -> PendingCall:
    members = json_of(answer)
    return PendingCall(
        str(members.get("id")), str(members.get("status")), answer.headers.get("location")
    )


def _state(answer: Answer) -> CallState:
    members = json_of(answer)
    identifier, status = str(members.get("id")), str(members.get("status"))
    if "args" not in members:
        return CallState(identifier, status, CallResult(), None)
    ended = _result_in(members)
    if "error" not in members:
        return CallState(identifier, status, ended, None)
    code = members.get("error_status")
    error = error_of(
        code if isinstance(code, int) else 500, str(members["error"]), ended.args, ended.kwargs
    )
    return CallState(identifier, status, CallResult(), error)


def _result_in(members: Mapping[str, Any]) -> CallResult:
    return CallResult(listed(members, "args"), dict(members.get("kwargs") or {}))


def _publication(answer: Answer) -> int | None:
    return json_of(answer).get("publication") if answer.body else None
