"""What an app has asked of a fake bridge, and what a test expects it to ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from wamp_bridge.core._errors import BridgeError, BridgeUnreachable, error_of
from wamp_bridge.core._json import AROUND, dumps, loads
from wamp_bridge.core._messages import CallResult
from wamp_bridge.core._requests import payload
from wamp_bridge.core._settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Payload: TypeAlias = "tuple[list[Any], dict[str, Any]] | None"
"""Positional and keyword arguments; None for any."""


@dataclass(frozen=True, slots=True)
class Called:
    """A call that the app has made.

    Attributes:
        procedure: The whole URI.
        args: Positional arguments, as they arrive by JSON.
        kwargs: Keyword arguments.
        options: WAMP's options of the call.
        timeout: Seconds that the app would have waited.
        callback: The URL that the outcome goes to, where the app did not wait.
        idempotency_key: The key that the app gave.
    """

    procedure: str
    args: list[Any]
    kwargs: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    timeout: float | None = None
    callback: str | None = None
    idempotency_key: str | None = None
    settings: Settings = field(default_factory=Settings, repr=False, compare=False)

    def __str__(self) -> str:
        return shown(self.procedure, (self.args, self.kwargs))

    def is_like(self, name: str, wanted: Payload) -> bool:
        """Whether it is this procedure, as the app's code names it, with these arguments."""
        return _alike(self.settings, name, wanted, self.procedure, (self.args, self.kwargs))


@dataclass(frozen=True, slots=True)
class Published:
    """An event that the app has published.

    Attributes:
        topic: The whole URI.
        args: Positional arguments, as they arrive by JSON.
        kwargs: Keyword arguments.
        options: WAMP's options of the publication.
        idempotency_key: The key that the app gave.
    """

    topic: str
    args: list[Any]
    kwargs: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    idempotency_key: str | None = None
    settings: Settings = field(default_factory=Settings, repr=False, compare=False)

    def __str__(self) -> str:
        return shown(self.topic, (self.args, self.kwargs))

    def is_like(self, name: str, wanted: Payload) -> bool:
        """Whether it is this topic, as the app's code names it, with these arguments."""
        return _alike(self.settings, name, wanted, self.topic, (self.args, self.kwargs))


@dataclass(slots=True)
class Expectation:
    """What a test expects the app to ask, and what it is answered.

    Attributes:
        name: As the app's code names it, or the whole URI.
        wanted: The arguments.
        outcome: A result or an error.
        times: How often; None for any number, none among them.
        steps: What comes before the outcome, where it is asked for as a stream.
        met: How often it was asked.
    """

    name: str
    wanted: Payload
    outcome: CallResult | BridgeError
    times: int | None = 1
    steps: Sequence[CallResult] = ()
    met: int = 0

    @property
    def is_used_up(self) -> bool:
        """Whether it was met as often as it can be."""
        return self.times is not None and self.met >= self.times

    @property
    def is_owed(self) -> bool:
        """Whether it was met less often than it should be."""
        return self.times is not None and self.met < self.times

    def __str__(self) -> str:
        often = "any number of times" if self.times is None else _times(self.times)
        return f"{shown(self.name, self.wanted)}, {often} (so far {_times(self.met)})"


def wanted(
    args: Sequence[Any] | Mapping[str, Any] | None, kwargs: Mapping[str, Any] | None
) -> Payload:
    """The arguments that a test names, as they are named to `call`; any, if it names none."""
    if args is None and kwargs is None:
        return None
    members = payload(args, kwargs)
    return _plain(members["args"]), _plain(members["kwargs"])


def outcome_of(returns: Any, raises: BridgeError | type[BridgeError] | None) -> Any:
    """How a call is to end.

    Raises:
        InvalidValue: The result is none of JSON, so that no procedure could return it.
        TypeError: `raises` is nothing that `call` and `publish` raise.
    """
    if raises is None:
        result = returns if isinstance(returns, CallResult) else CallResult([returns])
        return CallResult(
            *loads(dumps([list(result.args), dict(result.kwargs)], around=AROUND), around=AROUND)
        )
    error = raises() if isinstance(raises, type) else raises
    if isinstance(error, BridgeError):
        dumps([list(error.args), error.kwargs], around=AROUND)
        if isinstance(error, BridgeUnreachable):
            return error
        if type(error_of(error.status, error.uri)) is type(error):
            return error
    raise TypeError(f"`raises` must be an error that the bridge can answer with, not {raises!r}")


def shown(name: str, arguments: Payload) -> str:
    """A call or an event, for a person."""
    if arguments is None:
        return f"{name}(...)"
    args, kwargs = arguments
    parts = [repr(argument) for argument in args]
    parts += [f"{key}={value!r}" for key, value in kwargs.items()]
    return f"{name}({', '.join(parts)})"


def listed(title: str, things: Sequence[object], none: str) -> str:
    """Lines that list things below a title."""
    if not things:
        return none
    return "\n".join([title, *(f"  {thing}" for thing in things)])


def check_count(
    what: str, asked: Sequence[Called] | Sequence[Published], times: int | None, like: Matches
) -> None:
    """Fail unless something was asked so often; at least once if `times` is None.

    Raises:
        AssertionError: It was not; says what was asked instead.
    """
    __tracebackhide__ = True
    found = sum(1 for one in asked if like(one))
    if found == times or (times is None and found > 0):
        return
    often = "at least once" if times is None else _times(times)
    raise AssertionError(
        f"{what} {often}, but {_times(found)}.\n" + listed("There were:", asked, "There was none.")
    )


if TYPE_CHECKING:
    Matches: TypeAlias = Callable[[Called | Published], bool]


def _alike(
    settings: Settings, name: str, wanted: Payload, uri: str, given: tuple[Any, Any]
) -> bool:
    return settings.resolve(name) == uri and (wanted is None or wanted == given)


def _plain(value: Any) -> Any:
    """The value with lists in the place of tuples, as JSON has them."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _times(number: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(number, f"{number} times")
