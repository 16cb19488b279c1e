"""What goes wrong in the store, said for the person who runs the bridge."""

from __future__ import annotations

# https://www.sqlite.org/rescode.html; the extended codes begin with the primary one's name.
_REASONS = (
    ("SQLITE_BUSY", "another process keeps it locked"),
    ("SQLITE_LOCKED", "another connection keeps it locked"),
    ("SQLITE_FULL", "there is no room left on its disk"),
    ("SQLITE_NOTADB", "the file is no SQLite database"),
    ("SQLITE_CORRUPT", "the file is damaged; restore it from a backup"),
    ("SQLITE_READONLY", "the file or its folder can't be written"),
    ("SQLITE_CANTOPEN", "the file can't be opened; does its folder exist, and may it be written?"),
    ("SQLITE_IOERR", "its disk can't be read or written"),
)


class StoreError(Exception):
    """The store can't do what it was asked. Says why, for a person; nothing of it was done."""


def explain(error: BaseException | None) -> str:
    """Why the database refused: in words where the reason is known, else in its own.

    Args:
        error: SQLite's own, as SQLAlchemy's `DBAPIError.orig`.
    """
    name = getattr(error, "sqlite_errorname", None) or ""
    for prefix, reason in _REASONS:
        if name.startswith(prefix):
            return reason
    return str(error)
