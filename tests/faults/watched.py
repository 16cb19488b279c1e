"""The bridge, a program that also writes down at SIGUSR1 which asyncio tasks it has.

python -m faults.watched FILE ARGUMENTS...
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from functools import partial
from pathlib import Path

from wamp_bridge_server.cli import main


def _tell(file: Path, *_: object) -> None:
    # In the main thread, between two steps of the loop that runs there.
    names = sorted(_name(task) for task in asyncio.all_tasks())
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(names), encoding="utf-8")
    draft.replace(file)


def _name(task: asyncio.Task[object]) -> str:
    coroutine = task.get_coro()
    return getattr(coroutine, "__qualname__", str(coroutine))


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, partial(_tell, Path(sys.argv.pop(1))))
    main()
