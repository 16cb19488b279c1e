"""Lists in pages: `limit` and `cursor` (protocol, section 1)."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from wamp_bridge_server.errors import Unprocessable
from wamp_bridge_server.http.routes import Parameter, described

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000

_LIMIT_DIGITS = 4
_NUMBER_DIGITS = 18  # fewer than 64 bits have room for

_MARK = b"after:"

T = TypeVar("T")

PAGE = (
    Parameter(
        "limit",
        described(int, "A number of entries.", minimum=1, maximum=MAX_LIMIT, default=DEFAULT_LIMIT),
        "How many entries are answered at most.",
        10,
    ),
    Parameter("cursor", str, "The cursor of the page before.", "YWZ0ZXI6cmVnXzAx"),
)


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page is asked for: how many entries, and those behind which.

    A cursor names the last entry that was seen, so that entries that come or go meanwhile shift
    nothing.
    """

    limit: int
    after: str

    @classmethod
    def asked(cls, query: Mapping[str, str]) -> Paging:
        """What a query asks for.

        Raises:
            Unprocessable: `limit` or `cursor` is none.
        """
        return cls(_limit(query.get("limit")), _after(query.get("cursor")))

    @property
    def after_number(self) -> int:
        """`after`, of entries that are sorted by numbers; 0 for none.

        Raises:
            Unprocessable: It is no number, and so from another list.
        """
        if not self.after:
            return 0
        if not _is_number(self.after, _NUMBER_DIGITS):
            raise _bad_cursor()
        return int(self.after)

    def cut(self, rest: Sequence[T], identifier: Callable[[T], str]) -> tuple[list[T], str | None]:
        """The page of the entries behind `after`, and the cursor of the next.

        Args:
            rest: All of them, or one more than the limit at least.
            identifier: What an entry is sorted by.
        """
        if len(rest) <= self.limit:
            return [*rest], None
        return [*rest[: self.limit]], cursor_behind(identifier(rest[self.limit - 1]))


def page(
    query: Mapping[str, str], entries: Iterable[T], identifier: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """One page of entries that are sorted by their identifiers, and the cursor of the next.

    Raises:
        Unprocessable: `limit` or `cursor` is none.
    """
    paging = Paging.asked(query)
    rest = [entry for entry in entries if identifier(entry) > paging.after]
    return paging.cut(rest, identifier)


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not (_is_number(text, _LIMIT_DIGITS) and 1 <= int(text) <= MAX_LIMIT):
        raise Unprocessable(f'"limit" must be a whole number from 1 to {MAX_LIMIT}.')
    return int(text)


def _is_number(text: str, digits: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= digits


def cursor_behind(identifier: str) -> str:
    """The cursor of what follows the entry with this identifier."""
    return urlsafe_b64encode(_MARK + identifier.encode()).decode("ascii").rstrip("=")


def _after(cursor: str | None) -> str:
    if cursor is None:
        return ""
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        if text.startswith(_MARK) and cursor_behind(after := text[len(_MARK) :].decode()) == cursor:
            return after
    except ValueError:
        pass
    raise _bad_cursor()


def _bad_cursor() -> Unprocessable:
    return Unprocessable('"cursor" must be one that an answer of this list gave.')
