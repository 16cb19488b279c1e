"""How handlers of every shape get their arguments, and what others fill."""

# String annotations, as `from __future__ import annotations` makes them of all in this module,
# are half of what is tested here.
from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, Any, Optional

import pytest

import wamp_bridge.core as wamp  # noqa: TC001 - looked up when annotations are evaluated
from wamp_bridge.core import (
    ConfigurationError,
    Endpoint,
    EventDetails,
    InvalidArgument,
    InvocationDetails,
)
from wamp_bridge.core._binding import Binder, Parameters
from wamp_bridge.core._callables import place_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from nowhere import Unknown  # type: ignore[import-not-found] # on purpose

DETAILS = InvocationDetails("p", Endpoint("p"), "msg_1")


def run(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    bound_args, bound_kwargs = Binder(function, InvocationDetails).bind(args, kwargs, DETAILS)
    return function(*bound_args, **bound_kwargs)


def plain(a: Any, b: Any = 2, *rest: Any, c: Any = 3, **more: Any) -> Any:
    return a, b, rest, c, more


def last(a: Any, details: InvocationDetails) -> Any:
    return a, details


def first(details: InvocationDetails, a: Any, b: Any = 2) -> Any:
    return details, a, b


def middle(a: Any, details: InvocationDetails, *rest: Any, **more: Any) -> Any:
    return a, details, rest, more


def after_default(a: Any = 1, details: InvocationDetails = DETAILS, *rest: Any) -> Any:
    return a, details, rest


def keyword(*args: Any, known: InvocationDetails, **kwargs: Any) -> Any:
    return args, known, kwargs


def positional_only(details: InvocationDetails, /, *args: Any, **kwargs: Any) -> Any:
    return details, args, kwargs


def optional(a: Any, d: Optional[InvocationDetails] = None) -> Any:  # noqa: UP045 - as users write
    return a, d


def union(a: Any, d: InvocationDetails | None = None) -> Any:
    return a, d


def either(a: Any, d: InvocationDetails | EventDetails) -> Any:
    return a, d


def annotated(a: Any, d: Annotated[InvocationDetails, "doc"]) -> Any:
    return a, d


def dotted(a: Any, d: wamp.InvocationDetails) -> Any:
    return a, d


def beside_unknown(a: Unknown, d: InvocationDetails) -> Any:
    return a, d


def only_for_checkers(a: Any, d: Unknown | InvocationDetails | None = None) -> Any:
    return a, d


def without_future(a: Any, d: "InvocationDetails") -> Any:  # noqa: UP037 - quoted twice over
    return a, d


class Shop:
    def method(self, a: Any, d: InvocationDetails) -> Any:
        return a, d

    def greedy(self, *args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    def greedier(self, /, *args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    def __call__(self, a: Any, d: InvocationDetails) -> Any:
        return a, d

    @staticmethod
    def static(a: Any, d: InvocationDetails) -> Any:
        return a, d

    @classmethod
    def of_class(cls, a: Any, d: InvocationDetails) -> Any:
        return a, d


@functools.wraps(last)
def wrapping(*args: Any, **kwargs: Any) -> Any:
    return last(*args, **kwargs)


def three(x: Any, a: Any, d: InvocationDetails) -> Any:
    return x, a, d


@pytest.mark.parametrize(
    "function",
    [
        last,
        optional,
        union,
        either,
        annotated,
        dotted,
        beside_unknown,
        only_for_checkers,
        without_future,
        Shop().method,
        Shop(),
        Shop.static,
        Shop.of_class,
        wrapping,
    ],
    ids=place_of,
)
def test_the_annotated_parameter_receives_the_details(function: Callable[..., Any]) -> None:
    assert run(function, "a") == ("a", DETAILS)
    assert run(function, a="a") == ("a", DETAILS)


def test_details_are_received_wherever_they_stand() -> None:
    assert run(first, "a") == (DETAILS, "a", 2)
    assert run(first, "a", b=3) == (DETAILS, "a", 3)
    assert run(middle, 1, 2, 3, x=4) == (1, DETAILS, (2, 3), {"x": 4})
    assert run(after_default) == (1, DETAILS, ())
    assert run(after_default, 5, 6) == (5, DETAILS, (6,))
    assert run(keyword, 1, x=2) == ((1,), DETAILS, {"x": 2})
    assert run(positional_only, 1, x=2) == (DETAILS, (1,), {"x": 2})
    assert run(functools.partial(three, "x"), "a") == ("x", "a", DETAILS)


def test_arguments_arrive_as_they_were_sent() -> None:
    assert run(plain, 1) == (1, 2, (), 3, {})
    assert run(plain, 1, 5, 6, c=7, d=8) == (1, 5, (6,), 7, {"d": 8})


@pytest.mark.parametrize("name", ["self", "procedure", "details", "options", "topic", "name"])
@pytest.mark.parametrize("function", [plain, positional_only])
def test_no_keyword_is_taken_from_the_handler(function: Callable[..., Any], name: str) -> None:
    assert run(function, "a", **{name: 1})[-1] == {name: 1}


def test_a_caller_can_not_put_details_in_the_place_of_ours() -> None:
    for function in (last, first, keyword):
        name = "known" if function is keyword else "details"
        with pytest.raises(InvalidArgument, match=name):
            run(function, "a", **{name: "forged"})


def test_a_keyword_of_the_caller_does_not_collide_with_details_only_by_position() -> None:
    assert run(positional_only, details=1) == (DETAILS, (), {"details": 1})


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (plain, [], {}),
        (last, [], {}),
        (last, ["a", "b"], {}),
        (last, ["a"], {"b": 1}),
        (last, ["a"], {"a": 1}),
        (first, [], {"b": 1}),
        (Shop().method, [], {}),
    ],
)
def test_arguments_that_do_not_fit_are_invalid(
    function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Binder(function, InvocationDetails).bind(args, kwargs, DETAILS)
    assert caught.value.uri == "wamp.error.invalid_argument"
    assert caught.value.args[0]


def test_only_one_parameter_can_want_details() -> None:
    def two(a: InvocationDetails, b: InvocationDetails) -> None: ...

    with pytest.raises(ConfigurationError, match="only one parameter"):
        Binder(two, InvocationDetails)


def test_a_function_without_a_signature_gets_what_was_sent() -> None:
    assert run(max, 1, 2) == 2


class Greedy:
    def __call__(self, **kwargs: Any) -> Any:
        return kwargs


@functools.wraps(functools.partial(plain, 1))
def around_a_partial(*args: Any, **kwargs: Any) -> Any:
    return plain(1, *args, **kwargs)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (Shop().greedy, "self"),
        (Greedy(), "self"),
        (functools.partial(plain, 1), "a"),
        (around_a_partial, "a"),
        (functools.wraps(Shop().greedy)(lambda *args, **kwargs: (args, kwargs)), "self"),
    ],
)
def test_a_caller_can_not_give_once_more_what_is_given(
    function: Callable[..., Any], name: str
) -> None:
    with pytest.raises(InvalidArgument, match=f"'{name}'"):
        run(function, **{name: 1})
    assert run(function, other=1) is not None


