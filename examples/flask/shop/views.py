"""What the shop offers to browsers, and what it offers to WAMP."""

from flask import Blueprint, abort, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from wamp_bridge.adapters.flask import call, callback, publish, rpc, sub
from wamp_bridge.core import ApplicationError, BridgeError, Outcome

from .storage import add_to_stock, find_product, products, set_price, take

shop = Blueprint("shop", __name__)


# What others call and tell us. These are ordinary functions: they use the database as a view does.


@rpc()
def price(product: str) -> float:
    """`com.shop.price`: what one of it costs here."""
    found = find_product(product)
    if found is None:
        raise ApplicationError("com.shop.error.unknown_product", product)
    say(f"is asked for the price of a {product}, says {found.price:.2f}")
    return found.price


@sub("com.supplier.price_changed")
def supplier_changed_price(product: str, price: float) -> None:
    """The supplier asks for more or less; we sell for a quarter more."""
    set_price(product, price * 1.25)
    say(f"hears that a {product} costs {price:.2f} now, sells it for {price * 1.25:.2f}")
    tell_change(product)


@callback()
def delivered(outcome: Outcome) -> None:
    """How the call in `deliver` ended, a while after the browser had its answer."""
    if outcome.succeeded:
        delivery = outcome.value()
        add_to_stock(delivery["product"], delivery["quantity"])
        say(f"receives {delivery['quantity']} x {delivery['product']}")
        tell_change(delivery["product"])
    else:
        say(f"hears that a delivery failed: {outcome.error}")


# What browsers ask for. Their page is a static file; see examples/page.


@shop.get("/")
def page() -> ResponseReturnValue:
    """The shop window."""
    return current_app.send_static_file("index.html")


@shop.get("/state")
def state() -> ResponseReturnValue:
    """What the page shows at the start, and where it hears of all that comes later."""
    return jsonify(router=current_app.config["ROUTER"], realm="realm1", products=products())


@shop.post("/orders")
def order() -> ResponseReturnValue:
    """Sell something, and tell everybody: `com.shop.ordered`."""
    product, quantity = wanted()
    if not take(product, quantity):
        return jsonify(error=f"there are not {quantity} x {product} left"), 409
    say(f"sells {quantity} x {product} and tells everybody")
    publish("ordered", [product, quantity])
    tell_change(product)
    return jsonify(product=product, quantity=quantity), 201


@shop.get("/quotes/<product>")
def quote(product: str) -> ResponseReturnValue:
    """Ask the supplier for a price, and wait for it."""
    say(f"asks the supplier what a {product} costs")
    supplier_price = call("com.supplier.quote", [product])
    say(f"hears from the supplier: {supplier_price:.2f}")
    return jsonify(product=product, price=supplier_price)


@shop.post("/deliveries")
def deliver() -> ResponseReturnValue:
    """Ask the supplier for more, which takes a while: `delivered` will hear of it."""
    product, quantity = wanted()
    say(f"asks the supplier for {quantity} x {product} and doesn't wait")
    pending = call("com.supplier.deliver", [product, quantity], callback="delivered")
    return jsonify(call=pending.id), 202


@shop.app_errorhandler(BridgeError)
def bridge_failed(error: BridgeError) -> ResponseReturnValue:
    """The bridge, the router or the supplier let us down."""
    return jsonify(error=error.uri, detail=str(error)), error.status


def wanted() -> tuple[str, int]:
    """What the form asks for."""
    product, quantity = request.form["product"], request.form.get("quantity", 1, type=int)
    if quantity < 1:
        abort(400)
    return product, quantity


def tell_change(product: str) -> None:
    """Tell everybody what it costs and how many are left: `com.shop.changed`."""
    found = find_product(product)
    if found is not None:
        publish("changed", [found.name, found.price, found.stock])


def say(text: str) -> None:
    """Write a line into the log."""
    current_app.logger.info("%s", text)
