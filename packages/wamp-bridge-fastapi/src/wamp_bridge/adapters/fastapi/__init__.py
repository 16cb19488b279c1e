"""WAMP in a FastAPI app, or a Starlette app, through a wamp-bridge.

::

    from wamp_bridge.adapters.fastapi import call, dispatcher, publish, rpc, sub

    app.include_router(dispatcher, prefix="/wamp")

    @rpc()
    async def price(product: str) -> float:
        return 12

`rpc`, `sub`, `callback`, `call`, `stream`, `publish`, `publish_many`, `events`, `events_url` and
`dispatcher` belong to one default `WampBridge`.
"""

from typing import TYPE_CHECKING, Any

from wamp_bridge.adapters.fastapi._adapter import WampBridge

if TYPE_CHECKING:
    from fastapi import APIRouter

    dispatcher: APIRouter

_default = WampBridge()

call = _default.call
callback = _default.callback
events = _default.events
events_url = _default.events_url
publish = _default.publish
publish_many = _default.publish_many
rpc = _default.rpc
stream = _default.stream
sub = _default.sub

__all__ = [
    "WampBridge",
    "call",
    "callback",
    "dispatcher",
    "events",
    "events_url",
    "publish",
    "publish_many",
    "rpc",
    "stream",
    "sub",
]


def __getattr__(name: str) -> Any:
    """Make `dispatcher` when it is asked for: a Starlette app does without, and without FastAPI."""
    if name == "dispatcher":
        return _default.dispatcher
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