def test_what_is_given_by_position_alone_is_no_name() -> None:
    assert run(Shop().greedier, 1, self=2) == ((1,), {"self": 2})


def divided(function: Callable[..., Any]) -> Parameters | None:
    return Parameters.divided(function, classes=(Visit,))


class Visit:
    """What a framework might fill."""


def wants_visit(a: Any, visit: Visit, *rest: Any, details: InvocationDetails, **more: Any) -> Any:
    return a, visit, rest, details, more


def test_parameters_are_divided_between_a_caller_and_the_one_who_fills_them() -> None:
    assert divided(plain) is None
    assert divided(max) is None
    parameters = divided(wants_visit)
    assert parameters is not None
    assert [(each.name, each.annotation) for each in parameters.filled] == [("visit", Visit)]
    assert list(parameters.payload.parameters) == ["a", "rest", "details", "more"]
    bound = parameters.bind([1, 2], {"details": 3, "x": 4})
    args, kwargs = parameters.joined(bound, {"visit": 5})
    assert wants_visit(*args, **kwargs) == (1, 5, (2,), 3, {"x": 4})


def test_a_caller_can_not_give_what_another_fills() -> None:
    parameters = divided(wants_visit)
    assert parameters is not None
    with pytest.raises(InvalidArgument, match="'visit'"):
        parameters.bind([1], {"details": 3, "visit": 4})


def test_what_can_not_be_told_is_an_error_save_what_core_fills() -> None:
    assert divided(only_for_checkers) is None  # names InvocationDetails
    with pytest.raises(ConfigurationError, match=r"beside_unknown .*'Unknown'"):
        divided(beside_unknown)
