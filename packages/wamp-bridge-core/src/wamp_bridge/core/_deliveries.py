"""What a handler learns of the delivery that it is called for."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from wamp_bridge.core._envelopes import ErrorEnvelope
from wamp_bridge.core._errors import error_of
from wamp_bridge.core._messages import (
    ATTEMPT_HEADER,
    REQUEST_ID_HEADER,
    CallResult,
    EventDetails,
    InvocationDetails,
    Outcome,
    Progress,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wamp_bridge.core._envelopes import (
        EventEnvelope,
        InvocationEnvelope,
        ProgressEnvelope,
        ResultEnvelope,
    )
    from wamp_bridge.core._messages import Request

_T = TypeVar("_T", int, str)
Details: TypeAlias = InvocationDetails | EventDetails | Outcome | Progress

current_delivery: ContextVar[tuple[Details | None, Any]] = ContextVar(
    "wamp_bridge_delivery", default=(None, None)
)
"""What the running handler was called for, and the framework's request that brought it."""

_MAX_ATTEMPT_DIGITS = 9


def current_details() -> Details | None:
    """What is known of the call, event or outcome that the running handler was called for.

    For what a handler calls without passing its details on. None where no handler runs.
    """
    return current_delivery.get()[0]


def current_request() -> Any:
    """The framework's request that brought what the running handler was called for.

    None where no handler runs, and where no framework handed it in.
    """
    return current_delivery.get()[1]


@contextmanager
def delivered(delivery: tuple[Details, Any]) -> Iterator[None]:
    """Run what is within for a delivery."""
    token = current_delivery.set(delivery)
    try:
        yield
    finally:
        current_delivery.reset(token)


def invocation_details(
    envelope: InvocationEnvelope, delivery_id: str, request: Request
) -> InvocationDetails:
    """The details of a call, as far as they are disclosed."""
    headers = request.headers
    known = envelope.details
    deadline = known.get("deadline")
    return InvocationDetails(
        procedure=envelope.procedure,
        endpoint=envelope.endpoint,
        delivery_id=delivery_id,
        attempt=_attempt(headers),
        request_id=headers.get(REQUEST_ID_HEADER),
        caller=_known(known, "caller", int),
        caller_authid=_known(known, "caller_authid", str),
        caller_authrole=_known(known, "caller_authrole", str),
        caller_app=_known(known, "caller_app", str),
        deadline=float(deadline) if isinstance(deadline, int | float) else None,
        progress=known.get("progress") is True,
        gone=request.gone,
    )


def event_details(
    envelope: EventEnvelope, delivery_id: str, headers: Mapping[str, str]
) -> EventDetails:
    """The details of an event, as far as they are disclosed."""
    known = envelope.details
    return EventDetails(
        topic=envelope.topic,
        endpoint=envelope.endpoint,
        publication=envelope.publication,
        delivery_id=delivery_id,
        attempt=_attempt(headers),
        request_id=headers.get(REQUEST_ID_HEADER),
        publisher=_known(known, "publisher", int),
        publisher_authid=_known(known, "publisher_authid", str),
        publisher_authrole=_known(known, "publisher_authrole", str),
        publisher_app=_known(known, "publisher_app", str),
        retained=known.get("retained") is True,
    )


def outcome_of(
    envelope: ResultEnvelope | ErrorEnvelope, delivery_id: str, headers: Mapping[str, str]
) -> Outcome:
    """How an asynchronous call ended."""
    error = None
    result = CallResult()
    if isinstance(envelope, ErrorEnvelope):
        error = error_of(envelope.status, envelope.error, envelope.args, envelope.kwargs)
    else:
        result = CallResult(envelope.args, envelope.kwargs)
    return Outcome(
        call=envelope.call,
        procedure=envelope.procedure,
        result=result,
        error=error,
        delivery_id=delivery_id,
        attempt=_attempt(headers),
        request_id=headers.get(REQUEST_ID_HEADER),
    )


def progress_of(envelope: ProgressEnvelope, delivery_id: str) -> Progress:
    """One progressive result of an asynchronous call."""
    return Progress(
        call=envelope.call,
        procedure=envelope.procedure,
        sequence=envelope.sequence,
        result=CallResult(envelope.args, envelope.kwargs),
        delivery_id=delivery_id,
    )


def _known(details: Mapping[str, Any], name: str, kind: type[_T]) -> _T | None:
    value = details.get(name)
    return value if isinstance(value, kind) and not isinstance(value, bool) else None


def _attempt(headers: Mapping[str, str]) -> int:
    text = headers.get(ATTEMPT_HEADER, "")
    fits = text.isascii() and text.isdigit() and len(text) <= _MAX_ATTEMPT_DIGITS
    return int(text) if fits else 1
