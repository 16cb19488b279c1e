"""How an asynchronous call ended: as it is kept, told and delivered (protocol, sections 2, 3)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from wamp_bridge_server.backends.base import Result, WampError
from wamp_bridge_server.callbacks import envelopes
from wamp_bridge_server.callbacks.envelopes import single_result
from wamp_bridge_server.errors import CANCELED, RUNTIME_ERROR, status_of
from wamp_bridge_server.identifiers import new_id
from wamp_bridge_server.store.calls import Ending
from wamp_bridge_server.store.records import CallRecord, DeliveryRecord
from wamp_bridge_server.values import encode_json, native_of_json, to_json

if TYPE_CHECKING:
    from wamp_bridge_server.store.records import CallStatus

MAX_OUTCOME_BYTES = 1024 * 1024

Outcome = Result | WampError

CANCELLED = WampError(CANCELED, ["The call was cancelled by its caller."])
"""The outcome of a call that its caller cancelled. No other error makes it so."""


def ending(call: CallRecord, outcome: Outcome, now: float, keep: float) -> Ending:
    """How a call ended, and what is delivered of it where it has a callback.

    Args:
        call: The call.
        outcome: What came of it. What JSON can't carry, or is too large, becomes an error.
        now: Unix seconds.
        keep: For how many seconds it is kept.
    """
    if isinstance(outcome, WampError) and "\0" in outcome.uri:  # no store would take it as text
        outcome = WampError(RUNTIME_ERROR, ["The URI of the callee's error holds U+0000."])
    try:
        kept = _kept(outcome)
    except ValueError as error:  # NotJson, or text that is no Unicode
        outcome = WampError(RUNTIME_ERROR, [f"What the callee answered is no JSON: {error}."])
        kept = _kept(outcome)
    if len(kept) > MAX_OUTCOME_BYTES:
        text = (
            f"What the callee answered has {len(kept)} bytes in JSON; "
            f"the outcome of an asynchronous call has at most {MAX_OUTCOME_BYTES}."
        )
        outcome = WampError(RUNTIME_ERROR, [text])
        kept = _kept(outcome)
    return Ending(
        id=call.id,
        status=_status(outcome),
        error=None if isinstance(outcome, Result) else outcome.uri,
        outcome=kept,
        expires_at=now + keep,
        delivery=_delivery(call, outcome, now) if call.callback is not None else None,
    )


def described(call: CallRecord) -> dict[str, Any]:
    """A call as its owner is told of it."""
    document: dict[str, Any] = {"id": call.id, "status": call.status}
    if call.outcome is None:
        return document
    members = native_of_json(call.outcome)
    if call.error is None:
        return {**document, "result": single_result(members["args"]), **members}
    status = HTTPStatus.CONFLICT if call.status == "cancelled" else status_of(call.error)
    return {**document, "error": call.error, **members, "error_status": int(status)}


def _status(outcome: Outcome) -> CallStatus:
    if isinstance(outcome, Result):
        return "succeeded"
    return "cancelled" if outcome is CANCELLED else "failed"


def _kept(outcome: Outcome) -> bytes:
    if isinstance(outcome, Result):
        args, kwargs = outcome.args, outcome.kwargs
    else:
        args, kwargs = outcome.wamp_args, outcome.wamp_kwargs
    return encode_json({"args": to_json(args), "kwargs": to_json(kwargs)})


def _delivery(call: CallRecord, outcome: Outcome, now: float) -> DeliveryRecord:
    callback = call.callback or ""
    if isinstance(outcome, Result):
        body = envelopes.result(call.id, call.procedure, callback, outcome)
    else:
        cancelled = outcome is CANCELLED
        status = HTTPStatus.CONFLICT if cancelled else status_of(outcome.uri)
        body = envelopes.error(call.id, call.procedure, callback, status, outcome)
    return DeliveryRecord(
        id=new_id("msg"),
        app=call.app,
        lane=callback,
        type="result" if isinstance(outcome, Result) else "error",
        uri=call.procedure,
        body=body,
        created_at=now,
        due_at=now,
    )
