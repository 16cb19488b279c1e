"""What the shop offers to WAMP. The scan finds these as it finds the views."""

import logging

from pyramid.request import Request

from wamp_bridge.adapters.pyramid import callback, rpc, sub
from wamp_bridge.core import ApplicationError, Outcome

log = logging.getLogger(__name__)


@rpc()
def price(product: str, *, request: Request) -> float:
    """`com.shop.price`: what one of it costs here."""
    found = request.storage.find(product)
    if found is None:
        raise ApplicationError("com.shop.error.unknown_product", product)
    log.info("is asked for the price of a %s, says %.2f", product, found.price)
    cost: float = found.price
    return cost


@sub("com.supplier.price_changed")
def supplier_changed_price(product: str, price: float, *, request: Request) -> None:
    """The supplier asks for more or less; we sell for a quarter more."""
    request.storage.set_price(product, price * 1.25)
    log.info("hears that a %s costs %.2f now, sells it for %.2f", product, price, price * 1.25)
    tell_change(request, product)


@callback()
def delivered(outcome: Outcome, *, request: Request) -> None:
    """How the call in `deliver` ended, a while after the browser had its answer."""
    if outcome.succeeded:
        delivery = outcome.value()
        request.storage.add(delivery["product"], delivery["quantity"])
        log.info("receives %d x %s", delivery["quantity"], delivery["product"])
        tell_change(request, delivery["product"])
    else:
        log.info("hears that a delivery failed: %s", outcome.error)


def tell_change(request: Request, product: str) -> None:
    """Tell everybody what it costs and how many are left: `com.shop.changed`."""
    found = request.storage.find(product)
    if found is not None:
        request.wamp.publish("changed", [found.name, found.price, found.stock])
