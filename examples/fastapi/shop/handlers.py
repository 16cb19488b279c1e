"""What the shop offers to WAMP. These take dependencies as a path function does."""

import logging

from wamp_bridge.core import ApplicationError, Outcome

from .bus import wamp
from .storage import Storage, Stored

log = logging.getLogger("shop")


@wamp.rpc()
def price(product: str, storage: Stored) -> float:
    """`com.shop.price`: what one of it costs here."""
    found = storage.find(product)
    if found is None:
        raise ApplicationError("com.shop.error.unknown_product", product)
    log.info("is asked for the price of a %s, says %.2f", product, found.price)
    return found.price


@wamp.sub("com.supplier.price_changed")
def supplier_changed_price(product: str, price: float, storage: Stored) -> None:
    """The supplier asks for more or less; we sell for a quarter more."""
    storage.set_price(product, price * 1.25)
    log.info("hears that a %s costs %.2f now, sells it for %.2f", product, price, price * 1.25)
    tell_change(product, storage)


@wamp.callback()
def delivered(outcome: Outcome, storage: Stored) -> None:
    """How the call in `deliver` ended, a while after the browser had its answer."""
    if outcome.succeeded:
        delivery = outcome.value()
        storage.add(delivery["product"], delivery["quantity"])
        log.info("receives %d x %s", delivery["quantity"], delivery["product"])
        tell_change(delivery["product"], storage)
    else:
        log.info("hears that a delivery failed: %s", outcome.error)


def tell_change(product: str, storage: Storage) -> None:
    """Tell everybody what it costs and how many are left, from a thread: `com.shop.changed`."""
    found = storage.find(product)
    if found is not None:
        wamp.bridge.publish("changed", [found.name, found.price, found.stock])
