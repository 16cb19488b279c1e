"""Reads the documentation's pages: their code blocks and their links.

A page is a script for its reader. A block that is captioned with a file's name is that file. A
`bash` block is what is typed into a terminal (its caption says which), a block of the class
`output` what then appears there.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from repository.lot import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("packages/*/README.md")),
    ROOT / "bridge-server/README.md",
    *sorted(ROOT.glob("examples/**/*.md")),
]

_FENCE = re.compile(
    r"^```(?:\{code-block\} *)?(?P<language>[\w-]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_OPTION = re.compile(r":(?P<name>[\w-]+): *(?P<value>.*)\n")
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(?P<text>.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of code with the options of its directive."""

    language: str
    options: dict[str, str]
    text: str
    line: int

    @property
    def caption(self) -> str:
        """The file, or the terminal, that the block is for."""
        return self.options.get("caption", "").strip('"`')

    @property
    def stays(self) -> bool:
        """Whether the last command goes on running while the reader goes on reading."""
        return "stays" in self.options.get("class", "").split()

    @property
    def installs(self) -> bool:
        """Whether this is done once, before the rest; where it's done already, not at all."""
        return "install" in self.options.get("class", "").split()

    @property
    def adds(self) -> bool:
        """Whether this comes at the end of a file that is there."""
        return "end" in self.options.get("class", "").split()

    @property
    def is_output(self) -> bool:
        """Whether this is what a terminal shows, by the block before it or while it runs."""
        return "output" in self.options.get("class", "").split()

    def commands(self) -> Iterator[str]:
        """Take what is typed apart, as the shell would: a command may have several lines."""
        command = ""
        for line in self.text.splitlines():
            command = f"{command}\n{line}" if command else line
            if command and _is_complete(command):
                yield command
                command = ""


def blocks(page: Path) -> Iterator[Block]:
    """Find a page's fenced blocks, in order."""
    content = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(content):
        text, options = match["text"], {}
        while option := _OPTION.match(text):
            options[option["name"]] = option["value"].strip()
            text = text[option.end() :]
        line = content.count("\n", 0, match.start()) + 1
        yield Block(match["language"], options, text.lstrip("\n"), line)


def links(page: Path) -> Iterator[str]:
    """Find the targets of a page's links, outside its code."""
    yield from _LINK.findall(_prose(page))


def anchors(page: Path) -> set[str]:
    """Find the anchors of a page's headings, as GitHub and MyST make them."""
    headings = (re.sub(r"[`*]|\]\([^)]*\)|\[", "", text) for text in _HEADING.findall(_prose(page)))
    return {
        re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings
    }


def heading_line(page: Path, heading: str) -> int:
    """Find the line of a heading."""
    lines = page.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.lstrip("# ") == heading)


def _is_complete(command: str) -> bool:
    """Whether the shell would run it, and not wait for another line."""
    try:
        shlex.split(command)
    except ValueError:  # an open quotation, or a backslash at the end
        return False
    return not command.endswith("\\")


def _prose(page: Path) -> str:
    """A page without its code."""
    content = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return re.sub(r"`[^`\n]*`", "", content)
