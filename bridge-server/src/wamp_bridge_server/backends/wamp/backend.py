"""The backend that joins a WAMP router."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from wamp_bridge_server.backends.wamp.member import Member, Realm, Way
from wamp_bridge_server.backends.wamp.settings import Address, Identity, Patience

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence

    from wamp_bridge_server.backends.base import Listener, Session

BUFFER_LIMIT: Final = 8 * 1024 * 1024
"""Bytes that may wait in a session for a router that takes none."""


class WampBackend:
    """Apps take part in a realm of a WAMP router, each in a session of its own.

    Args:
        url: Where the router listens: `rs://`, `rss://`, `ws://` or `wss://HOST[:PORT]`. Several
            are tried in turn, by all sessions together.
        realm: The realm to join.
        identity: As whom the bridge itself joins, and apps that have no identity of their own.
        identities: As whom an app joins, by its name; looked up at each attempt.
        realms: Which realm an app joins, by its name, where not `realm`; looked up when its session
            is opened.
        tls: How to check the router's certificate, if not by the system's authorities.
        patience: How long things may take.
        buffer_limit: Bytes that may wait for the network in a session before calls and events
            are refused.

    Raises:
        ValueError: The URL is no router's.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        realm: str = "realm1",
        *,
        identity: Identity | None = None,
        identities: Mapping[str, Identity] | None = None,
        realms: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        patience: Patience | None = None,
        buffer_limit: int = BUFFER_LIMIT,
    ) -> None:
        urls = [url] if isinstance(url, str) else url
        self._way = Way([Address.parse(each) for each in urls], tls)
        self._patience = patience or Patience()
        self._buffer_limit = buffer_limit
        self._realm = self._made_realm(realm)
        self._realms = {realm: self._realm}
        self._realm_of = {} if realms is None else realms
        self._identity = identity or Identity()
        self._identities = {} if identities is None else identities
        self._listener: Listener | None = None
        self._own: Member | None = None
        self._members: dict[str, Member] = {}
        self._released: dict[Member, asyncio.Task[None]] = {}
        self._closed = False

    @property
    def joined(self) -> bool:
        """Whether the bridge's own session is joined."""
        return self._own is not None and self._own.joined

    @property
    def reason(self) -> str | None:
        """Why the bridge's own session is not joined, for a person; None where it is."""
        return "it was not started" if self._own is None else self._own.reason

    @property
    def realms(self) -> Mapping[str, bool]:
        """Each realm that a session of an app or the bridge is in, or tries to join."""
        there = {self._realm.name: self.joined}
        for member in self._members.values():
            name = member.realm
            if name != self._realm.name:
                there[name] = there.get(name, True) and member.joined
        return there

    async def start(self, listener: Listener) -> None:
        """Begin joining; returns at once."""
        self._listener = listener
        self._own = Member(self._realm, None, lambda: self._identity, listener)
        self._own.open()

    def session(self, app: str) -> Session:
        """The app's session; the first call opens it.

        Raises:
            RuntimeError: The backend was not started.
        """
        member = self._members.get(app)
        if member is None:
            if self._listener is None:
                raise RuntimeError("the backend was not started")
            name = self._realm_of.get(app, self._realm.name)
            realm = self._realms.get(name)
            if realm is None:
                realm = self._realms[name] = self._made_realm(name)
            member = Member(
                realm,
                app,
                lambda: self._identities.get(app, self._identity),
                self._listener,
            )
            self._members[app] = member
            if self._closed:
                member.shut()
            else:
                member.open()
        return member

    def _made_realm(self, name: str) -> Realm:
        return Realm(self._way, name, self._patience, self._buffer_limit)

    def release(self, app: str) -> None:
        """See `backends.base.Backend`."""
        member = self._members.pop(app, None)
        if member is not None:
            task = asyncio.create_task(member.retire(), name=f"retire {app}")
            self._released[member] = task
            task.add_done_callback(lambda _: self._released.pop(member, None))

    async def close(self) -> None:
        """Leave the router with every session."""
        self._closed = True
        members = [*self._members.values(), *self._released]
        retiring = list(self._released.values())
        for task in retiring:
            task.cancel()
        await asyncio.gather(*retiring, return_exceptions=True)
        if self._own is not None:
            members.append(self._own)
        await asyncio.gather(*(member.close() for member in members))
