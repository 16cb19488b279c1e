"""Does the bridge keep its promises, whatever is killed and cut? A program; its report is a table.

Run by `nox -s faults`. A seed that was printed gives the same moments again.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from typing import TYPE_CHECKING

from faults.killing import kill_often
from faults.network import FAULTS, WAYS, network
from faults.processes import processes
from faults.report import Row, table
from faults.scene import set_up
from support.router import running_router

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.router import CrossbarRouter


async def killings(router: CrossbarRouter, options: argparse.Namespace) -> AsyncIterator[Row]:
    """All rounds of kill -9."""
    async with set_up(router) as scene:
        yield await kill_often(scene, options.rounds, random.Random(options.seed))


async def networks(router: CrossbarRouter, options: argparse.Namespace) -> AsyncIterator[Row]:
    """Each fault of a proxy, between every two parts."""
    async for row in network(router, options.fault or FAULTS, options.way or WAYS, options.seconds):
        yield row


async def stopping(router: CrossbarRouter, options: argparse.Namespace) -> AsyncIterator[Row]:
    """Each process stopped, the router and the app killed too."""
    async for row in processes(router, options.seconds):
        yield row


KINDS = {"killing": killings, "network": networks, "processes": stopping}


async def run(router: CrossbarRouter, options: argparse.Namespace) -> list[Row]:
    """Run what was asked for, and say how it goes."""
    rows: list[Row] = []
    for kind in options.kinds or KINDS:
        async for row in KINDS[kind](router, options):
            print(table([row]), flush=True)
            rows.append(row)
    return rows


def main() -> int:
    """Run it; the exit status is 1 where something doesn't hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(KINDS)}; all if left out")
    parser.add_argument("--rounds", type=int, default=100, help="of kill -9")
    parser.add_argument("--seconds", type=float, default=30, help="that each fault lasts")
    parser.add_argument("--fault", action="append", choices=FAULTS, help="this one alone")
    parser.add_argument("--way", action="append", choices=WAYS, help="on this one alone")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with running_router() as router:
        rows = asyncio.run(run(router, options))
    print(table(rows))
    return int(any(row.wrong for row in rows))


if __name__ == "__main__":
    sys.exit(main())
