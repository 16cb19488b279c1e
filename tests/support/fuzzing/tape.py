"""Choices made by octets, so that whoever makes the octets (hypothesis, atheris) makes them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


class Tape:
    """Choices, read off octets. Where these are used up, each choice is the first, the plainest."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def octets(self, most: int) -> bytes:
        """Up to so many octets."""
        start, self._at = self._at, self._at + most
        return self._octets[start : self._at]

    def below(self, limit: int) -> int:
        """A number from 0."""
        size = (max(limit - 1, 1).bit_length() + 7) // 8
        return int.from_bytes(self.octets(size), "big") % limit

    def chance(self, of: int) -> bool:
        """Whether something happens that happens once in so many times."""
        return self.below(of) == 1

    def pick(self, choices: Sequence[T]) -> T:
        """One of several."""
        return choices[self.below(len(choices))]

    def text(self, most: int) -> str:
        """Any text, mostly of letters, with up to so many characters."""
        return "".join(
            chr(code) if code < 0x80 else self.pick(_ODD_LETTERS) for code in self.octets(most)
        )

    def changed(self, octets: bytes, pieces: Sequence[bytes]) -> bytes:
        """Octets with a few changes: something put in, taken away or doubled."""
        for _ in range(1 + self.below(3)):
            at = self.below(len(octets) + 1)
            upto = at + self.below(8)
            put = (b"", self.octets(4), self.pick(pieces), octets[at:upto] * 2)
            octets = octets[:at] + self.pick(put) + octets[upto:]
        return octets


_ODD_LETTERS = ("é", "☃", "\U0001f600", "\u0130", "\u00a0", "\u2028", "\ufeff", "①", "。", "\uffff")
