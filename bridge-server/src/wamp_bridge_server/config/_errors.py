"""What is wrong in a configuration, said so that it can be mended without looking further."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    `where` is the file with the line, as far as known, or the environment variable. `key` is the
    path of the key (`apps.shop.tokens`), empty where the whole file is meant. `message` says what
    is wrong and what to do, and never holds a secret or a token.
    """

    where: str
    key: str
    message: str

    def __str__(self) -> str:
        """`FILE:LINE: KEY: what is wrong and what to do`, on one line."""
        return ": ".join(part for part in (self.where, self.key, self.message) if part)


class ConfigError(Exception):
    """A configuration that can't be used: everything that is wrong in it, the first one first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems: tuple[Problem, ...] = tuple(problems)
