"""What the shop offers to WAMP. Handlers use the models as views do."""

import logging
from typing import Any

from django.db.models import F

from wamp_bridge.adapters.django import callback, publish, rpc, sub
from wamp_bridge.adapters.django.auth import authenticate, authorize, current_user
from wamp_bridge.core import ApplicationError, Outcome

from .models import Product

log = logging.getLogger(__name__)

# The router asks these who may join, and what each may do.
rpc("com.shop.authenticate")(authenticate)
rpc("com.shop.authorize")(authorize)


def may(_user: Any, action: str, uri: str) -> bool:
    """What users may do at the router; handlers ask for permissions of their own."""
    if action == "call":
        return uri.startswith("com.shop.")
    return action == "subscribe" and uri in {"com.shop.ordered", "com.shop.changed"}


@rpc()
def price(product: str) -> float:
    """`com.shop.price`: what one of it costs here."""
    found = Product.objects.filter(name=product).first()
    if found is None:
        raise ApplicationError("com.shop.error.unknown_product", product)
    log.info("is asked for the price of a %s, says %.2f", product, found.price)
    cost: float = found.price
    return cost


@rpc(permission="shop.change_product")
def set_price(product: str, price: float) -> None:
    """`com.shop.set_price`: sell it for so much from now on, says a user who may say so."""
    if not Product.objects.filter(name=product).update(price=price):
        raise ApplicationError("com.shop.error.unknown_product", product)
    who = current_user().get_username()
    log.info("hears from %s that a %s costs %.2f now", who, product, price)
    tell_change(product)


@sub("com.supplier.price_changed")
def supplier_changed_price(product: str, price: float) -> None:
    """The supplier asks for more or less; we sell for a quarter more."""
    Product.objects.filter(name=product).update(price=price * 1.25)
    log.info("hears that a %s costs %.2f now, sells it for %.2f", product, price, price * 1.25)
    tell_change(product)


@callback()
def delivered(outcome: Outcome) -> None:
    """How the call in `deliver` ended, a while after the browser had its answer."""
    if outcome.succeeded:
        delivery = outcome.value()
        product, quantity = delivery["product"], delivery["quantity"]
        Product.objects.filter(name=product).update(stock=F("stock") + quantity)
        log.info("receives %d x %s", quantity, product)
        tell_change(product)
    else:
        log.info("hears that a delivery failed: %s", outcome.error)


def tell_change(product: str) -> None:
    """Tell everybody what it costs and how many are left: `com.shop.changed`."""
    found = Product.objects.filter(name=product).first()
    if found is not None:
        publish("changed", [found.name, found.price, found.stock], on_commit=True)
