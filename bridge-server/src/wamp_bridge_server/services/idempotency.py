"""Requests that may come again: done once for each key, answered the same each time.

A key is claimed in the store before anything is done, so that of two requests at once one is done.
It is settled with the answer before that is given. What the store can't settle at once is settled
when it can; until then the key is taken for one whose request is under way. So it is with a claim
that may have been kept though the store said no: it is withdrawn as soon as that can be done.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import deque
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from wamp_bridge_server.errors import Conflict, StillRunning, Unavailable, Unprocessable
from wamp_bridge_server.identifiers import new_id
from wamp_bridge_server.services.persistence import Persistence
from wamp_bridge_server.store import StoreError
from wamp_bridge_server.store.idempotency import ROW_BYTES, Claim, KeptAnswer, Settlement

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from wamp_bridge_server.services.apps import App
    from wamp_bridge_server.store import Store

KEPT_SECONDS = 86_400.0
MAX_KEPT_BYTES = 1024 * 1024
"""Of an answer's body. Of a larger one it is kept that there was one; so it is where the app has no
room left for it."""

_BITE = 500
_TOO_LARGE = KeptAnswer(HTTPStatus.CONFLICT, b"")


@dataclass(slots=True, eq=False)
class HeldKey:
    """A key whose request is under way, and is ours. It must be settled."""

    id: str
    app: App
    sizes: Counter[str]
    clock: Callable[[], float]
    settled: bool = False

    def settlement(self, answer: KeptAnswer | None) -> Settlement:
        """Settle it: with an answer, which counts from now on, or let it go.

        What comes of this must be written by the caller; `Idempotency.settle` is one.
        """
        self.settled = True
        if answer is None:
            return Settlement(self.id, None)
        if len(answer.body) > MAX_KEPT_BYTES or not self._has_room(answer.size):
            answer = _TOO_LARGE
        self.sizes[self.app.name] += answer.size
        expires_at = self.clock() + KEPT_SECONDS
        kept = KeptAnswer(answer.status, answer.body, answer.location, expires_at)
        return Settlement(self.id, kept)

    def check_room(self) -> None:
        """See whether anything more may be kept for the app. Raises `Unavailable`."""
        if not self._has_room(ROW_BYTES):
            raise Unavailable("As many answers are kept under this app's keys as may be.")

    def _has_room(self, size: int) -> bool:
        return self.sizes[self.app.name] + size <= self.app.config.calls.kept_bytes


class Idempotency:
    """Keeps the keys of requests."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._keys = store.keys
        self._clock = clock
        self._persistence = Persistence()
        self._doubtful: deque[Claim] = deque()

    async def start(self) -> None:
        """Let the keys go whose requests an earlier bridge had not answered. Raises `StoreError`.

        Nobody works on those any more; and as nobody has an answer, whoever asks once more is
        asking anew.
        """
        await self._keys.let_claims_go()
        await self._keys.measure()

    async def claim(self, app: App, path: str, key: str, asked: bytes) -> HeldKey | KeptAnswer:
        """Claim a key for a request, or see how it was answered before.

        Args:
            app: Who asks; each app has its own keys.
            path: Each path has its own keys, too.
            key: The key.
            asked: All that makes this request the same as another, or not.

        Raises:
            Unprocessable: The key was used for another request.
            StillRunning: The request is under way.
            Conflict: It was done; its answer was too large to be kept.
            Unavailable: Nothing was done, for no answer would be kept.
            StoreError: Nothing may be done.
        """
        claim = Claim(
            hashlib.sha256(msgspec.json.encode([app.name, path, key])).hexdigest(),
            hashlib.sha256(asked).hexdigest(),
            app.name,
            new_id("try"),
        )
        try:
            there = await self._keys.claim(claim)
        except (StoreError, asyncio.CancelledError):
            self._withdraw(claim)
            raise
        if there is None:
            return await self._held(HeldKey(claim.id, app, self._keys.sizes, self._clock))
        if there.fingerprint != claim.fingerprint:
            raise Unprocessable("This Idempotency-Key was used for another request at this path.")
        if there.answer is None:
            raise StillRunning("The request with this Idempotency-Key is under way.")
        if there.answer.status == HTTPStatus.CONFLICT:
            raise Conflict(
                "The request with this Idempotency-Key was done. "
                "Its answer had more bytes than could be kept."
            )
        return there.answer

    async def _held(self, held: HeldKey) -> HeldKey:
        try:
            held.check_room()
        except Unavailable:
            await self.settle(held, None)
            raise
        return held

    async def settle(self, held: HeldKey, answer: KeptAnswer | None) -> None:
        """Keep the answer to the request that holds a key; with None, let the key go."""
        settlement = held.settlement(answer)
        await self._persistence.write_soon(lambda: self._keys.settle(settlement))

    def _withdraw(self, claim: Claim) -> None:
        """Let a key go that was claimed, if it was."""
        self._doubtful.append(claim)
        if len(self._doubtful) == 1:
            self._persistence.write_later(self._withdraw_doubtful)

    async def _withdraw_doubtful(self) -> None:
        while self._doubtful:
            some = [*islice(self._doubtful, _BITE)]
            await self._keys.withdraw(some)
            for _ in some:
                self._doubtful.popleft()

    async def close(self) -> None:
        """Give up what can't be settled now."""
        await self._persistence.close()
