"""Makes what the router holds match what is wanted; the one place that registers and subscribes.

It is told which groups changed (`touch`) and when sessions come and go; it then makes each group
right, many at once, and again after every join. Nothing else calls a session's `register`,
`unregister`, `subscribe` or `unsubscribe`.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import structlog

from wamp_bridge_server.backends.base import Unavailable, Undeliverable, WampError
from wamp_bridge_server.errors import OTHER_POLICY, PROCEDURE_EXISTS
from wamp_bridge_server.tasks import lasting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wamp_bridge_server.backends.base import Backend, Session
    from wamp_bridge_server.services.history import History
    from wamp_bridge_server.services.table import Group, Table

AT_ONCE = 256
"""Requests under way in one session: enough to keep the router busy, and no flood."""

_BREATH_SECONDS = 0.1
"""How long to wait where a joined session takes nothing more for now."""

_FEATURES = {
    ("procedure", "prefix"): "dealer.pattern_based_registration",
    ("procedure", "wildcard"): "dealer.pattern_based_registration",
    ("topic", "prefix"): "broker.pattern_based_subscription",
    ("topic", "wildcard"): "broker.pattern_based_subscription",
}

RETENTION = "broker.event_retention"

log = structlog.get_logger("wamp_bridge.reconciler")


class Reconciler:
    """Matches the router's registrations and subscriptions to the table.

    Attributes:
        history: Fills the gaps that an absence made in what topics' subscribers got.
    """

    def __init__(self, table: Table, backend: Backend) -> None:
        self._table = table
        self._backend = backend
        self._changed: dict[str, dict[Group, None]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._waiters: dict[Group, list[asyncio.Future[None]]] = {}
        self._joins: dict[str, int] = {}
        self.history: History | None = None
        self._keeps: Callable[[Group], bool] | None = None

    def touch(self, groups: Iterable[Group]) -> None:
        """Say that groups changed. Opens their apps' sessions where they aren't open yet."""
        for group in groups:
            self._table.note(group)
            if group.held is None and not self._wanted(group) and not group.matching:
                # Nothing is to be done, so no session is opened for it.
                self._changed.get(group.app, {}).pop(group, None)
                self._table.forget_if_empty(group)
                self._release(group)
                continue
            self._changed.setdefault(group.app, {})[group] = None
            self._work(group.app)

    async def settle(self, groups: Iterable[Group], within: float) -> None:
        """Wait until touched groups are right, refused or known to wait for the router.

        Args:
            groups: Those that were touched.
            within: Seconds; when they pass, the groups are simply as far as they are.
        """
        loop = asyncio.get_running_loop()
        futures = []
        for group in groups:
            if group not in self._changed.get(group.app, ()) and group not in self._waiters:
                continue  # it is right already
            if group.app in self._workers:
                future: asyncio.Future[None] = loop.create_future()
                self._waiters.setdefault(group, []).append(future)
                futures.append(future)
        if futures:
            await asyncio.wait(futures, timeout=within)

    def joined(self, app: str) -> None:
        """A session has joined, with nothing held: all of the app's groups are made right."""
        self._joins[app] = self._joins.get(app, 0) + 1
        groups = list(self._table.groups_of(app))
        for group in groups:
            group.held = None
        self.touch(groups)

    def left(self, app: str) -> None:
        """A session is gone, and what it held with it."""
        self._joins[app] = self._joins.get(app, 0) + 1
        for group in list(self._table.groups_of(app)):
            group.held = None
            self._table.note(group)
            self._table.forget_if_empty(group)
            self._changed.setdefault(app, {})[group] = None
            self._release(group)

    def released(self, app: str) -> None:
        """A session was given up, and what it held with it: until the next one, nothing is done."""
        self._joins[app] = self._joins.get(app, 0) + 1
        for group in list(self._table.groups_of(app)):
            group.held = None
            self._table.note(group)
            self._table.forget_if_empty(group)
            self._release(group)

    async def leave(self, keeps: Callable[[Group], bool], within: float) -> None:
        """Give procedures back for good, so that others take over; topics stay.

        Args:
            keeps: Which of them are still needed; may be called again, for fewer.
            within: Seconds to wait for the router.
        """
        self._keeps = keeps
        groups = [group for group in self._table.groups.values() if group.kind == "procedure"]
        self.touch(groups)
        await self.settle(groups, within)

    def _wanted(self, group: Group) -> bool:
        if self._keeps is not None and group.kind == "procedure" and not self._keeps(group):
            return False
        return group.wanted

    async def close(self) -> None:
        """Stop working."""
        workers = list(self._workers.values())
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    def _work(self, app: str) -> None:
        if app not in self._workers:
            worker = lasting(partial(self._run, app), f"reconcile {app}")
            self._workers[app] = worker
            worker.add_done_callback(lambda done: self._worked(app, done))

    def _worked(self, app: str, worker: asyncio.Task[None]) -> None:
        del self._workers[app]
        if worker.cancelled():
            return
        worker.result()
        if self._changed[app] and self._backend.session(app).joined:  # joined as it was ending
            self._work(app)

    async def _run(self, app: str) -> None:
        changed = self._changed.setdefault(app, {})
        while changed:
            session = self._backend.session(app)  # asked each time: it may be another by now
            await session.attempted()
            if not session.joined:
                for group in list(changed):
                    group.delay = session.reason
                    self._release(group)
                return  # `joined` begins anew
            batch = [changed.popitem()[0] for _ in range(min(AT_ONCE, len(changed)))]
            if not all(await asyncio.gather(*(self._match(session, group) for group in batch))):
                await asyncio.sleep(_BREATH_SECONDS)

    async def _match(self, session: Session, group: Group) -> bool:
        """Make one group right; whether the network took what was asked."""
        join = self._joins.get(group.app)
        group.matching = True
        try:
            await self._make_right(session, group, join)
        except Unavailable as error:
            log.info("router away", app=group.app, uri=group.uri, reason=str(error))
            self._changed[group.app][group] = None
            return False
        except (WampError, Undeliverable) as error:
            self._refuse(group, error)
        except Exception:  # it is not right yet, whatever this is
            self._changed[group.app][group] = None
            raise
        finally:
            group.matching = False
            self._table.note(group)
            self._table.forget_if_empty(group)
            if group not in self._changed[group.app]:
                self._release(group)
        return True

    async def _make_right(self, session: Session, group: Group, join: int | None) -> None:
        stale = group.held is not None and (
            not self._wanted(group) or (group.kind == "procedure" and group.held_as != group.invoke)
        )
        if stale and group.held is not None:
            held, group.held = group.held, None
            await self._give_back(session, group, held)
        if self._wanted(group) and group.held is not None and group.with_retained("due"):
            await self._subscribe(session, group)  # again, which changes nothing else
        if self._wanted(group) and group.held is None:
            held_as = group.invoke if group.kind == "procedure" else "single"
            held = await self._obtain_without_gap(session, group)
            if self._joins.get(group.app) == join:
                group.held, group.held_as = held, held_as
                group.refusal, group.conflict = None, False
                if not self._wanted(group):  # taken back while it was being made
                    self._changed[group.app][group] = None

    async def _obtain_without_gap(self, session: Session, group: Group) -> int:
        """Obtain what is held; of a topic also what was published while nobody held it."""
        history = self.history
        if history is None or not history.hold_back(group):
            return await self._obtain(session, group)
        try:
            held = await self._obtain(session, group)
        except (WampError, Undeliverable):  # not where the line was lost: the next session reads it
            history.let_go(group)
            raise
        history.fill(session, group, held)
        return held

    async def _obtain(self, session: Session, group: Group) -> int:
        needed = _FEATURES.get((group.kind, group.match))
        if group.kind == "procedure" and group.invoke != "single":
            needed = needed or "dealer.shared_registration"
        if needed is not None and needed not in session.features:
            raise Undeliverable(f"the router does not announce {needed}")
        if group.kind == "procedure":
            return await session.register(group.uri, group.match, group.invoke)
        return await self._subscribe(session, group)

    async def _subscribe(self, session: Session, group: Group) -> int:
        """Subscribe, and have the retained event sent where that is to be done, once."""
        due = group.with_retained("due")
        if RETENTION not in session.features:
            due = []
        if due:
            for endpoint in group.with_retained("asked"):
                endpoint.retained = None  # there was none for it
        for endpoint in due:  # before it is asked: the event comes right behind the answer
            endpoint.retained = "asked"
        try:
            return await session.subscribe(group.uri, group.match, get_retained=bool(due))
        except BaseException:
            for endpoint in due:
                endpoint.retained = "due"
            raise

    async def lacks(self, app: str, feature: str) -> bool:
        """Whether the router is there, and doesn't announce a feature."""
        session = self._backend.session(app)
        await session.attempted()
        return session.joined and feature not in session.features

    async def _give_back(self, session: Session, group: Group, held: int) -> None:
        try:
            if group.kind == "procedure":
                await session.unregister(held)
            else:
                await session.unsubscribe(held)
        except WampError as error:  # the router holds it no more: so be it
            log.info("not held any more", app=group.app, uri=group.uri, reason=error.uri)

    def _refuse(self, group: Group, error: WampError | Undeliverable) -> None:
        if isinstance(error, WampError):
            text = " ".join(str(argument) for argument in error.wamp_args)
            group.refusal = f"{error.uri}: {text}" if text else error.uri
            group.conflict = error.uri in {PROCEDURE_EXISTS, OTHER_POLICY}
        else:
            group.refusal, group.conflict = str(error), False
        log.warning(
            "refused by the router",
            app=group.app,
            kind=group.kind,
            uri=group.uri,
            match=group.match,
            reason=group.refusal,
        )

    def _release(self, group: Group) -> None:
        for waiter in self._waiters.pop(group, ()):
            if not waiter.done():
                waiter.set_result(None)
