"""What a handler is as a function of Python: asynchronous or not, its arguments, its details."""

from __future__ import annotations

import functools
import inspect
import re
import types
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Union

from wamp_bridge.core._errors import ConfigurationError, InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    Provided = Mapping[type, Callable[[], Any]]


def is_async_callable(function: Any) -> bool:
    """Whether calling it gives a coroutine; sees through partials and `__call__`."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.iscoroutinefunction(function):
        return True
    call = None if inspect.isclass(function) else getattr(function, "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(call)


def within(
    function: Callable[..., Any], context: Callable[[], AbstractContextManager[Any]]
) -> Callable[..., Any]:
    """The function, asynchronous or not as before, run in a new context each time."""
    if is_async_callable(function):

        @functools.wraps(function)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            with context():
                return await function(*args, **kwargs)

        return run_async

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with context():
            return function(*args, **kwargs)

    return run


def place_of(function: Any) -> str:
    """Where a function is written, for a person: `shop.views.buy (shop/views.py:12)`."""
    plain = _unwrapped(function)
    name = f"{getattr(plain, '__module__', '?')}.{getattr(plain, '__qualname__', repr(plain))}"
    code = getattr(plain, "__code__", None)
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code is not None else name


# What a module is called while it is run, and in the processes that multiprocessing spawns.
_SCRIPTS: Final = frozenset({"__main__", "__mp_main__"})


class Binder:
    """Fits WAMP's arguments to a function's parameters, and what else they want to them.

    Args:
        function: The handler.
        details_class: A parameter annotated with this class receives the details.
        provided: What brings the value for a parameter annotated with one of these classes.

    Raises:
        ConfigurationError: Two parameters want the same.
    """

    __slots__ = ("_details", "_payload", "_provided", "_signature")

    def __init__(
        self,
        function: Callable[..., Any],
        details_class: type | None,
        provided: Provided | None = None,
    ) -> None:
        self._signature = _signature_of(function)
        self._details: inspect.Parameter | None = None
        self._provided: list[tuple[inspect.Parameter, Callable[[], Any]]] = []
        self._payload = self._signature
        if self._signature is None:
            return
        if details_class is not None:
            self._details = _parameter_of_class(function, self._signature, details_class)
        for wanted, provide in (provided or {}).items():
            parameter = _parameter_of_class(function, self._signature, wanted)
            if parameter is not None:
                self._provided.append((parameter, provide))
        ours = [self._details, *(parameter for parameter, _ in self._provided)]
        left = [each for each in self._signature.parameters.values() if each not in ours]
        self._payload = self._signature.replace(parameters=left)

    @property
    def wants_details(self) -> bool:
        """Whether a parameter receives the details."""
        return self._details is not None

    @property
    def wants_provided(self) -> bool:
        """Whether a parameter receives something that the app's framework provides."""
        return bool(self._provided)

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
        ours = [(parameter, provide()) for parameter, provide in self._provided]
        if self._details is not None:
            ours.append((self._details, details))
        if not ours:
            return args, kwargs
        for parameter, _ in ours:
            if parameter.name in kwargs and parameter.kind is not parameter.POSITIONAL_ONLY:
                # the bridge's own word, which no caller may put in its place
                raise InvalidArgument(f"got an unexpected keyword argument '{parameter.name}'")
        values = {parameter.name: value for parameter, value in ours}
        if all(parameter.kind is parameter.KEYWORD_ONLY for parameter, _ in ours):
            return bound.args, {**bound.kwargs, **values}
        bound.apply_defaults()  # so that nothing before ours is left out
        values = {**bound.arguments, **values}
        whole = inspect.BoundArguments(
            self._signature,
            # in the order of the signature, as BoundArguments reads them
            {name: values[name] for name in self._signature.parameters},
        )
        return whole.args, whole.kwargs


def is_of_one_script(first: Any, second: Any) -> bool:
    """Whether two functions are one that was loaded twice: as a script, and by the module's name.

    So it happens where a script tells a server to load it, as `uvicorn.run("main:app")` does.
    """
    functions = [_unwrapped(function) for function in (first, second)]
    modules = {getattr(function, "__module__", None) for function in functions}
    codes = [getattr(function, "__code__", None) for function in functions]
    if len(modules) == 1 or modules.isdisjoint(_SCRIPTS) or None in codes:
        return False
    one, other = (
        (Path(code.co_filename).resolve(), code.co_firstlineno, code.co_qualname)
        for code in codes
        if code is not None
    )
    return one == other


def annotation_of(function: Any, parameter: inspect.Parameter) -> Any:
    """What a function's parameter is annotated with, evaluated where it is written as a text.

    None where its names can't be found, as those that are imported for type checkers alone.
    """
    annotation = parameter.annotation
    if not isinstance(annotation, str):
        return annotation
    return _evaluated(annotation, getattr(_unwrapped(function), "__globals__", {}))


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


def _parameter_of_class(
    function: Any, signature: inspect.Signature, wanted: type
) -> inspect.Parameter | None:
    names = getattr(_unwrapped(function), "__globals__", {})
    found = [
        parameter
        for parameter in signature.parameters.values()
        if parameter.annotation is not inspect.Parameter.empty
        and _means(parameter.annotation, wanted, names)
    ]
    if len(found) > 1:
        raise ConfigurationError(
            f"{place_of(function)}: only one parameter can be annotated {wanted.__name__}"
        )
    return found[0] if found else None


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
