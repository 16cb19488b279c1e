"""On which line of a TOML file each of its keys stands; `tomllib` doesn't say."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str, ...]


def lines_of_keys(text: str) -> dict[Path, int]:
    """The line, counted from 1, on which each key of a valid file is first named.

    A file is a row of statements, each a table's header or a key with its value, that may go over
    several lines. Each one is valid TOML by itself, so the shortest that parses is the statement.
    """
    lines: dict[Path, int] = {}
    table: Path = ()
    for number, statement, parsed in _statements(text):
        if statement.lstrip().startswith("["):
            table = next(path for path in reversed(list(_paths(parsed))))
            found: Iterator[Path] = iter([table[:end] for end in range(1, len(table) + 1)])
        else:
            found = ((*table, *path) for path in _paths(parsed))
        for path in found:
            lines.setdefault(path, number)
    return lines


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    statement, first = "", 1
    for number, line in enumerate(text.split("\n"), start=1):
        statement += line + "\n"
        try:
            parsed = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        if parsed:
            yield first, statement, parsed
        statement, first = "", number + 1


def _paths(value: object, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, (*path, key))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from _paths(value[0], path)  # [[a.b]]
