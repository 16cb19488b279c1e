"""What an app asks of the bridge (protocol, sections 1 and 2): requests made, answers read.

All is pure. An exchange is a generator that yields what is to be done, `Send` or `Pause`, and is
sent what became of it; the clients drive it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

from wamp_bridge.core import _arguments as arguments
from wamp_bridge.core._errors import (
    BridgeError,
    BridgeUnreachable,
    CallTimeout,
    Conflict,
    InvalidJSON,
    InvalidValue,
    ServerError,
    Unavailable,
    error_of,
)
from wamp_bridge.core._json import AROUND, dumps, loads

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

GRACE_SECONDS: Final = 2.0
"""How much longer than the bridge we wait, so that its own word about a timeout arrives."""

KEY_HEADER: Final = "idempotency-key"

_LEAST_SECONDS: Final = 0.001
_FIRST_PAUSE_SECONDS: Final = 0.1
_PAUSE_GROWTH: Final = 3.0
_REFUSALS: Final = 3


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request to the bridge.

    Attributes:
        method: HTTP's.
        path: Relative to the bridge's URL, percent-encoded.
        body: JSON, or None for none.
        budget: Seconds for all tries together.
        repeatable: Whether it may be sent again though it may have arrived.
        headers: Those that are its own; names in lower case.
    """

    method: str
    path: str
    body: bytes | None
    budget: float
    repeatable: bool
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def keyed(self) -> bool:
        """Whether the bridge does it once, however often it arrives."""
        return KEY_HEADER in self.headers


@dataclass(frozen=True, slots=True)
class Answer:
    """What the bridge answered; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer: `unsent` where not one byte of the request went out."""

    kind: Literal["unsent", "late", "cut"]
    reason: str


@dataclass(frozen=True, slots=True)
class Send:
    """A step of an exchange: send the request within so many seconds."""

    request: Outgoing
    within: float


@dataclass(frozen=True, slots=True)
class Pause:
    """A step of an exchange: wait so many seconds."""

    seconds: float


Exchange: TypeAlias = Generator[Send | Pause, Answer | Failure | None, _T]


def exchange(
    request: Outgoing, read: Callable[[Answer], _T], clock: Callable[[], float] = time.monotonic
) -> Exchange[_T]:
    """Send a request, again where that is safe, and read its answer.

    Raises:
        BridgeError: What the bridge answered, or that it didn't.
    """
    deadline = clock() + request.budget
    pause = _FIRST_PAUSE_SECONDS
    refusals = 0
    while True:
        came = yield Send(request, max(deadline - clock(), _LEAST_SECONDS))
        if isinstance(came, Answer):
            error = _error_in(came)
            if error is None:
                return read(came)
            again = (request.repeatable and isinstance(error, Unavailable)) or (
                # The one before it is under way: its answer will be ours.
                request.keyed and isinstance(error, Conflict)
            )
            wait = error.retry_after if again else None
        else:
            assert isinstance(came, Failure)  # noqa: S101 - what a Send is answered with
            error = _failed(came)
            refusals += 1
            harmless = request.repeatable or request.keyed
            again = came.kind == "unsent" or (harmless and came.kind == "cut")
            wait = pause if again and refusals < _REFUSALS else None
            pause *= _PAUSE_GROWTH
        if wait is None or clock() + wait >= deadline:
            raise error
        yield Pause(max(wait, _FIRST_PAUSE_SECONDS))


def json_of(answer: Answer) -> dict[str, Any]:
    """The object that the bridge answered.

    Raises:
        ServerError: It is none, so that what answers may be no bridge.
    """
    try:
        members = loads(answer.body, around=AROUND)
    except (InvalidJSON, InvalidValue):
        members = None
    if not isinstance(members, dict):
        raise ServerError.explained("the answer is no JSON object; is WAMP_BRIDGE_URL a bridge?")
    return members


def encoded(members: Mapping[str, Any]) -> bytes:
    """A request's body, without the members that are None.

    Raises:
        InvalidValue: A value is none of JSON.
    """
    return dumps({name: value for name, value in members.items() if value is not None})


def payload(
    args: Sequence[Any] | Mapping[str, Any] | None, kwargs: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The members `args` and `kwargs`; a mapping in the place of args is keyword arguments.

    Raises:
        TypeError: `args` is neither a list, nor a tuple, nor a mapping; or `kwargs` is none.
    """
    if isinstance(args, Mapping):
        if kwargs is not None:
            raise TypeError("keyword arguments are given twice: as args and as kwargs")
        args, kwargs = None, args
    if args is not None and not isinstance(args, list | tuple):
        raise TypeError(
            f"arguments are a list, a tuple or a mapping, not {type(args).__name__}; "
            "put a single one into a list"
        )
    given = {} if kwargs is None else arguments.mapping("kwargs", kwargs)
    return {"args": list(args or ()), "kwargs": given}


def _failed(failure: Failure) -> BridgeError:
    if failure.kind == "late":
        return CallTimeout.explained(f"the bridge did not answer in time: {failure.reason}")
    return BridgeUnreachable.explained(f"the bridge could not be reached: {failure.reason}")


def _error_in(answer: Answer) -> BridgeError | None:
    """The error that an answer is; None for a success."""
    status = answer.status
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own classes
        return None
    try:
        problem = loads(answer.body, around=AROUND)
    except (InvalidJSON, InvalidValue):
        problem = None
    if not isinstance(problem, dict):
        problem = {}
    uri, args, kwargs = (problem.get(name) for name in ("error", "args", "kwargs"))
    title = _text(problem.get("title")) or f"the bridge answered with status {status}"
    return error_of(
        status,
        uri if isinstance(uri, str) and uri else None,
        args if isinstance(args, list) else (),
        kwargs if isinstance(kwargs, dict) else {},
        title=title,
        detail=_text(problem.get("detail")) or title,
        request_id=_text(problem.get("request_id")) or answer.headers.get("request-id"),
        retry_after=_seconds(answer.headers.get("retry-after", "")),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _seconds(header: str) -> float | None:
    try:
        seconds = float(header)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
