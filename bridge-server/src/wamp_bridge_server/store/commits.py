"""Group commit: what many ask to write at about the same time goes to the disk together.

A commit costs the same for one row as for hundreds, and most of it is waiting for the disk. So one
task writes. While a transaction is on its way, what else is asked for waits together, and is the
next transaction. Every caller still has its own answer: when a batch fails for what one of them
asked, each is tried alone.

Writes of one kind are handed to their `Writer` together, so that it can make one statement of
them. This is where all that must survive the bridge is written.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sqlalchemy.exc import DataError, IntegrityError

from wamp_bridge_server.store.errors import StoreError
from wamp_bridge_server.tasks import lasting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from wamp_bridge_server.store.database import Database

Item_contra = TypeVar("Item_contra", contravariant=True)
Answer_co = TypeVar("Answer_co", covariant=True)
Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Writer(Protocol[Item_contra, Answer_co]):
    """Writes items of one kind.

    It is called in a transaction with the items in the order in which they were submitted, and
    returns an answer for each. It must bear being called again with the same items, since a
    transaction can fail; and what it raises for one item alone must not be a `StoreError`.
    """

    async def __call__(
        self, connection: AsyncConnection, items: Sequence[Item_contra], /
    ) -> Sequence[Answer_co]:
        """Write the items, in this order; an answer for each."""


@dataclass(frozen=True, slots=True, eq=False)
class _Write:
    writer: Writer[Any, Any]
    item: Any
    answer: asyncio.Future[Any]


class Commits:
    """The one task that writes to a database."""

    def __init__(self, database: Database, *, linger: float = 0.002, largest: int = 1000) -> None:
        """See `submit`.

        Args:
            database: Where it writes; opened and closed by the caller.
            linger: Seconds that a batch waits for more, when the last one had more than one
                item. A lone caller is not made to wait.
            largest: How many items a transaction takes at most.
        """
        self._database = database
        self._linger = linger
        self._largest = largest
        self._waiting: deque[_Write] = deque()
        self._something = asyncio.Event()
        self._closing = False
        self._task = lasting(self._run, "store-commits")

    async def submit(self, writer: Writer[Item, Answer], item: Item) -> Answer:
        """Write an item; returns the writer's answer when it is on the disk.

        Items that one task submits are written in that order. When the caller is cancelled, the
        item may or may not be written.

        Raises:
            StoreError: It is not on the disk, for a reason of the store.
            Exception: What the writer raised for this item; it is not on the disk.
        """
        if self._closing:
            raise StoreError(f"{self._database.name}: it is closed")
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Write(writer, item, answer))
        self._something.set()
        return await answer

    async def close(self) -> None:
        """Take no more, write what waits, and end."""
        self._closing = True
        self._something.set()
        await self._task

    async def _run(self) -> None:
        company = False
        while await self._more():
            if company and not self._closing and len(self._waiting) < self._largest:
                await asyncio.sleep(self._linger)
            batch = self._next_batch()
            company = len(batch) > 1
            await self._write(batch)

    async def _more(self) -> bool:
        while not self._waiting and not self._closing:
            self._something.clear()
            await self._something.wait()
        return bool(self._waiting)

    def _next_batch(self) -> list[_Write]:
        batch: list[_Write] = []
        while self._waiting and len(batch) < self._largest:
            write = self._waiting.popleft()
            if not write.answer.done():  # a caller that was cancelled
                batch.append(write)
        return batch

    async def _write(self, batch: list[_Write]) -> None:
        if not batch:
            return
        failure = await self._try(batch)
        if failure is None:
            return
        if len(batch) == 1 or _of_the_store(failure):
            for write in batch:
                _refuse(write, failure)
            return
        for write in batch:
            failure = await self._try([write])
            if failure is not None:
                _refuse(write, failure)

    async def _try(self, batch: list[_Write]) -> BaseException | None:
        """Write a batch in one transaction and answer it, or say why it could not be.

        In a task of its own, so that nothing that a writer raises ends this one.
        """
        transaction = asyncio.create_task(self._transaction(batch))
        await asyncio.wait([transaction])
        if (failure := transaction.exception()) is not None:
            return failure
        for write, answer in transaction.result():
            with contextlib.suppress(asyncio.InvalidStateError):  # cancelled meanwhile
                write.answer.set_result(answer)
        return None

    async def _transaction(self, batch: list[_Write]) -> list[tuple[_Write, Any]]:
        answers: list[tuple[_Write, Any]] = []
        async with self._database.transaction() as connection:
            for writer, writes in _by_writer(batch):
                got = await writer(connection, [write.item for write in writes])
                answers.extend(zip(writes, got, strict=True))
        return answers


def _by_writer(batch: Iterable[_Write]) -> Iterable[tuple[Writer[Any, Any], list[_Write]]]:
    groups: dict[Writer[Any, Any], list[_Write]] = {}
    for write in batch:
        groups.setdefault(write.writer, []).append(write)
    return groups.items()


def _of_the_store(failure: BaseException) -> bool:
    """Whether a transaction failed for the store's sake, so that trying again is no use."""
    return isinstance(failure, StoreError) and not isinstance(
        failure.__cause__, IntegrityError | DataError
    )


def _refuse(write: _Write, failure: BaseException) -> None:
    if not write.answer.done():
        write.answer.set_exception(failure)
