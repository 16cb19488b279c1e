"""WAMP in a Django project, through a wamp-bridge.

::

    from wamp_bridge.adapters.django import call, dispatcher, publish, rpc, sub

    urlpatterns = [path("wamp/", dispatcher)]

    @rpc()
    def price(product):
        return 12

`rpc`, `sub`, `callback`, `call`, `stream`, `publish`, `publish_many`, `events`, `events_url` and
`dispatcher` belong to one default `WampBridge`, and so do `acall`, `astream` and `apublish`, for
what is asynchronous. As an app in `INSTALLED_APPS`, this finds the handlers in the `wamp` module of
each app, brings `manage.py wamp` and checks the settings.
"""

from wamp_bridge.adapters.django._adapter import WampBridge, default

call, acall = default.call, default.acall
dispatcher = default.dispatcher
events, events_url = default.events, default.events_url
publish, apublish = default.publish, default.apublish
publish_many = default.publish_many
rpc, sub, callback = default.rpc, default.sub, default.callback
stream, astream = default.stream, default.astream

__all__ = [
    "WampBridge",
    "acall",
    "apublish",
    "astream",
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
