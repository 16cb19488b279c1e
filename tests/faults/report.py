"""What came of it, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faults.ledger import Reckoning

HEAD = (
    "fault",
    "published",
    "committed",
    "uncommitted",
    "202",
    "arrived",
    "repeated",
    "rewound",
    "back after",
    "what doesn't hold",
)


@dataclass(frozen=True)
class Row:
    """One fault, or many rounds of one kind."""

    fault: str
    reckoning: Reckoning
    back: float | None = None
    """Seconds until all worked again."""
    complaints: tuple[str, ...] = ()
    """What else doesn't hold."""

    @property
    def wrong(self) -> list[str]:
        """What doesn't hold."""
        counted = [f"{name} {many}" for name, many in self.reckoning.faults.items()]
        return [*counted, *self.complaints]

    def cells(self) -> list[str]:
        """Its cells, under `HEAD`."""
        found = self.reckoning
        counts = (
            found.published,
            found.committed,
            found.uncommitted,
            found.accepted,
            found.arrived,
            found.repeated,
            found.rewound,
        )
        return [
            self.fault,
            *map(str, counts),
            "-" if self.back is None else f"{self.back:.1f} s",
            "; ".join(self.wrong) or "nothing",
        ]


def table(rows: Sequence[Row]) -> str:
    """The rows, in columns."""
    lines = [list(HEAD), *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
