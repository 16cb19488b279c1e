"""The handlers of an app, as its decorators declare them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from wamp_bridge.core import _options as options_of
from wamp_bridge.core._binding import Binder
from wamp_bridge.core._callables import is_async_callable, is_of_one_script, place_of
from wamp_bridge.core._errors import (
    BlockedLoop,
    BridgeError,
    ConfigurationError,
    DuplicateName,
    InvalidURI,
)
from wamp_bridge.core._messages import EventDetails, InvocationDetails
from wamp_bridge.core._uris import Invoke, Match, check_uri, escape_segment, resolve_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Adapt = Callable[[Callable[..., Any]], Callable[..., Any]]

_Function = TypeVar("_Function", bound="Callable[..., Any]")
Kind = Literal["procedure", "topic", "callback"]

_INVOKES = frozenset(get_args(Invoke))
_PATHS: dict[Kind, str] = {"procedure": "rpc", "topic": "pub", "callback": "callback"}


@dataclass(frozen=True, slots=True)
class Handler:
    """A function that serves a procedure, a topic or the outcomes of asynchronous calls.

    Attributes:
        kind: Which of the three.
        name: As it was declared, before any prefix.
        function: What is called.
        match: How its URI matches.
        options: What was declared beside, without what is at its default.
        request_class: A parameter annotated with this class receives the framework's request.
        place: Where the function is written, for a person.
        is_async: Whether calling it gives a coroutine.
    """

    kind: Kind
    name: str
    function: Callable[..., Any]
    match: Match = "exact"
    options: Mapping[str, Any] = field(default_factory=dict)
    request_class: type | None = field(default=None, repr=False)
    place: str = field(init=False)
    is_async: bool = field(init=False)
    binder: Binder | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "place", place_of(self.function))
        object.__setattr__(self, "is_async", is_async_callable(self.function))
        object.__setattr__(self, "binder", self._binder())

    def _binder(self) -> Binder | None:
        if self.kind == "callback":
            binder = Binder(self.function, None, self.request_class)
            return binder if binder.wants_request else None
        wanted: type = InvocationDetails if self.kind == "procedure" else EventDetails
        other: type = EventDetails if self.kind == "procedure" else InvocationDetails
        binder = Binder(self.function, wanted, self.request_class)
        if not binder.wants_details and Binder(self.function, other).wants_details:
            raise ConfigurationError(
                f"{self.place} serves a {self.kind}, so its details are {wanted.__name__} "
                f"and not {other.__name__}"
            )
        return binder

    def url(self, uri: str) -> str:
        """Where it is served, relative to the dispatcher (protocol, section 4)."""
        return f"{_PATHS[self.kind]}/{escape_segment(uri)}/"


@dataclass(frozen=True, slots=True)
class Table:
    """The handlers under the names by which the bridge knows them."""

    procedures: Mapping[str, Handler]
    topics: Mapping[str, Handler]
    callbacks: Mapping[str, Handler]


class Registry:
    """The handlers of one app. Each app, and each test, has one of its own.

    Names are kept as they are declared; the prefix is a setting, which may be known only later,
    so `table` is where they become URIs.

    Args:
        request_class: The framework's: a handler's parameter that is annotated with it receives
            the request that brings a delivery.
        adapt: Gives what is called for a declared function; the function itself if left out.
        wamp_error: Gives what a caller is told of what a handler raised; see `wamp_error`.
    """

    def __init__(
        self,
        request_class: type | None = None,
        *,
        adapt: Adapt | None = None,
        wamp_error: Callable[[Exception], BridgeError | None] | None = None,
    ) -> None:
        self._request_class = request_class
        self._adapt = adapt
        self._wamp_error = wamp_error
        self._handlers: list[Handler] = []
        self._lock = threading.Lock()
        self._table: tuple[str, int, Table] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is declared."""
        return not self._handlers

    def rpc(
        self,
        name: str | None = None,
        /,
        *,
        match: Match = "exact",
        invoke: Invoke = "single",
        concurrency: int | None = None,
        timeout: float | None = None,
    ) -> Callable[[_Function], _Function]:
        """Declare the decorated function as a procedure.

        Args:
            name: The procedure; the function's name if left out. The prefix goes before a name
                without a dot; a leading dot means the name as it stands.
            match: How `name` matches the procedures that are called.
            invoke: Which of several callees is called.
            concurrency: How many calls may run at once.
            timeout: Seconds after which a call has failed.

        Raises:
            ConfigurationError: An option can't be.
            DuplicateName: Another function has that name.
        """
        _check_name(name, "rpc")
        if invoke not in _INVOKES:
            raise ConfigurationError(f"invoke must be one of {sorted(_INVOKES)}, not {invoke!r}")
        options = {
            "invoke": invoke if invoke != "single" else None,
            "concurrency": options_of.count("concurrency", concurrency),
            "timeout": options_of.seconds("timeout", timeout),
        }
        return self._declare("procedure", name, match, options)

    def sub(
        self,
        name: str | None = None,
        /,
        *,
        match: Match = "exact",
        ordered: bool = False,
        concurrency: int | None = None,
        fanout: bool = False,
        get_retained: bool = False,
        schedule: Sequence[float] | None = None,
        timeout: float | None = None,
        dead_letters: float | None = None,
    ) -> Callable[[_Function], _Function]:
        """Declare the decorated function as the receiver of a topic's events.

        Args:
            name: The topic; as for `rpc`.
            match: How `name` matches the topics that are published to.
            ordered: Events come one at a time, in the order in which they were published.
            concurrency: How many events may come at once; 10 if left out.
            fanout: Where several sources of this app follow the topic, each gets every event.
            get_retained: When the topic is first subscribed, the event that the router retains
                comes too; its `EventDetails.retained` is true.
            schedule: Seconds to wait before each attempt to deliver an event, as `[0, 5, 300]`;
                after the last one it is a dead letter. This and those below are as the bridge has
                them for the app if left out.
            timeout: Seconds that an attempt may take, 0.1 to 3600.
            dead_letters: Seconds for which dead letters are kept.

        Raises:
            ConfigurationError: An option can't be.
            DuplicateName: Another function has that name.
        """
        _check_name(name, "sub")
        options = {
            "ordered": options_of.flag("ordered", ordered),
            "concurrency": options_of.count("concurrency", concurrency),
            "fanout": options_of.flag("fanout", fanout),
            "get_retained": options_of.flag("get_retained", get_retained),
            "schedule": options_of.schedule("schedule", schedule),
            "timeout": options_of.attempt_seconds("timeout", timeout),
            "dead_letters": options_of.kept_seconds("dead_letters", dead_letters),
        }
        return self._declare("topic", name, match, options)

    def callback(
        self, name: str | None = None, /, *, progress: bool = False
    ) -> Callable[[_Function], _Function]:
        """Declare the decorated function as the receiver of asynchronous calls' outcomes.

        It is called with one `Outcome`.

        Args:
            name: What `call(..., callback=name)` says; the function's name if left out. No prefix
                goes before it.
            progress: It is called with a `Progress` for each progressive result, too.

        Raises:
            ConfigurationError: The name can't be.
            DuplicateName: Another function has that name.
        """
        _check_name(name, "callback")
        return self._declare("callback", name, "exact", {"progress": progress or None})

    def add(self, handler: Handler) -> None:
        """Take a handler in, which a decorator has declared here or elsewhere.

        A script that is loaded once more by its name, as it is by a server that it starts, declares
        its handlers anew.

        Raises:
            DuplicateName: Another function has that name.
        """
        with self._lock:
            for index, other in enumerate(self._handlers):
                if (other.kind, other.name) == (handler.kind, handler.name):
                    if not is_of_one_script(other.function, handler.function):
                        raise _duplicate(handler.name, other, handler)
                    self._handlers[index] = handler
                    self._table = None
                    return
            self._handlers.append(handler)

    def wamp_error(self, error: Exception) -> BridgeError | None:
        """What a caller is told of what a handler raised; None of what is for the log alone."""
        if isinstance(error, ConfigurationError | BlockedLoop):
            return None  # a slip of the app's, which no caller can do anything about
        if isinstance(error, BridgeError):
            return error
        return None if self._wamp_error is None else self._wamp_error(error)

    def table(self, prefix: str = "") -> Table:
        """The handlers by URI, callbacks by name.

        Raises:
            DuplicateName: With this prefix two names are one URI.
            ConfigurationError: With this prefix a name is no URI.
        """
        with self._lock:
            kept = self._table
            if kept is not None and kept[:2] == (prefix, len(self._handlers)):
                return kept[2]
            table = _table(self._handlers, prefix)
            self._table = (prefix, len(self._handlers), table)
            return table

    def _declare(
        self, kind: Kind, name: str | None, match: Match, options: Mapping[str, Any]
    ) -> Callable[[_Function], _Function]:
        def declare(function: _Function) -> _Function:
            if not callable(function):
                raise ConfigurationError(f"{function!r} is no function")
            given = {option: value for option, value in options.items() if value is not None}
            named = name or _name_of(function)
            called = function if self._adapt is None else self._adapt(function)
            handler = Handler(kind, named, called, match, given, self._request_class)
            _uri(handler, "")
            self.add(handler)
            return function

        return declare


