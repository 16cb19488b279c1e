"""Lists in pages: `limit` and `cursor` (protocol, section 1)."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, TypeVar

from wamp_bridge_server.errors import Unprocessable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000

_MARK = b"after:"

T = TypeVar("T")


def page(
    query: Mapping[str, str], entries: Iterable[T], identifier: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """One page of entries that are sorted by their identifiers, and the cursor of the next.

    A cursor names the last entry that was seen, so that entries that come or go meanwhile shift
    nothing.

    Raises:
        Unprocessable: `limit` or `cursor` is none.
    """
    limit, after = _limit(query.get("limit")), _after(query.get("cursor"))
    rest = [entry for entry in entries if identifier(entry) > after]
    if len(rest) <= limit:
        return rest, None
    return rest[:limit], _cursor(identifier(rest[limit - 1]))


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MAX_LIMIT):
        raise Unprocessable(f'"limit" must be a whole number from 1 to {MAX_LIMIT}.')
    return int(text)


def _cursor(identifier: str) -> str:
    return urlsafe_b64encode(_MARK + identifier.encode()).decode("ascii").rstrip("=")


def _after(cursor: str | None) -> str:
    if cursor is None:
        return ""
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        if text.startswith(_MARK) and _cursor(after := text[len(_MARK) :].decode()) == cursor:
            return after
    except ValueError:
        pass
    raise Unprocessable('"cursor" must be one that an answer of this list gave.')
