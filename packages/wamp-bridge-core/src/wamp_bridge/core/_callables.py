"""What a handler is as a function of Python: asynchronous or not, its arguments, its details."""

from __future__ import annotations

import functools
import inspect
import re
import types
import typing
from typing import TYPE_CHECKING, Annotated, Any, Union

from wamp_bridge.core._errors import ConfigurationError, InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def is_async_callable(function: Any) -> bool:
    """Whether calling it gives a coroutine; sees through partials and `__call__`."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.iscoroutinefunction(function):
        return True
    call = None if inspect.isclass(function) else getattr(function, "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(call)


def place_of(function: Any) -> str:
    """Where a function is written, for a person: `shop.views.buy (shop/views.py:12)`."""
    plain = _unwrapped(function)
    name = f"{getattr(plain, '__module__', '?')}.{getattr(plain, '__qualname__', repr(plain))}"
    code = getattr(plain, "__code__", None)
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code is not None else name


class Binder:
    """Fits WAMP's arguments to a function's parameters, and the details where they are wanted.

    Args:
        function: The handler.
        details_class: A parameter annotated with this class receives the details.

    Raises:
        ConfigurationError: Two parameters want the details.
    """

    __slots__ = ("_details", "_name", "_payload", "_signature")

    def __init__(self, function: Callable[..., Any], details_class: type) -> None:
        self._signature = _signature_of(function)
        self._name = place_of(function)
        self._details: inspect.Parameter | None = None
        self._payload = self._signature
        if self._signature is None:
            return
        wanting = _parameters_of_class(function, self._signature, details_class)
        if len(wanting) > 1:
            raise ConfigurationError(
                f"{self._name}: only one parameter can be annotated {details_class.__name__}"
            )
        if wanting:
            self._details = wanting[0]
            self._payload = self._signature.replace(
                parameters=[
                    parameter
                    for parameter in self._signature.parameters.values()
                    if parameter is not self._details
                ]
            )

    @property
    def wants_details(self) -> bool:
        """Whether a parameter receives the details."""
        return self._details is not None

    def bind(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], details: Any
    ) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """The positional and keyword arguments to call the function with.

        Raises:
            InvalidArgument: The function doesn't take these; says what is wrong with them.
        """
        if self._payload is None or self._signature is None:
            return args, kwargs
        try:
            bound = self._payload.bind(*args, **kwargs)
        except TypeError as error:
            raise InvalidArgument(str(error)) from None
        wanted = self._details
        if wanted is None:
            return args, kwargs
        if wanted.name in kwargs and wanted.kind is not inspect.Parameter.POSITIONAL_ONLY:
            # the bridge's own word, which no caller may put in its place
            raise InvalidArgument(f"got an unexpected keyword argument '{wanted.name}'")
        return self._with_details(bound, wanted, details)

    def _with_details(
        self, bound: inspect.BoundArguments, wanted: inspect.Parameter, details: Any
    ) -> tuple[Sequence[Any], Mapping[str, Any]]:
        if wanted.kind is inspect.Parameter.KEYWORD_ONLY:
            return bound.args, {**bound.kwargs, wanted.name: details}
        bound.apply_defaults()  # so that nothing before the details is left out
        assert self._signature is not None  # noqa: S101 - bind has seen it
        values = {**bound.arguments, wanted.name: details}
        whole = inspect.BoundArguments(
            self._signature,
            # in the order of the signature, as BoundArguments reads them
            {name: values[name] for name in self._signature.parameters},
        )
        return whole.args, whole.kwargs


def _unwrapped(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    if isinstance(function, types.MethodType):
        function = function.__func__
    if not hasattr(function, "__code__") and not inspect.isclass(function):
        call = getattr(type(function), "__call__", None)  # noqa: B004 - the method itself
        return call if hasattr(call, "__code__") else function
    return function


def _signature_of(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # some of those written in C have none
        return None


def _parameters_of_class(
    function: Any, signature: inspect.Signature, wanted: type
) -> list[inspect.Parameter]:
    names = getattr(_unwrapped(function), "__globals__", {})
    return [
        parameter
        for parameter in signature.parameters.values()
        if parameter.annotation is not inspect.Parameter.empty
        and _means(parameter.annotation, wanted, names)
    ]


def _means(annotation: Any, wanted: type, names: dict[str, Any]) -> bool:
    """Whether an annotation is the class, also in a union or an `Annotated`, also as a text."""
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        text = annotation
        annotation = _evaluated(annotation, names)
        if annotation is None:
            # what is imported for type checkers alone can only be told by its name
            return re.search(rf"\b{wanted.__name__}\b", text) is not None
    if annotation is wanted:
        return True
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return _means(typing.get_args(annotation)[0], wanted, names)
    if origin is Union or origin is types.UnionType:
        return any(_means(member, wanted, names) for member in typing.get_args(annotation))
    return False


def _evaluated(text: str, names: dict[str, Any]) -> Any:
    def probe() -> None:
        """Carry one annotation to get_type_hints, so that another that fails spoils nothing."""

    probe.__annotations__ = {"parameter": text}
    try:
        return typing.get_type_hints(probe, names, include_extras=True)["parameter"]
    except (NameError, AttributeError, TypeError, SyntaxError):
        return None
