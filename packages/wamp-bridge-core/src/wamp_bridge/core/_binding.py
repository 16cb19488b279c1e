"""How the arguments of a handler come together: the caller's, and those that others fill."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from wamp_bridge.core._annotations import annotation_of, parameter_of_class
from wamp_bridge.core._callables import layers, place_of, signature_of
from wamp_bridge.core._errors import ConfigurationError, InvalidArgument
from wamp_bridge.core._messages import EventDetails, InvocationDetails, Outcome, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

# What core finds by its name alone, also where it is imported for type checkers alone.
_BY_NAME = (InvocationDetails, EventDetails, Outcome, Progress)


class Parameters:
    """A function's parameters, of which others than its caller fill some.

    Args:
        function: Any that has a signature.
        filled: Those of its parameters that are filled.

    Attributes:
        filled: The same.
        payload: The signature that is left for the caller.
    """

    __slots__ = ("_closed", "_whole", "filled", "payload")

    def __init__(
        self, function: Callable[..., Any], filled: Sequence[inspect.Parameter] = ()
    ) -> None:
        self._whole = inspect.signature(function)
        self.filled = tuple(filled)
        names = {parameter.name for parameter in filled}
        left = [each for each in self._whole.parameters.values() if each.name not in names]
        self.payload = self._whole.replace(parameters=left)
        by_name = {each.name for each in filled if each.kind is not each.POSITIONAL_ONLY}
        self._closed = (by_name | set(_given(function))).difference(self.payload.parameters)

    @classmethod
    def divided(
        cls,
        function: Callable[..., Any],
        *,
        classes: tuple[type, ...] = (),
        marks: tuple[type, ...] = (),
        foreign: tuple[type, ...] = (),
    ) -> Parameters | None:
        """Find the parameters that a framework fills; None where there are none.

        Args:
            function: A handler.
            classes: What such a parameter is annotated with;
            marks: or of what kind its default is, or a mark in its `Annotated`.
            foreign: The kinds of marks for parts of an HTTP request, which no caller by WAMP makes.

        Raises:
            ConfigurationError: That can't be told, for an annotation can't be evaluated; or a
                parameter has a foreign mark.
        """
        signature = signature_of(function)
        if signature is None:
            return None
        evaluated = [_evaluated(function, each) for each in signature.parameters.values()]
        filled = []
        for parameter in evaluated:
            given = (parameter.default, *getattr(parameter.annotation, "__metadata__", ()))
            for mark in given:
                if isinstance(mark, foreign):
                    raise _foreign(function, parameter, mark)
            is_marked = any(isinstance(mark, marks) for mark in given)
            if is_marked or parameter.annotation in classes:
                filled.append(parameter)
        return cls(function, filled) if filled else None

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
        """Fit the caller's arguments to what is left for it.

        Raises:
            InvalidArgument: They don't fit; says what is wrong with them.
        """
        try:
            bound = self.payload.bind(*args, **kwargs)
        except TypeError as error:
            raise InvalidArgument(str(error)) from None
        closed = self._closed.intersection(kwargs)
        if closed:  # another's word, which no caller may put in its place
            raise InvalidArgument(f"got an unexpected keyword argument '{min(closed)}'")
        return bound

    def joined(
        self, bound: inspect.BoundArguments, values: Mapping[str, Any]
    ) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """All arguments to call the function with: the caller's, and what fills the rest."""
        if all(parameter.kind is parameter.KEYWORD_ONLY for parameter in self.filled):
            return bound.args, {**bound.kwargs, **values}
        bound.apply_defaults()  # so that nothing before ours is left out
        given = {**bound.arguments, **values}
        # in the order of the signature, as BoundArguments reads them
        ordered: Any = {name: given[name] for name in self._whole.parameters}
        whole = inspect.BoundArguments(self._whole, ordered)
        return whole.args, whole.kwargs


class Binder:
    """Fits WAMP's arguments to a handler's parameters, and what else they want to them.

    Args:
        function: The handler.
        details_class: A parameter annotated with this class receives the details.
        request_class: One annotated with this class receives the framework's request.

    Raises:
        ConfigurationError: Two parameters want the same.
    """

    __slots__ = ("_details", "_parameters", "_place", "_request")

    def __init__(
        self,
        function: Callable[..., Any],
        details_class: type | None,
        request_class: type | None = None,
    ) -> None:
        self._place = place_of(function)
        self._details = self._request = None
        self._parameters: Parameters | None = None
        signature = signature_of(function)
        if signature is not None:
            if details_class is not None:
                self._details = parameter_of_class(function, signature, details_class)
            if request_class is not None:
                self._request = parameter_of_class(function, signature, request_class)
            ours = [each for each in (self._details, self._request) if each is not None]
            self._parameters = Parameters(function, ours)

    @property
    def wants_details(self) -> bool:
        """Whether a parameter receives the details."""
        return self._details is not None

    @property
    def wants_request(self) -> bool:
        """Whether a parameter receives the framework's request."""
        return self._request is not None

    def bind(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], details: Any, request: Any = None
    ) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """The positional and keyword arguments to call the function with.

        Raises:
            InvalidArgument: The function doesn't take these; says what is wrong with them.
            ConfigurationError: It wants a request of its framework, and there is none.
        """
        if self._parameters is None:
            return args, kwargs
        bound = self._parameters.bind(args, kwargs)
        if not self._parameters.filled:
            return args, kwargs
        values = {}
        if self._details is not None:
            values[self._details.name] = details
        if self._request is not None:
            if request is None:
                raise ConfigurationError(f"{self._place} wants a request, and is called without")
            values[self._request.name] = request
        return self._parameters.joined(bound, values)


def _foreign(
    function: Callable[..., Any], parameter: inspect.Parameter, mark: object
) -> ConfigurationError:
    return ConfigurationError(
        f"{place_of(function)}: {parameter.name!r} is marked {type(mark).__name__}(), a part of an "
        "HTTP request, and a handler is called by WAMP: leave the mark out for the caller to give "
        "the argument, with a plain default if it needn't"
    )


def _given(function: Callable[..., Any]) -> Iterator[str]:
    """The parameters that a method's object or a partial has given already.

    A function that takes any keyword would be given these twice.
    """
    for layer, before in layers(function):
        signature = signature_of(layer) if before else None
        if signature is not None:
            for parameter, _ in zip(signature.parameters.values(), before, strict=False):
                if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
                    yield parameter.name


def _evaluated(function: Callable[..., Any], parameter: inspect.Parameter) -> inspect.Parameter:
    annotation = annotation_of(function, parameter)
    if annotation is None and isinstance(parameter.annotation, str):
        if not any(each.__name__ in parameter.annotation for each in _BY_NAME):
            # What isn't seen to be filled would be an argument, and a caller could give it.
            raise ConfigurationError(
                f"{place_of(function)}: {parameter.name!r} is annotated with "
                f"{parameter.annotation!r}, which can't be found when the app runs, so that "
                "nobody can tell whether it is a dependency; define or import it at the "
                "module's level, not under TYPE_CHECKING"
            )
        return parameter
    return parameter.replace(annotation=annotation)
