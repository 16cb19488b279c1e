"""An adapter stays small: what a second one would need is core's."""

from __future__ import annotations

import ast
import io
import tokenize
from typing import TYPE_CHECKING, Final

import pytest

from repository.lot import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_LINES: Final = 150

# What is about settings and commands is as long as there are settings and commands. Django's users
# in WAMP are built upon the adapter.
NOT_COUNTED: Final = {"_settings.py", "_checks.py", "_commands.py", "management", "auth"}

ADAPTERS: Final = sorted(ROOT.glob("packages/*/src/wamp_bridge/adapters/*"))
NO_CODE: Final = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}


def code_lines(source: str) -> int:
    """How many lines of a module hold code: not blank, no comment, no docstring, no `__all__`."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for text in texts(ast.parse(source)):
        lines.difference_update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return len(lines)


def texts(tree: ast.AST) -> Iterator[ast.stmt]:
    """Find what does nothing: docstrings, texts behind an attribute, the list of exports."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                yield node
            case ast.Assign(targets=[ast.Name(id="__all__")]):
                yield node


def counted(adapter: Path) -> dict[str, int]:
    return {
        path.relative_to(adapter).as_posix(): code_lines(path.read_text(encoding="utf-8"))
        for path in sorted(adapter.rglob("*.py"))
        if NOT_COUNTED.isdisjoint(path.relative_to(adapter).parts)
    }


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda path: path.name)
def test_an_adapter_is_short(adapter: Path) -> None:
    lines = counted(adapter)
    assert lines["_adapter.py"]
    assert sum(lines.values()) <= MAX_LINES, lines


def test_what_is_code_is_counted() -> None:
    source = '''"""A module.

    With a docstring.
    """

    # A comment.
    NAMES = [
        "a",  # and another

    ]
    """What they are."""


    def function() -> str:
        """Do it."""
        return """
        not a docstring
        """
    '''
    assert code_lines(source.replace("\n    ", "\n")) == 7
