"""Plain endpoints: what apps register and subscribe by name, take back, and renew.

A request is checked whole and taken whole or not at all. What is taken is in the store before it
is answered; the reconciler then makes the router hold it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog

from wamp_bridge_server.errors import Conflict, NotFound, Unprocessable
from wamp_bridge_server.identifiers import new_id
from wamp_bridge_server.services.barring import ACTIONS, bar
from wamp_bridge_server.services.checks import checked_destination
from wamp_bridge_server.services.persistence import Persistence
from wamp_bridge_server.services.table import Endpoint, key_of
from wamp_bridge_server.store import EndpointRecord, StoreError
from wamp_bridge_server.tasks import lasting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from wamp_bridge_server.backends.base import Match
    from wamp_bridge_server.callbacks.outbox import Outbox
    from wamp_bridge_server.clock import Clock
    from wamp_bridge_server.services.apps import App
    from wamp_bridge_server.services.checks import Wish
    from wamp_bridge_server.services.reconciler import Reconciler
    from wamp_bridge_server.services.table import Group, Table
    from wamp_bridge_server.store import Kind, Store

SETTLE_SECONDS = 5.0
"""How long an answer waits for the router's word before it says `pending`."""

ENDPOINTS_AN_APP = 10_000
"""Registrations and subscriptions together; a manifest names no more."""

PREFIXES: Mapping[Kind, str] = {"procedure": "reg", "topic": "sub"}
_LEASE_CHECK_SECONDS = 0.5

log = structlog.get_logger("wamp_bridge.endpoints")


