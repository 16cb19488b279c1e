"""Structured fields (RFC 9651), as far as signatures need them: dictionaries, members unread.

The grammar is checked strictly; what a member means is for who asks for it. All in one regular
expression whose parts never give back what they took, so that no text makes it slow.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEY = r"[a-z*][a-z0-9_.*-]*+"
_STRING = r'"(?:[ !#-\[\]-~]|\\["\\])*+"'
_NUMBER = r"-?+[0-9]{1,15}+(?:\.[0-9]{1,3}+)?+"
_TOKEN = r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*+"  # noqa: S105 - the grammar's word
_BINARY = r":[A-Za-z0-9+/]*+={0,2}+:"
_OTHER = r"\?[01]|@-?+[0-9]{1,15}+"
_ITEM = rf"(?:{_STRING}|{_NUMBER}|{_TOKEN}|{_BINARY}|{_OTHER})"
_PARAMETERS = rf"(?:; *+{_KEY}(?:={_ITEM})?+)*+"
_INNER_LIST = rf"\( *+(?:{_ITEM}{_PARAMETERS}(?: ++|(?=\))))*+\)"
_MEMBER = re.compile(rf"({_KEY})(?:=(?:({_INNER_LIST})|({_ITEM})))?+({_PARAMETERS})")
_PARAMETER = re.compile(rf"; *+({_KEY})(?:=({_ITEM}))?+")
_COMMA = re.compile(r"[ \t]*+,[ \t]*+")
_ESCAPED = re.compile(r'\\(["\\])')


class NotStructured(ValueError):  # noqa: N818 - named for what the field is
    """A field that is no dictionary."""


class Member(NamedTuple):
    """A member of a dictionary, in its written forms; an absent part is empty."""

    inner_list: str
    item: str
    parameters: str


def dictionary(lines: Sequence[str]) -> dict[str, Member]:
    """The members of a field that may stand in several lines (RFC 9651, section 4.2.2).

    Stricter than the standard in one point: a key that comes twice is refused, for a signature
    must not depend on who reads which of the two.

    Raises:
        NotStructured: It is no dictionary.
    """
    text = field_value(lines)
    members: dict[str, Member] = {}
    position = 0
    while position < len(text):
        found = _MEMBER.match(text, position)
        if found is None or found[1] in members:
            raise NotStructured
        members[found[1]] = Member(found[2] or "", found[3] or "", found[4])
        position = found.end()
        if position < len(text):
            comma = _COMMA.match(text, position)
            if comma is None or comma.end() == len(text):
                raise NotStructured
            position = comma.end()
    return members


def parameters(written: str) -> list[tuple[str, str]]:
    """The parameters of a member, in their order: names and written forms."""
    return _PARAMETER.findall(written)


def field_value(lines: Sequence[str]) -> str:
    """The value of a field that may stand in several lines (RFC 9421, section 2.1)."""
    return ", ".join(line.strip(" \t") for line in lines)


def string(written: str) -> str | None:
    """The text that a string stands for, None where it is no string."""
    if not written.startswith('"'):
        return None
    text = written[1:-1]
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text
