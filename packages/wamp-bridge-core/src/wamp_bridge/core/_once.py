"""How a handler runs once for each delivery, though deliveries arrive at least once."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import sqlite3
import threading
import time
from collections import OrderedDict
from contextlib import aclosing, closing, contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar, cast

from wamp_bridge.core._callables import is_async_callable
from wamp_bridge.core._deliveries import current_details
from wamp_bridge.core._errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Function = TypeVar("_Function", bound="Callable[..., Any]")
_Key: TypeAlias = "Callable[[], str | None]"

KEEP_SECONDS: Final = 7 * 24 * 3600.0
BUSY_SECONDS: Final = 60.0
_MEMORY_ENTRIES: Final = 100_000


class OnceStore(Protocol):
    """Where `Once` keeps which deliveries are done; one's own database can be one."""

    def begin(self, key: str) -> bool:
        """Take a delivery up: True for the one who shall do it, False where it is done.

        Raises:
            Unavailable: Another is doing it now; the bridge will ask again.
        """

    def finish(self, key: str) -> None:
        """Keep that a delivery is done."""

    def forget(self, key: str) -> None:
        """Forget a delivery that failed, so that the next attempt does it."""


class Once:
    """Makes handlers run once for each delivery, by its `webhook-id`.

    ::

        once = Once("/var/lib/shop/deliveries.db")

        @sub()
        @once
        def order_paid(order): ...

    A repeated delivery of what has succeeded is acknowledged without calling the handler. One
    that failed is done again. One that is being done elsewhere at this moment is refused, for the
    bridge to try later; after `busy` seconds it is taken for dead and done by the next. Called
    otherwise than by a delivery, the function is just called. A generator is done
    when it has come to its end.

    Args:
        store: The path of an SQLite file that the processes of a machine share, or a store of
            one's own; left out, the memory of this process.
        keep: Seconds for which a delivery is remembered. The bridge tries for 28 hours.
        busy: Seconds after which a delivery under way is taken for dead.
    """

    def __init__(
        self,
        store: str | os.PathLike[str] | OnceStore | None = None,
        *,
        keep: float = KEEP_SECONDS,
        busy: float = BUSY_SECONDS,
    ) -> None:
        if store is None:
            self._store: OnceStore = _Memory(keep, busy)
        elif isinstance(store, str | os.PathLike):
            self._store = _File(store, keep, busy)
        else:
            self._store = store

    def __call__(self, function: _Function, /) -> _Function:
        """The function, made to run once for each delivery."""
        name = ".".join(
            str(getattr(function, part, type(function).__name__))
            for part in ("__module__", "__qualname__")
        )

        def key() -> str | None:
            delivery = current_details()
            return f"{delivery.delivery_id} {name}" if delivery and delivery.delivery_id else None

        if inspect.isasyncgenfunction(function):
            run: Any = self._stepping_async(function, key)
        elif inspect.isgeneratorfunction(function):
            run = self._stepping(function, key)
        elif is_async_callable(function):
            run = self._running_async(function, key)
        else:
            run = self._running(function, key)
        return cast("_Function", functools.wraps(function)(run))

    def _running(self, function: Any, key: _Key) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            mine = key()
            if mine is not None and not self._store.begin(mine):
                return None
            with self._concluding(mine):
                return function(*args, **kwargs)

        return run

    def _running_async(self, function: Any, key: _Key) -> Any:
        async def run(*args: Any, **kwargs: Any) -> Any:
            mine = key()
            if mine is not None and not await self._begun(mine):
                return None
            with self._concluding(mine):
                return await function(*args, **kwargs)

        return run

    def _stepping(self, function: Any, key: _Key) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            mine = key()
            if mine is not None and not self._store.begin(mine):
                return None
            with self._concluding(mine):
                return (yield from function(*args, **kwargs))

        return run

    def _stepping_async(self, function: Any, key: _Key) -> Any:
        async def run(*args: Any, **kwargs: Any) -> Any:
            mine = key()
            if mine is not None and not await self._begun(mine):
                return
            with self._concluding(mine):
                async with aclosing(function(*args, **kwargs)) as steps:
                    async for step in steps:
                        yield step

        return run

    async def _begun(self, key: str) -> bool:
        # The store may be a file, which must not hold up the loop.
        return await asyncio.to_thread(self._store.begin, key)

    @contextmanager
    def _concluding(self, key: str | None) -> Iterator[None]:
        try:
            yield
        except BaseException:  # a cancelled task, or one who goes away, must be done again, too
            if key is not None:
                self._store.forget(key)
            raise
        if key is not None:
            self._store.finish(key)


class _Memory:
    """The memory of one process."""

    def __init__(self, keep: float, busy: float) -> None:
        self._keep, self._busy = keep, busy
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[bool, float]] = OrderedDict()

    def begin(self, key: str) -> bool:
        now = time.monotonic()
        with self._lock:
            done, since = self._entries.get(key, (False, float("-inf")))
            if done and now - since < self._keep:
                return False
            if not done and now - since < self._busy:
                raise _busy()
            self._put(key, done=False, now=now)
            return True

    def finish(self, key: str) -> None:
        with self._lock:
            self._put(key, done=True, now=time.monotonic())

    def forget(self, key: str) -> None:
        with self._lock:
            self._entries.pop(key, None)

    def _put(self, key: str, *, done: bool, now: float) -> None:
        self._entries[key] = (done, now)
        self._entries.move_to_end(key)
        while self._entries:
            _, (_, oldest) = next(iter(self._entries.items()))
            if len(self._entries) <= _MEMORY_ENTRIES and now - oldest < self._keep:
                return
            self._entries.popitem(last=False)


class _File:
    """An SQLite file; opened for each step, so that forks and threads need no care."""

    def __init__(self, path: str | os.PathLike[str], keep: float, busy: float) -> None:
        self._path, self._keep, self._busy = path, keep, busy

    def begin(self, key: str) -> bool:
        now = time.time()
        with self._open() as database:
            database.execute("DELETE FROM deliveries WHERE since < ?", (now - self._keep,))
            row = database.execute(
                "SELECT done, since FROM deliveries WHERE id = ?", (key,)
            ).fetchone()
            if row is not None and row[0]:
                return False
            if row is not None and now - row[1] < self._busy:
                raise _busy()
            database.execute("INSERT OR REPLACE INTO deliveries VALUES (?, 0, ?)", (key, now))
            return True

    def finish(self, key: str) -> None:
        with self._open() as database:
            database.execute(
                "INSERT OR REPLACE INTO deliveries VALUES (?, 1, ?)", (key, time.time())
            )

    def forget(self, key: str) -> None:
        with self._open() as database:
            database.execute("DELETE FROM deliveries WHERE id = ?", (key,))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=10, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute(
                "CREATE TABLE IF NOT EXISTS deliveries "
                "(id TEXT PRIMARY KEY, done INTEGER NOT NULL, since REAL NOT NULL) WITHOUT ROWID"
            )
            database.execute("CREATE INDEX IF NOT EXISTS since ON deliveries (since)")
            with database:
                yield database


def _busy() -> Unavailable:
    error = Unavailable("this delivery is being handled already")
    error.retry_after = 5.0
    return error
