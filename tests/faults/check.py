"""Does the bridge keep its promises, whatever is killed and cut? A program; its report is a table.

Run by `nox -s faults`. A seed that was printed gives the same moments again.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from typing import TYPE_CHECKING

from faults.disks import disks
from faults.killing import killing, killing_with_history
from faults.network import FAULTS, WAYS, network
from faults.processes import processes
from faults.report import Row, table
from support.router import running_router

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from support.router import CrossbarRouter

KINDS: dict[str, Callable[[CrossbarRouter, argparse.Namespace], AsyncIterator[Row]]] = {
    "killing": lambda router, told: killing(router, told.rounds, random.Random(told.seed)),
    "history": lambda _, told: killing_with_history(told.rounds, random.Random(told.seed)),
    "network": lambda router, told: network(router, told.fault, told.way, told.seconds),
    "processes": lambda router, told: processes(router, told.seconds),
    "disks": lambda router, told: disks(router, told.seconds),
}


async def run(router: CrossbarRouter, told: argparse.Namespace) -> list[Row]:
    """Run what was asked for, and say how it goes."""
    rows: list[Row] = []
    for kind in told.kinds or KINDS:
        async for row in KINDS[kind](router, told):
            rows.append(row)
            print(f"{row.fault}: {'; '.join(row.wrong) or 'held'}", flush=True)
    return rows


def main() -> int:
    """Run it; the exit status is 1 where something doesn't hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(KINDS)}; all if left out")
    parser.add_argument("--rounds", type=int, default=100, help="of kill -9")
    parser.add_argument("--seconds", type=float, default=30, help="that each fault lasts")
    parser.add_argument("--fault", nargs="+", default=list(FAULTS), help="of the network")
    parser.add_argument("--way", nargs="+", default=list(WAYS), help="of the network")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    told = parser.parse_args()
    print(f"seed {told.seed}", flush=True)
    with running_router() as router:
        rows = asyncio.run(run(router, told))
    print(table(rows))
    return int(any(row.wrong for row in rows))


if __name__ == "__main__":
    sys.exit(main())
