"""Django's users in WAMP: who calls a handler, and who may join the router.

::

    from wamp_bridge.adapters.django import rpc
    from wamp_bridge.adapters.django.auth import authenticate, authorize, current_user

    rpc("com.shop.authenticate")(authenticate)
    rpc("com.shop.authorize")(authorize)

    @rpc(permission="shop.change_price")
    def set_price(product, price):
        log(current_user(), product, price)
"""

from wamp_bridge.adapters.django.auth._crossbar import authenticate, authorize, ticket_for
from wamp_bridge.adapters.django.auth._users import acurrent_user, current_user

__all__ = ["acurrent_user", "authenticate", "authorize", "current_user", "ticket_for"]
