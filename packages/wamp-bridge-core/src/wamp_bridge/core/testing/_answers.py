"""What a fake bridge answers: JSON, problems, and streams of server-sent events in one piece."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from wamp_bridge.core._errors import BridgeError, BridgeUnreachable
from wamp_bridge.core._event_streams import EVENT_STREAM
from wamp_bridge.core._json import AROUND, dumps
from wamp_bridge.core._requests import Answer, Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from wamp_bridge.core._messages import CallResult


def outcome_answer(outcome: CallResult | BridgeError) -> Answer | Failure:
    """The answer to a call that ends so."""
    if isinstance(outcome, BridgeUnreachable):
        return Failure("cut", outcome.detail or "the test says so")
    if isinstance(outcome, BridgeError):
        return problem_answer(outcome)
    members = {"args": outcome.args, "kwargs": outcome.kwargs}
    return json_answer(200, {"result": outcome.value, **members})


def problem_answer(error: BridgeError, *, of_wamp: bool = True) -> Answer:
    """The answer that an error is: one of WAMP's, or one of the bridge's own."""
    headers = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": error.title or type(error).__name__,
        "status": error.status,
        "detail": error.detail or str(error),
        "request_id": error.request_id or "req_fake",
    }
    if of_wamp:
        problem |= {"error": error.uri, "args": list(error.args), "kwargs": error.kwargs}
    return json_answer(error.status, problem, **headers)


def json_answer(status: int, members: Mapping[str, Any], **headers: str) -> Answer:
    """An answer of one object."""
    return Answer(
        status, {"content-type": "application/json", **headers}, dumps(members, around=AROUND)
    )


def stream_of(messages: Iterable[tuple[int, str, bytes]]) -> Answer:
    """An answer of these events, each with its id, its name and its data."""
    body = b"".join(
        b"id: %d\nevent: %s\ndata: %s\n\n" % (number, name.encode(), data)
        for number, name, data in messages
    )
    return Answer(200, {"content-type": EVENT_STREAM}, body)


def stepped(steps: Sequence[CallResult], answer: Answer | Failure) -> Answer | Failure:
    """The answer to a call, as the last of the events that tell its steps."""
    return answer if isinstance(answer, Failure) else stream_of(_told(steps, answer))


def _told(steps: Sequence[CallResult], answer: Answer) -> Iterator[tuple[int, str, bytes]]:
    for number, step in enumerate(steps):
        members = {"args": step.args, "kwargs": step.kwargs}
        yield number, "progress", dumps(members, around=AROUND)
    yield len(steps), "result" if answer.status == HTTPStatus.OK else "error", answer.body
