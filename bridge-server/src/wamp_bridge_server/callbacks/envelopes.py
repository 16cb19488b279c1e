"""The JSON bodies that are posted to callback URLs (protocol, section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wamp_bridge_server.values import NotJson, encode_json, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wamp_bridge_server.backends.base import Details, Event, Invocation, Result, WampError

__all__ = [
    "NotJson",
    "disclosed",
    "error",
    "event",
    "invocation",
    "manifest",
    "result",
    "single_result",
]


def invocation(invocation: Invocation, caller_app: str | None, deadline: float) -> bytes:
    """The body for a call that arrived; `deadline` in Unix seconds.

    Raises:
        NotJson: The caller sent what JSON lacks.
    """
    details = disclosed("caller", invocation.details)
    if caller_app is not None:
        details["caller_app"] = caller_app
    details["deadline"] = deadline
    return encode_json(
        {
            "type": "invocation",
            "endpoint": {"uri": invocation.uri, "match": invocation.match},
            "procedure": invocation.procedure,
            "args": to_json(invocation.args),
            "kwargs": to_json(invocation.kwargs),
            "details": details,
        }
    )


def event(event: Event) -> bytes:
    """The body for an event that arrived.

    Raises:
        NotJson: The publisher sent what JSON lacks.
    """
    details = disclosed("publisher", event.details)
    if event.details.app is not None:
        details["publisher_app"] = event.details.app
    return encode_json(
        {
            "type": "event",
            "endpoint": {"uri": event.uri, "match": event.match},
            "topic": event.topic,
            "publication": event.publication,
            "args": to_json(event.args),
            "kwargs": to_json(event.kwargs),
            "details": details,
        }
    )


def result(call: str, procedure: str, callback: str | None, outcome: Result) -> bytes:
    """The body for the result of an asynchronous call; `callback` is the URL that it is for.

    Raises:
        NotJson: The callee returned what JSON lacks.
    """
    args = to_json(outcome.args)
    return encode_json(
        {
            "type": "result",
            "call": call,
            "procedure": procedure,
            "callback": callback,
            "args": args,
            "kwargs": to_json(outcome.kwargs),
            "result": single_result(args),
        }
    )


def error(
    call: str, procedure: str, callback: str | None, status: int, outcome: WampError
) -> bytes:
    """The body for the error of an asynchronous call; `callback` is the URL that it is for.

    Raises:
        NotJson: The callee raised what JSON lacks.
    """
    return encode_json(
        {
            "type": "error",
            "call": call,
            "procedure": procedure,
            "callback": callback,
            "status": status,
            "error": outcome.uri,
            "args": to_json(outcome.wamp_args),
            "kwargs": to_json(outcome.wamp_kwargs),
        }
    )


def manifest(source: str) -> bytes:
    """The body that asks a source for its manifest."""
    return encode_json({"type": "manifest", "source": source})


def single_result(args: Sequence[Any]) -> Any:
    """The one positional result, the list where there are several, null where there is none."""
    if len(args) == 1:
        return args[0]
    return list(args) if args else None


def disclosed(who: str, details: Details) -> dict[str, Any]:
    """What is known of the one who called or published, under the names that `who` begins."""
    known: Mapping[str, Any] = {
        who: details.session,
        f"{who}_authid": details.authid,
        f"{who}_authrole": details.authrole,
    }
    return {name: value for name, value in known.items() if value is not None}