def _table(handlers: list[Handler], prefix: str) -> Table:
    tables: dict[Kind, dict[str, Handler]] = {"procedure": {}, "topic": {}, "callback": {}}
    for handler in handlers:
        uri = _uri(handler, prefix)
        other = tables[handler.kind].setdefault(uri, handler)
        if other is not handler:
            raise _duplicate(uri, other, handler)
    return Table(tables["procedure"], tables["topic"], tables["callback"])


def _uri(handler: Handler, prefix: str) -> str:
    try:
        if handler.kind == "callback":
            if "/" in handler.name:
                raise ConfigurationError(f"{handler.place}: a callback's name can't hold a slash")
            check_uri(handler.name)
            return handler.name
        uri = resolve_name(handler.name, prefix)
        check_uri(uri, handler.match)
    except InvalidURI as error:
        raise ConfigurationError(f"{handler.place}: {error}") from None
    return uri


def _duplicate(name: str, first: Handler, second: Handler) -> DuplicateName:
    return DuplicateName(
        f"the {first.kind} {name!r} is declared twice: by {first.place} and by {second.place}"
    )


def _check_name(name: object, decorator: str) -> None:
    if callable(name):
        raise ConfigurationError(f"write @{decorator}(), with its parentheses")
    if name is not None and not isinstance(name, str):
        raise ConfigurationError(f"@{decorator}() takes a name that is a text, not {name!r}")
    if name == "":
        raise ConfigurationError(f"@{decorator}() takes a name that is not empty, or none at all")


def _name_of(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", "")
    if not (isinstance(name, str) and name.isidentifier()):
        raise ConfigurationError(f"{function!r} has no name of its own: give the decorator one")
    return name
