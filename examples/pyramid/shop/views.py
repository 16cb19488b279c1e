"""What browsers ask for. Their page is a static file; see examples/page."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pyramid.httpexceptions import HTTPBadRequest
from pyramid.request import Request
from pyramid.response import FileResponse
from pyramid.view import exception_view_config, view_config

from wamp_bridge.core import BridgeError

from .handlers import tell_change

log = logging.getLogger(__name__)


@view_config(route_name="page")
def page(request: Request) -> Any:
    """The shop window."""
    return FileResponse(Path(request.registry.settings["shop.page"]) / "index.html", request)


@view_config(route_name="state", renderer="json")
def state(request: Request) -> Any:
    """What the page shows at the start, and where it hears of all that comes later."""
    products = [asdict(product) for product in request.storage.products()]
    where = request.registry.settings["shop.router"]
    return {"router": where, "realm": "realm1", "products": products}


@view_config(route_name="orders", renderer="json")
def order(request: Request) -> Any:
    """Sell something, and tell everybody: `com.shop.ordered`."""
    product, quantity = wanted(request)
    if not request.storage.take(product, quantity):
        request.response.status_code = 409
        return {"error": f"there are not {quantity} x {product} left"}
    log.info("sells %d x %s and tells everybody", quantity, product)
    request.wamp.publish("ordered", [product, quantity])
    tell_change(request, product)
    request.response.status_code = 201
    return {"product": product, "quantity": quantity}


@view_config(route_name="quote", renderer="json")
def quote(request: Request) -> Any:
    """Ask the supplier for a price, and wait for it."""
    product = request.matchdict["product"]
    log.info("asks the supplier what a %s costs", product)
    supplier_price = request.wamp.call("com.supplier.quote", [product])
    log.info("hears from the supplier: %.2f", supplier_price)
    return {"product": product, "price": supplier_price}


@view_config(route_name="deliveries", renderer="json")
def deliver(request: Request) -> Any:
    """Ask the supplier for more, which takes a while: `delivered` will hear of it."""
    product, quantity = wanted(request)
    log.info("asks the supplier for %d x %s and doesn't wait", quantity, product)
    ordered = [product, quantity]
    pending = request.wamp.call("com.supplier.deliver", ordered, callback="delivered")
    request.response.status_code = 202
    return {"call": pending.id}


@exception_view_config(BridgeError, renderer="json")
def bridge_failed(error: BridgeError, request: Request) -> Any:
    """The bridge, the router or the supplier let us down."""
    request.response.status_code = error.status
    return {"error": error.uri, "detail": str(error)}


def wanted(request: Request) -> tuple[str, int]:
    """What the form asks for."""
    try:
        product, quantity = request.POST["product"], int(request.POST.get("quantity", "1"))
    except (KeyError, ValueError):
        raise HTTPBadRequest("a product and how many of it are missing") from None
    if quantity < 1:
        raise HTTPBadRequest("there is no less than one")
    return product, quantity
