"""WAMP in a Pyramid app, through a wamp-bridge.

::

    from wamp_bridge.adapters.pyramid import rpc

    @rpc()
    def price(product):
        return 12

    @view_config(route_name="sell", renderer="string")
    def sell(request):
        request.wamp.publish("sold", ["apple", 1])

    config.include("wamp_bridge.adapters.pyramid")
    config.scan()

`rpc`, `sub` and `callback` declare handlers, which `config.scan()` finds. `call`, `stream`,
`publish`, `publish_many`, `events` and `events_url` are those of the current app's `WampBridge`,
which is `request.wamp`.
"""

from wamp_bridge.adapters.pyramid._adapter import WampBridge, current, includeme

call = current.call
callback = current.callback
events = current.events
events_url = current.events_url
publish = current.publish
publish_many = current.publish_many
rpc = current.rpc
stream = current.stream
sub = current.sub

__all__ = [
    "WampBridge",
    "call",
    "callback",
    "events",
    "events_url",
    "includeme",
    "publish",
    "publish_many",
    "rpc",
    "stream",
    "sub",
]
