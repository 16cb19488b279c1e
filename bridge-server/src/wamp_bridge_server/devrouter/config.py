"""Crossbar's node configuration, as its `config.json` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_MESSAGE_SIZE: Final = 16 * 1024 * 1024
"""RawSocket's upper limit in bytes (WAMP, "RawSocket Transport"), on both transports."""

SERIALIZERS: Final = ["cbor", "msgpack", "json"]

ANYTHING: Final[Mapping[str, Any]] = {
    "uri": "",
    "match": "prefix",
    "allow": {"call": True, "register": True, "publish": True, "subscribe": True},
    "disclose": {"caller": True, "publisher": True},
    "cache": True,
}
"""A permission of Crossbar's: everything, with caller and publisher disclosed to the other side."""


def node_config(
    *,
    host: str,
    port: int,
    realm: str,
    roles: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    auth: Mapping[str, Any] | None = None,
    web: Mapping[str, Mapping[str, Any]] | None = None,
    store: Mapping[str, Any] | None = None,
    realms: Sequence[str] = (),
    transports: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Make the configuration of a node with one router.

    The port speaks RawSocket, and WebSocket at `/ws`.

    Args:
        host: Address to listen at.
        port: Port to listen at; Crossbar takes no 0.
        realm: Name of the realm.
        roles: Name of a role to its permissions; by default `anonymous` may do everything.
        auth: Crossbar's `auth` section of both transports, by authentication method; without it
            everyone joins with the role `anonymous`.
        web: Crossbar's web services by their paths, which the port then has beside; for instance
            `{"call": {"type": "caller", "realm": ..., "role": ..., "options": {}}}`.
        store: Crossbar's `store` section of the realm, which says of which topics it keeps history.
        realms: Names of realms beside, with the same roles.
        transports: Crossbar's transports beside.
    """
    options = {"max_message_size": MAX_MESSAGE_SIZE}
    rawsocket: dict[str, Any] = {"serializers": SERIALIZERS, "options": options}
    websocket: dict[str, Any] = {
        "type": "websocket",
        "serializers": SERIALIZERS,
        "options": options,
    }
    if auth is not None:
        rawsocket["auth"] = dict(auth)
        websocket["auth"] = dict(auth)
    transport = {
        "type": "universal",
        "id": "wamp",
        "endpoint": {"type": "tcp", "interface": host, "port": port, "backlog": 1024},
        "rawsocket": rawsocket,
        "websocket": {"ws": websocket},
    }
    if web is not None:
        transport["web"] = {"paths": dict(web)}
    given = {"anonymous": [ANYTHING]} if roles is None else roles
    return {
        "version": 2,
        "controller": {},
        "workers": [
            {
                "type": "router",
                "id": "router",
                "realms": [
                    {
                        **({} if store is None else {"store": dict(store)}),
                        "name": named,
                        "roles": [
                            {"name": name, "permissions": [dict(item) for item in permissions]}
                            for name, permissions in given.items()
                        ],
                    }
                    for named in (realm, *realms)
                ],
                "transports": [transport, *map(dict, transports)],
            }
        ],
    }
