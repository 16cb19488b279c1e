"""WAMP in a Flask app, through a wamp-bridge.

::

    from wamp_bridge.adapters.flask import call, dispatcher, publish, rpc, sub

    app.register_blueprint(dispatcher, url_prefix="/wamp")

    @rpc()
    def price(product):
        return 12

`rpc`, `sub`, `callback`, `call`, `stream`, `publish`, `publish_many`, `events`, `events_url` and
`dispatcher` belong to one default `WampBridge`.
"""

from wamp_bridge.adapters.flask._adapter import WampBridge

_default = WampBridge()

call = _default.call
callback = _default.callback
dispatcher = _default.dispatcher
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
