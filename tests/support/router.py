"""Real routers for tests."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from wamp_bridge_server.devrouter import CrossbarRouter

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CrossbarRouter", "running_router"]


@contextmanager
def running_router(**options: Any) -> Iterator[CrossbarRouter]:
    """Start a Crossbar of one's own, to stop, suspend or restart as one likes."""
    router = CrossbarRouter(progress=_tell, **options)
    router.start()
    try:
        yield router
    finally:
        router.stop()


def _tell(message: str) -> None:
    # Past pytest's capture: making the environment takes a minute on first use.
    if sys.__stderr__ is not None:
        sys.__stderr__.write(f"\n{message}\n")
        sys.__stderr__.flush()
