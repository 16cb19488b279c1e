"""What the arguments of a client's methods must be; who gives another is told which one it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def text(argument: str, value: object) -> str:
    """A text.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be a text, not {_kind(value)}")
    return value


def mapping(argument: str, value: Any) -> dict[Any, Any]:
    """A mapping, as a dict.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{argument} must be a mapping, not {_kind(value)}")
    return dict(value)


def names(argument: str, value: Any) -> list[str]:
    """Several names.

    Raises:
        TypeError: It is one text, or no list of them.
    """
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise TypeError(
            f"{argument} must be a list of names, not {_kind(value)}; put a single one into a list"
        )
    return [text(f"{argument}[{index}]", name) for index, name in enumerate(value)]


def endpoints(argument: str, value: Any) -> dict[str, str | dict[str, Any]]:
    """Names, each with its URL, or with a mapping that has one.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(value, Mapping):
        raise TypeError(
            f"{argument} must be a mapping of names to what serves them, not {_kind(value)}"
        )
    return {
        text(f"a name in {argument}", name): dict(served)
        if isinstance(served, Mapping)
        else text(f"{argument}[{name!r}]", served)
        for name, served in value.items()
    }


def seconds(argument: str, value: object) -> float:
    """A number.

    Raises:
        TypeError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{argument} must be a number of seconds, not {_kind(value)}")
    return value


def _kind(value: object) -> str:
    return "None" if value is None else type(value).__name__
