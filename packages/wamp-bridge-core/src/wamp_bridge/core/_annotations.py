"""What the parameters of a handler are annotated with, also where that is written as a text."""

from __future__ import annotations

import re
import types
import typing
from typing import TYPE_CHECKING, Annotated, Any, Union

from wamp_bridge.core._callables import place_of, plain_of
from wamp_bridge.core._errors import ConfigurationError

if TYPE_CHECKING:
    import inspect


def annotation_of(function: Any, parameter: inspect.Parameter) -> Any:
    """What a function's parameter is annotated with, evaluated where it is written as a text.

    None where its names can't be found, as those that are imported for type checkers alone.
    """
    annotation = parameter.annotation
    return _evaluated(annotation, _names(function)) if isinstance(annotation, str) else annotation


def parameter_of_class(
    function: Any, signature: inspect.Signature, wanted: type
) -> inspect.Parameter | None:
    """The parameter that is annotated with a class, if there is one.

    Raises:
        ConfigurationError: There are several.
    """
    names = _names(function)
    found = [
        parameter
        for parameter in signature.parameters.values()
        if parameter.annotation is not parameter.empty
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


def _names(function: Any) -> dict[str, Any]:
    names: dict[str, Any] = getattr(plain_of(function), "__globals__", {})
    return names


def _evaluated(text: str, names: dict[str, Any]) -> Any:
    def probe() -> None:
        """Carry one annotation to get_type_hints, so that another that fails spoils nothing."""

    probe.__annotations__ = {"parameter": text}
    try:
        return typing.get_type_hints(probe, names, include_extras=True)["parameter"]
    except (NameError, AttributeError, TypeError, SyntaxError):
        return None
