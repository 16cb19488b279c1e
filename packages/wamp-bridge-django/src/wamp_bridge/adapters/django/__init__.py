"""WAMP in a Django project, through a wamp-bridge.

::

    from wamp_bridge.adapters.django import call, dispatcher, publish, rpc, sub

    urlpatterns = [path("wamp/", dispatcher)]

    @rpc()
    def price(product):
        return 12

`rpc`, `sub`, `callback`, `call`, `publish`, `publish_many`, `events`, `events_url` and `dispatcher`
belong to one default `WampBridge`, and so do `acall` and `apublish`, for what is asynchronous. As
an app in `INSTALLED_APPS`, this finds the handlers in the `wamp` module of each app, brings
`manage.py wamp` and checks the settings.
"""

from wamp_bridge.adapters.django._adapter import WampBridge, default

acall = default.acall
apublish = default.apublish
call = default.call
callback = default.callback
dispatcher = default.dispatcher
events = default.events
events_url = default.events_url
publish = default.publish
publish_many = default.publish_many
rpc = default.rpc
sub = default.sub

__all__ = [
    "WampBridge",
    "acall",
    "apublish",
    "call",
    "callback",
    "dispatcher",
    "events",
    "events_url",
    "publish",
    "publish_many",
    "rpc",
    "sub",
]