class Endpoints:
    """The registrations and subscriptions of all apps.

    Args:
        table: All that there are.
        store: Keeps them.
        reconciler: Makes the router hold them.
        outbox: Delivers events.
        clock: What time it is.
        holder_of: Says in brackets who else holds a procedure, from an app's point of view.
        realm_of: Which realm an app is in; those in others are out of its way.
    """

    def __init__(
        self,
        table: Table,
        store: Store,
        reconciler: Reconciler,
        outbox: Outbox,
        clock: Clock,
        holder_of: Callable[[str, str, Match], Awaitable[str]],
        realm_of: Callable[[str], str],
    ) -> None:
        self._table = table
        self._holder_of = holder_of
        self._realm_of = realm_of
        self._store = store
        self._reconciler = reconciler
        self._outbox = outbox
        self._clock = clock
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._persistence = Persistence()
        self._watching: asyncio.Task[None] | None = None

    async def start(self, apps: Mapping[str, App]) -> None:
        """Take in what the store kept; leases go on from now, for nobody could renew one.

        Args:
            apps: Those of the configuration. What others left is kept, and held by nobody.
        """
        now = self._clock.time()
        for record in await self._store.endpoints():
            self._table.put(_renewed(record, now) if record.lease is not None else record)
        for name in {endpoint.app for endpoint in self._table.endpoints.values()}:
            if name in apps:
                bar(self._table, apps[name])
            else:
                log.warning("endpoints of an app that the configuration does not name", app=name)
                self._table.set_gone(name, gone=True)
        self.changed(self._table.endpoints.values())
        self._watching = lasting(self._watch_leases, "leases")

    async def close(self) -> None:
        """Stop watching the leases."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._persistence.close()

    async def add(self, app: App, wishes: Sequence[Wish], lease: float | None) -> list[Endpoint]:
        """Register or subscribe plain endpoints, all of them or none.

        Returns:
            The endpoints in the order asked for, those that were there already included.

        Raises:
            Forbidden: The app's permissions don't allow one.
            Unprocessable: The app's callbacks may not go to the URL of one, or it has too many.
            Conflict: Another app or WAMP client holds one of the procedures.
            StoreError: They could not be kept.
        """
        for wished in wishes:
            app.permissions.check(ACTIONS[wished.kind], wished.uri, wished.match)
            checked_destination(wished.url, f'the callback of "{wished.uri}"', app.destinations)
        async with self._locks[app.name]:
            self._check_holders(app, wishes)
            records = [self._record(app, wished, lease) for wished in wishes]
            replaced = self._replaced(records)
            before = [self._table.endpoints[r.id].record for r in records if self._knows(r)]
            new = [record for record in records if not self._knows(record)]
            self._check_number(app, len(new) - len(replaced))
            await self._change(put=records, remove=replaced)
            endpoints = [self._table.endpoints[record.id] for record in records]
            self._want_again(endpoints)
            await self.settle(endpoints)
            taken = [e.record for e in endpoints if e.group.conflict]
            if taken:
                await self._change(
                    put=[*before, *(endpoint.record for endpoint in replaced)],
                    remove=[self._table.endpoints[record.id] for record in new],
                )
                first = taken[0]
                who = await self._holder_of(app.name, first.uri, first.match)
                holder = f"Another WAMP client{who} holds"
                raise Conflict(
                    f"{holder} {_listed(record.uri for record in taken)}; nothing was changed."
                )
        return endpoints

    async def remove(
        self, app: App, kind: Kind, names: Mapping[str, str | None], match: str | None
    ) -> tuple[list[str], list[str]]:
        """Take plain endpoints back.

        Args:
            app: Whose they are.
            kind: Registrations or subscriptions.
            names: URIs, each with the URL meant or None for all its URLs.
            match: Only those registered so; None for any.

        Returns:
            The URIs that were taken back, and those of which the app has nothing plain.
        """
        async with self._locks[app.name]:
            found = [
                endpoint
                for endpoint in self._table.of_app(app.name, kind)
                if endpoint.record.source is None
                and endpoint.record.uri in names
                and names[endpoint.record.uri] in (None, endpoint.url)
                and match in (None, endpoint.record.match)
            ]
            await self._take_back(found)
        uris = {endpoint.record.uri for endpoint in found}
        return [uri for uri in names if uri in uris], [uri for uri in names if uri not in uris]

    async def remove_one(self, app: App, kind: Kind, identifier: str) -> None:
        """Take one endpoint back by its id. Raises `NotFound`."""
        async with self._locks[app.name]:
            await self._take_back([self.one(app, kind, identifier)])

    def one(self, app: App, kind: Kind, identifier: str) -> Endpoint:
        """An endpoint of the app by its id. Raises `NotFound`, also where it is another's."""
        endpoint = self._table.endpoints.get(identifier)
        if endpoint is None or endpoint.app != app.name or endpoint.record.kind != kind:
            noun = "registration" if kind == "procedure" else "subscription"
            raise NotFound(f'This app has no {noun} "{identifier}".')
        return endpoint

    def all_of(self, app: App, kind: Kind) -> list[Endpoint]:
        """The app's endpoints of a kind, the oldest first."""
        return self._table.of_app(app.name, kind)

    async def renew(self, app: App, uris: Iterable[str] | None) -> int:
        """Renew the app's leases, or those of some URIs; how many there were."""
        wanted = None if uris is None else set(uris)
        now = self._clock.time()
        async with self._locks[app.name]:
            renewed = [
                _renewed(endpoint.record, now)
                for kind in PREFIXES
                for endpoint in self._table.of_app(app.name, kind)
                if endpoint.record.lease is not None
                and (wanted is None or endpoint.record.uri in wanted)
            ]
            await self._change(put=renewed)
        return len(renewed)

    async def replace_source(
        self, put: Sequence[EndpointRecord], remove: Sequence[Endpoint]
    ) -> None:
        """Make the endpoints of a source be what its manifest says; its app's lock is held."""
        await self._change(put=put, remove=remove)

    def room_of(self, app: str, source: str) -> int:
        """How many endpoints a source may bring; what it brought already takes no room."""
        others = (
            endpoint
            for kind in PREFIXES
            for endpoint in self._table.of_app(app, kind)
            if endpoint.record.source != source
        )
        return ENDPOINTS_AN_APP - sum(1 for _ in others)

    def lock(self, app: str) -> asyncio.Lock:
        """Held while an app's endpoints are changed."""
        return self._locks[app]

    async def settle(self, endpoints: Iterable[Endpoint]) -> None:
        """Wait until the router has had its word on changed endpoints, while it is there."""
        groups = {endpoint.group: None for endpoint in endpoints}
        await self._reconciler.settle(groups, SETTLE_SECONDS)

    def changed(self, endpoints: Iterable[Endpoint]) -> None:
        """Say that endpoints went down or came up: the router and their deliveries follow."""
        endpoints = list(endpoints)
        self._reconciler.touch({endpoint.group: None for endpoint in endpoints})
        for endpoint in endpoints:
            rested, endpoint.rested = endpoint.rested, endpoint.resting
            if rested and not endpoint.rested:
                self._outbox.resume(endpoint)

    def declined(self, endpoint: Endpoint) -> None:
        """An app answered 410 Gone.

        A plain endpoint goes for good, a source's rests until its manifest changes.
        """
        log.warning("declined by its app", app=endpoint.app, uri=endpoint.record.uri)
        endpoint.declined = "the app answered 410 Gone"
        self.changed([endpoint])
        if endpoint.record.source is None:
            self._persistence.write_later(lambda: self._remove_declined(endpoint))

    def _want_again(self, endpoints: Iterable[Endpoint]) -> None:
        """Keep those that an app registers while they are being removed for its 410."""
        declined = [endpoint for endpoint in endpoints if endpoint.declined is not None]
        for endpoint in declined:
            endpoint.declined = None
        self.changed(declined)

    async def _remove_declined(self, endpoint: Endpoint) -> None:
        async with self._locks[endpoint.app]:
            # Unless its app has taken it back meanwhile, or registered it anew.
            if self._knows(endpoint.record) and endpoint.declined is not None:
                await self._change(remove=[endpoint])

    def _check_number(self, app: App, more: int) -> None:
        if more <= 0:
            return
        held = sum(len(self._table.of_app(app.name, kind)) for kind in PREFIXES)
        if held + more > ENDPOINTS_AN_APP:
            raise Unprocessable(f"An app has at most {ENDPOINTS_AN_APP} endpoints.")

    def _check_holders(self, app: App, wishes: Sequence[Wish]) -> None:
        taken = [
            wished.uri
            for wished in wishes
            if wished.kind == "procedure"
            for group in self._table.other_holders(app.name, wished.uri, wished.match)
            if group.refusal is None
            and self._realm_of(group.app) == self._realm_of(app.name)
            and not (group.invoke == wished.options.get("invoke", "single") != "single")
        ]
        if taken:
            raise Conflict(f"Another app of this bridge holds {_listed(taken)}; nothing was done.")

    def _record(self, app: App, wished: Wish, lease: float | None) -> EndpointRecord:
        record = EndpointRecord(
            id=new_id(PREFIXES[wished.kind]),
            app=app.name,
            kind=wished.kind,
            uri=wished.uri,
            match=wished.match,
            url=wished.url,
            options=wished.options,
            lease=lease,
            created_at=self._clock.time(),
        )
        for endpoint in self._plain(record):
            if endpoint.url == record.url:
                known = endpoint.record
                record = replace(record, id=known.id, created_at=known.created_at)
        return record if lease is None else _renewed(record, self._clock.time())

    def _replaced(self, records: Sequence[EndpointRecord]) -> list[Endpoint]:
        """A plain procedure's second URL replaces the first, unless several are to serve it."""
        return [
            endpoint
            for record in records
            if record.kind == "procedure" and record.options.get("invoke", "single") == "single"
            for endpoint in self._plain(record)
            if endpoint.url != record.url
        ]

    def _plain(self, record: EndpointRecord) -> list[Endpoint]:
        group: Group | None = self._table.groups.get(key_of(record))
        return [e for e in group.endpoints if e.record.source is None] if group else []

    def _knows(self, record: EndpointRecord) -> bool:
        return record.id in self._table.endpoints

    async def _take_back(self, endpoints: Sequence[Endpoint]) -> None:
        await self._change(remove=endpoints)
        await self.settle(endpoints)

    async def _change(
        self, *, put: Sequence[EndpointRecord] = (), remove: Sequence[Endpoint] = ()
    ) -> None:
        await self._store.apply(put=put, delete=[endpoint.record.id for endpoint in remove])
        groups: dict[Group, None] = {}
        for endpoint in remove:
            groups[endpoint.group] = None
            self._table.remove(endpoint)
            self._outbox.drop(endpoint)
        endpoints = [self._table.put(record) for record in put]
        self._reconciler.touch(groups)
        self.changed(endpoints)

    async def _watch_leases(self) -> None:
        while True:
            await self._clock.sleep(_LEASE_CHECK_SECONDS)
            try:
                await self._end_leases(self._clock.time())
            except StoreError as error:
                log.error("leases can't be ended now", reason=str(error))  # noqa: TRY400 - no bug

    async def _end_leases(self, now: float) -> None:
        ended: defaultdict[str, list[Endpoint]] = defaultdict(list)
        for endpoint in self._table.leased.values():
            if _ended(endpoint.record, now):
                ended[endpoint.app].append(endpoint)
        for app, endpoints in ended.items():
            async with self._locks[app]:
                still = [e for e in endpoints if _ended(e.record, now) and self._knows(e.record)]
                for endpoint in still:
                    log.info("lease ended", app=app, uri=endpoint.record.uri, url=endpoint.url)
                await self._change(remove=still)


def _ended(record: EndpointRecord, now: float) -> bool:
    return record.lease_expires_at is not None and record.lease_expires_at <= now


def _renewed(record: EndpointRecord, now: float) -> EndpointRecord:
    return replace(record, lease_expires_at=now + (record.lease or 0.0))


def _listed(uris: Iterable[str]) -> str:
    return ", ".join(f'"{uri}"' for uri in dict.fromkeys(uris))


def described(endpoints: Iterable[Endpoint]) -> list[dict[str, Any]]:
    """Endpoints as answers show them."""
    return [endpoint.described() for endpoint in endpoints]
